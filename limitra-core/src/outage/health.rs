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
    /// How many decisions could not be had from it so far, whatever the policy answered.
    pub outages: u64,
    /// Why the latest of them could not be had, and how long ago.
    pub last_outage: Option<(StorageErrorKind, Duration)>,
}

impl Health {
    /// Whether its circuit breaker is closed, or there is none.
    pub fn is_well(&self) -> bool {
        self.breaker.is_none_or(|state| state == CircuitState::Closed)
    }
}
