//! What MongoDB's errors mean to a caller.

use ::mongodb::error::{Error, ErrorKind};

use crate::error::{StorageError, StorageErrorKind};

/// Why MongoDB did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// As the driver says it.
    #[error("{}", told(_0))]
    Driver(#[from] Error),
    /// The TTL index is not there.
    #[error(
        "the index that removes what has expired cannot be created; allow createIndex, or create it by hand on {{expireAt: 1}} with expireAfterSeconds 0 and set `create_index` to false: {}",
        told(_0)
    )]
    Index(Error),
    /// A write that was not done, or of which it is not known how far it got.
    #[error("{} (code {code})", without_documents(message))]
    Write { code: i32, message: String },
    /// A document that is no record.
    #[error("the document is no record of limitra")]
    Foreign,
    /// An answer that makes no sense.
    #[error("its {0} is missing or of another type")]
    Malformed(&'static str),
}

impl Failure {
    /// Of an index that is to be created: an answer is about the index, anything else is as usual.
    pub(super) fn of_index(error: Error) -> Self {
        match &*error.kind {
            ErrorKind::Command(answer) if kind_of_code(answer.code) == StorageErrorKind::Refused => {
                Self::Index(error)
            }
            _ => Self::Driver(error),
        }
    }

    /// What a caller may do about it.
    pub(super) fn kind(&self) -> StorageErrorKind {
        match self {
            Self::Driver(error) | Self::Index(error) => kind(error),
            Self::Write { code, .. } => kind_of_code(*code),
            Self::Foreign => StorageErrorKind::ForeignValue,
            Self::Malformed(_) => StorageErrorKind::Malformed,
        }
    }

    /// Whether another client may be better off: it looks for the primary at once, this one when it next does.
    pub(super) fn breaks_connection(&self) -> bool {
        self.kind() == StorageErrorKind::Unavailable
    }

    pub(super) fn storage_error(self, operation: &'static str) -> StorageError {
        let is_answer = match &self {
            Self::Write { .. } => true,
            Self::Driver(error) | Self::Index(error) => matches!(&*error.kind, ErrorKind::Command(_)),
            Self::Foreign | Self::Malformed(_) => false,
        };
        let error = StorageError::new(self.kind(), super::NAME, operation);
        // What a server answers the driver keeps as a whole, and it names keys.
        match self {
            Self::Driver(source) if !is_answer => error.with_source(source),
            other if is_answer => error.answered().with_source(other.to_string()),
            other => error.with_source(other),
        }
    }
}

/// What the driver says; of an answer what the server says, and not all of it.
fn told(error: &Error) -> String {
    match &*error.kind {
        ErrorKind::Command(answer) => {
            format!("{} ({}, code {})", without_documents(&answer.message), answer.code_name, answer.code)
        }
        _ => error.to_string(),
    }
}

/// What a server says up to the first document that it shows: a command that it forbids, a duplicate key. They name keys of ours.
fn without_documents(message: &str) -> &str {
    message.split('{').next().unwrap_or_default().trim_end()
}

fn kind(error: &Error) -> StorageErrorKind {
    match &*error.kind {
        ErrorKind::Command(error) => kind_of_code(error.code),
        ErrorKind::Io(_)
        | ErrorKind::ServerSelection { .. }
        | ErrorKind::ConnectionPoolCleared { .. }
        | ErrorKind::DnsResolve { .. }
        | ErrorKind::Internal { .. }
        | ErrorKind::Shutdown => StorageErrorKind::Unavailable,
        ErrorKind::Authentication { .. }
        | ErrorKind::InvalidTlsConfig { .. }
        | ErrorKind::InvalidArgument { .. }
        | ErrorKind::IncompatibleServer { .. } => StorageErrorKind::Refused,
        _ => StorageErrorKind::Malformed,
    }
}

/// By the numbers in MongoDB's `error_codes.yml`.
fn kind_of_code(code: i32) -> StorageErrorKind {
    match code {
        // HostUnreachable, HostNotFound, NetworkTimeout, ShutdownInProgress, PrimarySteppedDown, ExceededTimeLimit, IngressRequestRateLimitExceeded,
        // SocketException, NotWritablePrimary, InterruptedAtShutdown, InterruptedDueToReplStateChange,
        // NotPrimaryNoSecondaryOk, NotPrimaryOrSecondary, and the one of old servers for the same.
        6 | 7 | 89 | 91 | 189 | 262 | 462 | 9001 | 10107 | 11600 | 11602 | 13435 | 13436 | 10058 => {
            StorageErrorKind::Unavailable
        }
        // MaxTimeMSExpired, WriteConcernTimeout.
        50 | 64 => StorageErrorKind::Timeout,
        // BSONObjectTooLarge, and the same of a document that an update makes.
        10334 | 17419 => StorageErrorKind::Full,
        _ => StorageErrorKind::Refused,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test that cannot go on fails.

    use std::error::Error as _;

    use ::mongodb::bson::{deserialize_from_document, doc};

    use super::*;

    /// In MongoDB's words.
    const FORBIDDEN: &str = "not authorized on limitra to execute command { update: \"records\", updates: [ { q: { _id: \"limitra:::user:ada:\" } } ] }";
    const DUPLICATE: &str = "E11000 duplicate key error collection: limitra.records index: _id_ dup key: { _id: \"limitra:::user:ada:\" }";

    #[test]
    fn what_a_server_answers_is_told_without_the_key() {
        let answer = doc! { "code": 13, "codeName": "Unauthorized", "errmsg": FORBIDDEN };
        let answer = ErrorKind::Command(deserialize_from_document(answer).unwrap());
        let failures = [
            Failure::of_index(Error::from(answer.clone())),
            Failure::Driver(Error::from(answer)),
            Failure::Write { code: 11000, message: DUPLICATE.to_owned() },
        ];
        for (failure, expected) in failures.into_iter().zip(["Unauthorized, code 13", "code 13", "E11000 "]) {
            let error = failure.storage_error("decide");
            let source = error.source().unwrap();
            let told = format!("{error} {error:?} {source} {source:?}");
            assert!(told.contains(expected) && !told.contains("ada"), "{told}");
            assert!(source.source().is_none() && !error.is_silence());
        }
    }
}
