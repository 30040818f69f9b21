//! Storages that cannot decide.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use crate::key::Key;

/// No decision could be had from a storage: what a caller may do about it, and why.
///
/// ```
/// use limitra_core::{StorageError, StorageErrorKind};
///
/// let error = StorageError::new(StorageErrorKind::Timeout, "redis", "decide");
/// assert_eq!(error.kind(), StorageErrorKind::Timeout);
/// assert_eq!(error.to_string(), "redis: no answer within the deadline while trying to decide");
/// ```
#[derive(Clone, Debug)]
pub struct StorageError {
    kind: StorageErrorKind,
    storage: &'static str,
    operation: &'static str,
    /// Whether the server said so itself.
    is_answer: bool,
    /// Shared, for one failure may be that of many decisions.
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// What a caller may do about a [`StorageError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StorageErrorKind {
    /// It cannot be reached; later it may.
    Unavailable,
    /// It did not answer in time; whether it decided is unknown.
    Timeout,
    /// It was not asked: it failed before, and the circuit breaker leaves it alone until its next probe.
    CircuitOpen,
    /// It was not asked: as many decisions wait for it as may.
    Overloaded,
    /// It was called outside a tokio runtime.
    NoRuntime,
    /// It answered, but will not do this: credentials, permissions, memory.
    Refused,
    /// What stands under the key is not limitra's; it was left as it is.
    ForeignValue,
    /// What stands under the key was written by another version of limitra; it was left as it is.
    OtherVersion,
    /// It holds as many records as it may, all of them exceeded; or a record as many rules as it may.
    Full,
    /// Others changed the same record again and again; the source is a [`ConcurrentUpdateError`].
    ConcurrentUpdate,
    /// It cannot do this at all.
    Unsupported,
    /// It answered something that makes no sense.
    Malformed,
}

impl StorageErrorKind {
    /// Its name in lower case, as metrics label it: `timeout`, `circuit_open`.
    ///
    /// ```
    /// assert_eq!(limitra_core::StorageErrorKind::CircuitOpen.name(), "circuit_open");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::CircuitOpen => "circuit_open",
            Self::Overloaded => "overloaded",
            Self::NoRuntime => "no_runtime",
            Self::Refused => "refused",
            Self::ForeignValue => "foreign_value",
            Self::OtherVersion => "other_version",
            Self::Full => "full",
            Self::ConcurrentUpdate => "concurrent_update",
            Self::Unsupported => "unsupported",
            Self::Malformed => "malformed",
        }
    }
}

/// A record that others kept changing: nothing was counted.
///
/// Its key names who was asking, so messages and `Debug` show only the key's function and scope.
///
/// ```
/// use limitra_core::ConcurrentUpdateError;
///
/// let error = ConcurrentUpdateError { key: "limitra:::user:ada:".to_owned(), attempts: 64 };
/// assert_eq!(error.to_string(), "unable to update Key(limitra:::user) after 64 retries");
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("unable to update {:?} after {attempts} retries", Key::from_text(key))]
pub struct ConcurrentUpdateError {
    /// The record's key; of several subjects the first one's.
    pub key: String,
    /// How many times it was tried.
    pub attempts: u32,
}

impl fmt::Debug for ConcurrentUpdateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConcurrentUpdateError")
            .field("key", &Key::from_text(&self.key))
            .field("attempts", &self.attempts)
            .finish()
    }
}

impl StorageError {
    /// An error of `storage` in `operation` (a verb).
    pub const fn new(kind: StorageErrorKind, storage: &'static str, operation: &'static str) -> Self {
        Self { kind, storage, operation, is_answer: false, source: None }
    }

    /// The same with its cause.
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into().into());
        self
    }

    /// The same, said by the server itself: it loads its data, say, or was demoted. Such an error trips no circuit breaker.
    pub const fn answered(mut self) -> Self {
        self.is_answer = true;
        self
    }

    /// Whether it says that the storage could not be reached or did not answer in time, and not what it answered: what
    /// trips a circuit breaker.
    ///
    /// ```
    /// use limitra_core::{StorageError, StorageErrorKind};
    ///
    /// let lost = StorageError::new(StorageErrorKind::Unavailable, "redis", "decide");
    /// assert!(lost.is_silence());
    /// assert!(!lost.answered().is_silence());
    /// assert!(!StorageError::new(StorageErrorKind::Refused, "redis", "decide").is_silence());
    /// ```
    pub const fn is_silence(&self) -> bool {
        matches!(self.kind, StorageErrorKind::Unavailable | StorageErrorKind::Timeout) && !self.is_answer
    }

    /// Whether it is certain that the storage was not even asked.
    pub const fn was_not_asked(&self) -> bool {
        matches!(
            self.kind,
            StorageErrorKind::CircuitOpen | StorageErrorKind::Overloaded | StorageErrorKind::NoRuntime
        )
    }

    /// What a caller may do about it.
    pub const fn kind(&self) -> StorageErrorKind {
        self.kind
    }

    /// The contention that kept it from deciding, if that was it.
    pub fn concurrent_update(&self) -> Option<&ConcurrentUpdateError> {
        self.source.as_ref().and_then(|source| source.downcast_ref())
    }

    /// The storage's name.
    pub const fn storage(&self) -> &'static str {
        self.storage
    }

    /// What was tried.
    pub const fn operation(&self) -> &'static str {
        self.operation
    }
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = match self.kind {
            StorageErrorKind::Unavailable => "cannot be reached",
            StorageErrorKind::Timeout => "no answer within the deadline",
            StorageErrorKind::CircuitOpen => "the circuit breaker is open, nothing was sent",
            StorageErrorKind::Overloaded => "too many decisions are in flight, nothing was sent",
            StorageErrorKind::NoRuntime => "there is no tokio runtime to run in (call it from within one)",
            StorageErrorKind::Refused => "the server refused",
            StorageErrorKind::ForeignValue => "a value that is not limitra's stands under the key",
            StorageErrorKind::OtherVersion => "a record of another version of limitra stands under the key",
            StorageErrorKind::Full => {
                "full (of exceeded records: raise max_keys; or of rules in one record: use fewer windows)"
            }
            StorageErrorKind::ConcurrentUpdate => "too many others changed the same record",
            StorageErrorKind::Unsupported => "the storage cannot do this",
            StorageErrorKind::Malformed => "a malformed answer",
        };
        write!(f, "{}: {problem} while trying to {}", self.storage, self.operation)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl StdError for StorageError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_sent_says_why() {
        let told = |kind| StorageError::new(kind, "redis", "decide").to_string();
        let open = "redis: the circuit breaker is open, nothing was sent while trying to decide";
        let busy = "redis: too many decisions are in flight, nothing was sent while trying to decide";
        assert_eq!(
            (told(StorageErrorKind::CircuitOpen), told(StorageErrorKind::Overloaded)),
            (open.into(), busy.into())
        );
    }
}
