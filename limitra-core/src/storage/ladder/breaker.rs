//! The settings of a circuit breaker.

use std::time::Duration;

use super::circuit::LARGEST_COUNT;
use crate::error::ConfigurationError;

/// When a circuit breaker opens, and for how long: the settings of a [`CircuitBreaker`](super::CircuitBreaker).
///
/// | setting | default | why |
/// |---|---|---|
/// | `failures` | 5 | one is a lost packet or a server that is being replaced; five one after the other, with no answer in between, are not |
/// | `pause` | 1 s | a storage that comes back is found within it |
/// | `longest_pause` | 30 s | after each probe that fails the pause doubles, up to this |
///
/// ```
/// use limitra_core::Breaker;
/// use std::time::Duration;
///
/// let breaker = Breaker::new().failures(3).pause(Duration::from_millis(500));
/// assert_eq!(breaker, Breaker { failures: 3, pause: Duration::from_millis(500), ..Breaker::new() });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// After how many failures one after the other it opens, 1 to 16,383. Decisions that were under way when one failed
    /// fail with it: they are one failure.
    pub failures: u32,
    /// For how long it asks nothing then.
    pub pause: Duration,
    /// How long a pause is at most, doubled after each probe that fails. A shorter one than `pause` is `pause`.
    pub longest_pause: Duration,
}

impl Breaker {
    /// The defaults.
    pub const fn new() -> Self {
        Self { failures: 5, pause: Duration::from_secs(1), longest_pause: Duration::from_secs(30) }
    }

    /// The same with another number of failures.
    pub const fn failures(self, failures: u32) -> Self {
        Self { failures, ..self }
    }

    /// The same with another pause.
    pub const fn pause(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    /// The same with another bound on pauses.
    pub const fn longest_pause(self, longest_pause: Duration) -> Self {
        Self { longest_pause, ..self }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigurationError> {
        if !(1..=LARGEST_COUNT).contains(&self.failures) {
            return Err(ConfigurationError::BreakerFailures { failures: self.failures });
        }
        if self.pause.is_zero() {
            return Err(ConfigurationError::ZeroDeadline { what: "pause" });
        }
        Ok(())
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self::new()
    }
}
