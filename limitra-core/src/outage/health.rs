//! How a storage fares.

use std::time::Duration;

use crate::error::StorageErrorKind;
use crate::storage::ladder::CircuitState;

/// How the storage of a handle fares, as this process knows it without asking: [`Limitra::health`](crate::Limitra::health).
///
/// ```
/// use limitra_core::LimitraConfig;
///
/// let health = LimitraConfig::new().build()?.health();
/// assert_eq!((health.storage, health.outages), ("memory", 0));
/// assert!(health.is_well());
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// The storage's name.
    pub storage: &'static str,
    /// What its circuit breaker does, if there is one.
    pub breaker: Option<CircuitState>,
    /// How many decisions wait for it now, if that is bounded.
    pub in_flight: Option<usize>,
    /// How many keys owe it what local shares admitted.
    pub owing: usize,
    /// How many decisions could not be had from it so far, whatever the policy answered.
    pub outages: u64,
    /// How many limiters and functions of the handle are in an outage: the latest decision that they asked of the storage could
    /// not be had. One that is not asked again stays so.
    pub limiters_out: u64,
    /// Why the latest of them could not be had, and how long ago.
    pub last_outage: Option<(StorageErrorKind, Duration)>,
}

impl Health {
    /// Whether its circuit breaker is closed, which a single failure does not open; without one, whether no limiter is in an outage.
    ///
    /// This is as old as the last decision. A service that takes no traffic because of it asks for none, and never hears that
    /// the storage is back: ask [`Limitra::check`](crate::Limitra::check) for that.
    pub fn is_well(&self) -> bool {
        self.breaker.map_or(self.limiters_out == 0, |state| state == CircuitState::Closed)
    }
}
