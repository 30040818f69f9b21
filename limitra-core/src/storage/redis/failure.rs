//! What Redis' errors mean to a caller.

use ::redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::error::{StorageError, StorageErrorKind};

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(super) enum Failed {
    /// There was no connection, so nothing was sent.
    Unconnected(StorageError),
    /// The server's error, or the connection's.
    Error(RedisError),
    /// No answer in time.
    Late,
    /// What was answered is nothing that could be read.
    Malformed,
}

impl Failed {
    /// The storage's error for it.
    pub(super) fn storage_error(self, storage: &'static str, operation: &'static str) -> StorageError {
        match self {
            Self::Unconnected(error) => error,
            Self::Error(error) => {
                let is_answer = matches!(error.kind(), ErrorKind::Server(_));
                let failed = StorageError::new(kind(&error), storage, operation);
                let failed = match without_arguments(&error) {
                    Some(text) => failed.with_source(text),
                    None => failed.with_source(error),
                };
                if is_answer { failed.answered() } else { failed }
            }
            Self::Late => StorageError::new(StorageErrorKind::Timeout, storage, operation),
            Self::Malformed => StorageError::new(StorageErrorKind::Malformed, storage, operation),
        }
    }

    /// Whether the server said that it does not know the script: it has run nothing.
    pub(super) fn is_no_script(&self) -> bool {
        matches!(self, Self::Error(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript))
    }

    /// Whether a server would not take a command for several records, and has run nothing of it.
    pub(super) fn has_run_nothing(&self) -> bool {
        use ServerErrorKind as Kind;
        let Self::Error(error) = self else { return false };
        let ErrorKind::Server(kind) = error.kind() else { return false };
        // A right to one of the keys is missing; a slot of the cluster is elsewhere, or on its way; or nobody is served.
        matches!(
            kind,
            Kind::NoPerm
                | Kind::Moved
                | Kind::Ask
                | Kind::TryAgain
                | Kind::CrossSlot
                | Kind::ClusterDown
                | Kind::MasterDown
                | Kind::BusyLoading
        )
    }
}

/// What a server says of a command that it does not know, without the arguments that it repeats: they name keys. `None` where
/// nothing is repeated.
fn without_arguments(error: &RedisError) -> Option<String> {
    let text = error.to_string();
    text.split_once(", with args beginning with").map(|(told, _)| told.to_owned())
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
        | ErrorKind::AuthenticationFailed
        | ErrorKind::InvalidClientConfig => StorageErrorKind::Refused,
        // Loading, moved or without its master.
        ErrorKind::Server(_) => StorageErrorKind::Unavailable,
        _ => StorageErrorKind::Malformed,
    }
}
