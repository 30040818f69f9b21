//! What PostgreSQL's errors mean to a caller.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::error::{StorageError, StorageErrorKind};

/// An error of PostgreSQL. What the client library found by itself is its source; what the server said has none, for the library
/// tells its details, and they name keys.
pub(super) enum Failure {
    /// Whatever it may be.
    Postgres(Error),
    /// There is no table, and none may be made.
    NoTable {
        /// The table.
        table: String,
        /// Why.
        source: Error,
    },
}

impl Failure {
    fn error(&self) -> &Error {
        match self {
            Self::Postgres(error) | Self::NoTable { source: error, .. } => error,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Postgres(error)
    }
}

impl fmt::Display for Failure {
    /// What the server said without its details.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::NoTable { table, .. } = self {
            write!(
                f,
                "there is no table {table} and it may not be made; run the SQL of PostgresStorage::migration: "
            )?;
        }
        let error = self.error();
        match (error.as_db_error(), error.source()) {
            (Some(said), _) => write!(f, "{} (SQLSTATE {})", said.message(), said.code().code()),
            (None, Some(cause)) => write!(f, "{error}: {cause}"),
            (None, None) => error.fmt(f),
        }
    }
}

impl fmt::Debug for Failure {
    /// As it is told: the library's own would show the details.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Failure({self})")
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let error = self.error();
        error.as_db_error().is_none().then_some(error as &(dyn StdError + 'static))
    }
}

/// The storage's error for one of PostgreSQL.
pub(super) fn storage_error(error: Error, operation: &'static str) -> StorageError {
    let failure = Failure::from(error);
    let is_answer = failure.error().code().is_some();
    let failed = StorageError::new(kind(&failure), "postgres", operation).with_source(failure);
    if is_answer { failed.answered() } else { failed }
}

/// What a caller may do about it.
pub(super) fn kind(failure: &Failure) -> StorageErrorKind {
    let error = failure.error();
    let Some(state) = error.code() else { return kind_without_answer(error) };
    let code = state.code();
    match code.get(..2).unwrap_or_default() {
        _ if *state == SqlState::QUERY_CANCELED => StorageErrorKind::Timeout,
        _ if *state == SqlState::DISK_FULL => StorageErrorKind::Refused,
        // A standby, which can be promoted.
        _ if *state == SqlState::READ_ONLY_SQL_TRANSACTION => StorageErrorKind::Unavailable,
        // Lost connections, conflicts, resources, objects in use, an operator, the system.
        "08" | "40" | "53" | "55" | "57" | "58" => StorageErrorKind::Unavailable,
        // Privileges, names, data, features.
        _ => StorageErrorKind::Refused,
    }
}

/// What the client found by itself. Which sort it was it says in words only.
fn kind_without_answer(error: &Error) -> StorageErrorKind {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    let is_nonsense = cause.is_some_and(|cause| {
        matches!(cause.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
    });
    let text = error.to_string();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["authentication", "configuration"]) {
        StorageErrorKind::Refused
    } else if says(&["TLS"]) {
        StorageErrorKind::Unavailable
    } else if is_nonsense || says(&["unexpected message", "parsing", "deserializing", "column", "rows"]) {
        StorageErrorKind::Malformed
    } else if says(&["serializing", "encoding", "parameters"]) {
        StorageErrorKind::Refused
    } else {
        StorageErrorKind::Unavailable
    }
}

/// Whether the connection is lost, leads to a server that takes no writes, or knows a table that is gone.
pub(super) fn breaks_connection(error: &Error) -> bool {
    let Some(state) = error.code() else { return true };
    matches!(state.code().get(..2), Some("08" | "57" | "58" | "XX")) && *state != SqlState::QUERY_CANCELED
        || [
            SqlState::READ_ONLY_SQL_TRANSACTION,
            SqlState::UNDEFINED_TABLE,
            SqlState::UNDEFINED_COLUMN,
            SqlState::INVALID_SQL_STATEMENT_NAME,
            SqlState::FEATURE_NOT_SUPPORTED,
        ]
        .contains(state)
}

/// Whether the server undid a swap because somebody else was faster.
pub(super) fn is_conflict(error: &Error) -> bool {
    error.code().is_some_and(|state| {
        [
            SqlState::UNIQUE_VIOLATION,
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::LOCK_NOT_AVAILABLE,
        ]
        .contains(state)
    })
}
