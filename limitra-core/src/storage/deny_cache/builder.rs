//! The settings of a deny cache.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::DenyCache;
use super::layer::Layer;
use crate::error::ConfigurationError;
use crate::storage::AnyStorage;
use crate::time::Micros;

/// For how long a refusal is believed at most.
const MAX_AGE: Duration = Duration::from_secs(1);
/// How many refusals are kept.
const MAX_KEYS: usize = 10_000;

/// The settings of a [`DenyCache`], as chained setters. Begun by [`DenyCache::over`].
#[derive(Clone, Debug)]
pub struct DenyCacheBuilder {
    storage: AnyStorage,
    max_age: Duration,
    max_keys: usize,
}

impl DenyCacheBuilder {
    pub(super) fn new(storage: AnyStorage) -> Self {
        Self { storage, max_age: MAX_AGE, max_keys: MAX_KEYS }
    }

    /// For how long a refusal is believed at most, counted from when its request was sent; default: 1 s. So long may a
    /// write from elsewhere (a reset, a flush) go unseen.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// How many refusals are kept at most, one for each key and rules; default: 10,000.
    pub fn max_keys(mut self, max_keys: usize) -> Self {
        self.max_keys = max_keys;
        self
    }

    /// The layer. No I/O.
    ///
    /// # Errors
    /// [`ConfigurationError`] if a setting is 0.
    pub fn build(self) -> Result<DenyCache, ConfigurationError> {
        if self.max_age.is_zero() {
            return Err(ConfigurationError::ZeroDeadline { what: "max_age" });
        }
        if self.max_keys == 0 {
            return Err(ConfigurationError::ZeroMaxKeys);
        }
        let started = Instant::now();
        let elapsed = move || Micros::new(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX));
        let max_age = Micros::from_duration(self.max_age);
        let layer = Layer::new(self.storage.shared(), max_age, self.max_keys, Box::new(elapsed));
        Ok(DenyCache { layer: Arc::new(layer) })
    }
}
