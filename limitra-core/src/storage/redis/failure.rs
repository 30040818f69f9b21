//! What Redis' errors mean to a caller.

use std::error::Error as _;

use ::redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::error::{StorageError, StorageErrorKind};

/// The storage's error for one of Redis.
pub(super) fn storage_error(error: RedisError, operation: &'static str) -> StorageError {
    StorageError::new(kind(&error), "redis", operation).with_source(error)
}

/// Whether the server said that it does not know the script: it has run nothing.
pub(super) fn is_no_script(error: &StorageError) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<RedisError>());
    source.is_some_and(|error| error.kind() == ErrorKind::Server(ServerErrorKind::NoScript))
}

/// Whether the connection is lost, or leads to a server that was demoted.
pub(super) fn breaks_connection(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_unrecoverable_error()
        || matches!(error.kind(), ErrorKind::Server(ServerErrorKind::ReadOnly))
        || error.to_string().contains("READONLY")
}

/// What a caller may do about it.
pub(super) fn kind(error: &RedisError) -> StorageErrorKind {
    if error.is_timeout() {
        return StorageErrorKind::Timeout;
    }
    if error.is_io_error() || error.is_connection_dropped() || error.is_connection_refusal() {
        return StorageErrorKind::Unavailable;
    }
    // A script passes the error of a command on in its text, older servers within another's.
    let text = error.to_string();
    let says = |codes: &[&str]| codes.iter().any(|code| error.code() == Some(*code) || text.contains(code));
    if says(&["WRONGTYPE", "LIMITRAFOREIGN"]) {
        return StorageErrorKind::ForeignValue;
    }
    if says(&["LIMITRAVERSION"]) {
        return StorageErrorKind::OtherVersion;
    }
    if says(&["LIMITRAFULL"]) {
        return StorageErrorKind::Full;
    }
    // Later it may answer, or another server in its place.
    if says(&["READONLY", "BUSY", "NOREPLICAS", "max number of clients"]) {
        return StorageErrorKind::Unavailable;
    }
    match error.kind() {
        ErrorKind::Server(
            ServerErrorKind::ResponseError | ServerErrorKind::NoPerm | ServerErrorKind::CrossSlot,
        )
        | ErrorKind::Extension
        | ErrorKind::AuthenticationFailed => StorageErrorKind::Refused,
        // Loading, moved or without its master.
        ErrorKind::Server(_) => StorageErrorKind::Unavailable,
        _ => StorageErrorKind::Malformed,
    }
}
