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
    let says = |code: &str| error.code() == Some(code) || text.contains(code);
    if says("WRONGTYPE") || says("LIMITRAFOREIGN") {
        StorageErrorKind::ForeignValue
    } else if says("LIMITRAVERSION") {
        StorageErrorKind::OtherVersion
    } else if ["NOAUTH", "WRONGPASS", "NOPERM", "OOM", "MISCONF"].iter().any(|code| says(code))
        || error.kind() == ErrorKind::AuthenticationFailed
        || matches!(error.kind(), ErrorKind::Server(ServerErrorKind::ResponseError))
    {
        StorageErrorKind::Refused
    } else if matches!(error.kind(), ErrorKind::Server(_)) {
        // Loading, a demoted or a busy server: later it may answer.
        StorageErrorKind::Unavailable
    } else {
        StorageErrorKind::Malformed
    }
}
