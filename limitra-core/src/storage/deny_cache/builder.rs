//! The settings of a deny cache.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::DenyCache;
use super::layer::{Elapsed, Layer};
use crate::clock::ManualClock;
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
    clock: Option<ManualClock>,
}

impl DenyCacheBuilder {
    pub(super) fn new(storage: AnyStorage) -> Self {
        Self { storage, max_age: MAX_AGE, max_keys: MAX_KEYS, clock: None }
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

    /// Reads the time from a clock that a test sets. It never goes back: where it is set back, the layer's time stands
    /// still until it has caught up.
    pub fn clock(mut self, clock: ManualClock) -> Self {
        self.clock = Some(clock);
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
        let max_age = Micros::from_duration(self.max_age);
        let elapsed = self.clock.map_or_else(steady, manual);
        let layer = Layer::new(self.storage.shared(), max_age, self.max_keys, elapsed);
        Ok(DenyCache { layer: Arc::new(layer) })
    }
}

fn steady() -> Elapsed {
    let started = Instant::now();
    Box::new(move || Micros::new(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX)))
}

fn manual(clock: ManualClock) -> Elapsed {
    let latest = AtomicU64::new(0);
    Box::new(move || {
        let now = clock.now().get();
        Micros::new(latest.fetch_max(now, Ordering::SeqCst).max(now))
    })
}
