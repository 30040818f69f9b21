//! What a storage can carry.

use crate::error::ConfigurationError;
use crate::rule::Rule;

/// What a storage can carry. Limits beyond it are a [`ConfigurationError`] when a limiter is built.
///
/// ```
/// use limitra_core::{AnyStorage, Bounds, MemoryStorage};
///
/// let memory: AnyStorage = MemoryStorage::new().into();
/// assert_eq!(memory.bounds(), Bounds::default());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many subjects one decision may name. A storage that cannot change several records atomically says 1.
    /// Default: [`usize::MAX`].
    pub subjects: usize,
    /// How many bytes a record may have, [`Record::to_bytes`](crate::Record::to_bytes) as it is; default: [`usize::MAX`].
    pub record_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { subjects: usize::MAX, record_bytes: usize::MAX }
    }
}

impl Bounds {
    /// Whether a record of these rules fits whatever happens.
    pub(crate) fn hold(&self, storage: &'static str, rules: &[Rule]) -> Result<(), ConfigurationError> {
        if self.record_bytes == usize::MAX {
            return Ok(());
        }
        let limited = rules.iter().filter(|rule| !rule.limit().is_unlimited());
        let (mut fixed, mut logged) = (crate::codec::HEAD_BYTES, 0_u64);
        for rule in limited {
            fixed += crate::codec::ENTRY_BYTES;
            if rule.algorithm().keeps_log() {
                logged = logged.saturating_add(rule.amount());
            }
        }
        let room = u64::try_from(self.record_bytes.saturating_sub(fixed)).unwrap_or(u64::MAX);
        let most = room / crate::codec::SLOT_BYTES;
        if logged <= most {
            return Ok(());
        }
        Err(ConfigurationError::RecordTooLarge { storage, amount: logged, most })
    }

    /// Whether so many subjects can be decided at once.
    pub(crate) fn allow(&self, storage: &'static str, subjects: usize) -> Result<(), ConfigurationError> {
        if subjects <= self.subjects {
            Ok(())
        } else {
            Err(ConfigurationError::TooManySubjects { storage, subjects, most: self.subjects })
        }
    }
}
