//! The settings of a memory storage.

use std::time::Duration;

use super::MemoryStorage;
use super::clock::OwnClock;
use crate::clock::ManualClock;
use crate::error::ConfigurationError;

/// How many keys a memory storage holds by default.
pub(super) const DEFAULT_MAX_KEYS: usize = 1_000_000;

/// The settings of a [`MemoryStorage`]: how much it holds, and what time it is.
///
/// ```
/// use limitra_core::MemoryStorage;
/// use std::time::Duration;
///
/// let storage =
///     MemoryStorage::builder().max_keys(100_000).coarse_clock(Duration::from_millis(1)).build()?;
/// assert_eq!(storage.max_keys(), 100_000);
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone, Debug)]
pub struct MemoryStorageBuilder {
    max_keys: usize,
    time: Time,
}

#[derive(Clone, Debug)]
enum Time {
    Precise,
    Coarse(Duration),
    Manual(ManualClock),
}

impl MemoryStorageBuilder {
    /// The finest resolution of a coarse clock.
    const FINEST: Duration = Duration::from_micros(100);
    /// The coarsest one.
    const COARSEST: Duration = Duration::from_secs(1);

    pub(super) fn new() -> Self {
        Self { max_keys: DEFAULT_MAX_KEYS, time: Time::Precise }
    }

    /// How many keys it holds at most; default 1,000,000.
    pub fn max_keys(mut self, max_keys: usize) -> Self {
        self.max_keys = max_keys;
        self
    }

    /// Reads the time from a thread of its own (`limitra-clock`), which moves it on every `resolution`, 100 µs to 1 s. The
    /// thread ends with the storage.
    ///
    /// A decision then reads a word of memory instead of the processor's clock, which saves some nanoseconds.
    /// The price is that the storage's time lags by up to `resolution`, more if the thread has to wait for a
    /// processor: no decision is more generous for that at any one time, but in a real interval of length `t` a
    /// limit may let in what it allows in `t + resolution`, and a caller may wait that much longer.
    pub fn coarse_clock(mut self, resolution: Duration) -> Self {
        self.time = Time::Coarse(resolution);
        self
    }

    /// Reads the time from a clock that a test sets. Unlike one that is given to a limiter, it never goes back: where it
    /// is set back, the storage's time stands still until it has caught up.
    pub fn clock(mut self, clock: ManualClock) -> Self {
        self.time = Time::Manual(clock);
        self
    }

    /// The storage, empty.
    ///
    /// # Errors
    /// [`ConfigurationError`] if `max_keys` is 0, the resolution of a coarse clock is below 100 µs or above 1 s, or its
    /// thread cannot be started.
    pub fn build(self) -> Result<MemoryStorage, ConfigurationError> {
        if self.max_keys == 0 {
            return Err(ConfigurationError::ZeroMaxKeys);
        }
        let clock = match self.time {
            Time::Precise => OwnClock::precise(),
            Time::Coarse(resolution) if !(Self::FINEST..=Self::COARSEST).contains(&resolution) => {
                return Err(ConfigurationError::ClockResolutionOutOfRange { resolution });
            }
            Time::Coarse(resolution) => OwnClock::coarse(resolution)
                .map_err(|error| ConfigurationError::ClockNotStarted { kind: error.kind() })?,
            Time::Manual(clock) => OwnClock::manual(clock),
        };
        Ok(MemoryStorage::of(self.max_keys, clock))
    }
}
