//! Which layers a configuration puts over its storage.

#[cfg(feature = "deadline")]
use std::time::Duration;

use super::{OnOutage, Telemetry};
use crate::error::ConfigurationError;
use crate::handle::Limitra;
use crate::storage::AnyStorage;
#[cfg(feature = "deadline")]
use crate::storage::ladder::Deadline;
use crate::storage::ladder::{Breaker, CircuitBreaker, InFlight, LocalShare};
use crate::storage::memory::MemoryStorage;

/// The layers, each at its default unless it was set or left out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ladder {
    #[cfg(feature = "deadline")]
    pub(crate) deadline: Option<Duration>,
    pub(crate) breaker: Option<Breaker>,
    pub(crate) max_in_flight: Option<usize>,
}

/// A storage under its layers, and those of them that can be asked how it fares.
#[derive(Clone, Debug)]
pub(crate) struct Rungs {
    pub(crate) storage: AnyStorage,
    pub(crate) breaker: Option<CircuitBreaker>,
    pub(crate) in_flight: Option<InFlight>,
}

/// How many keys the memory behind a local share holds.
const LOCAL_KEYS: usize = 100_000;

/// The share that a policy needs over a storage; memory needs none.
pub(crate) fn local_share(
    policy: OnOutage,
    storage: &AnyStorage,
    handle: Option<&Limitra>,
) -> Result<Option<LocalShare>, ConfigurationError> {
    let OnOutage::Local { replicas } = policy else { return Ok(None) };
    if storage.memory().is_some() {
        return Ok(None);
    }
    let make = |telemetry| {
        let fallback = MemoryStorage::with_max_keys(LOCAL_KEYS)?.into();
        Ok(LocalShare::telling(storage, &fallback, replicas, telemetry))
    };
    match handle {
        Some(handle) => handle.local_share(storage, replicas, make).map(Some),
        None => make(Telemetry::default()).map(Some),
    }
}

impl Default for Ladder {
    fn default() -> Self {
        Self {
            #[cfg(feature = "deadline")]
            deadline: Some(Deadline::DEFAULT),
            breaker: Some(Breaker::new()),
            max_in_flight: Some(InFlight::DEFAULT),
        }
    }
}

impl Ladder {
    /// Whether the layers can be made, also where there is nothing to put them over.
    pub(crate) fn check(&self) -> Result<(), ConfigurationError> {
        #[cfg(feature = "deadline")]
        if self.deadline.is_some_and(|within| within.is_zero()) {
            return Err(ConfigurationError::ZeroDeadline { what: "deadline" });
        }
        if self.max_in_flight == Some(0) {
            return Err(ConfigurationError::ZeroInFlight);
        }
        self.breaker.map_or(Ok(()), |breaker| breaker.check())
    }

    /// A storage under these layers; memory stays as it is.
    pub(crate) fn over(
        &self,
        storage: AnyStorage,
        telemetry: &Telemetry,
    ) -> Result<Rungs, ConfigurationError> {
        if storage.memory().is_some() {
            return Ok(Rungs { storage, breaker: None, in_flight: None });
        }
        #[cfg(feature = "metrics")]
        let storage = AnyStorage::from(crate::measured::Timed::over(storage));
        #[cfg(feature = "deadline")]
        let storage = match self.deadline {
            Some(within) => Deadline::over(storage, within)?.into(),
            None => storage,
        };
        let (storage, breaker) = match self.breaker {
            Some(breaker) => {
                let layer = CircuitBreaker::telling(storage, breaker, telemetry.clone())?;
                (AnyStorage::from(&layer), Some(layer))
            }
            None => (storage, None),
        };
        let (storage, in_flight) = match self.max_in_flight {
            Some(most) => {
                let layer = InFlight::telling(storage, most, telemetry.clone())?;
                (AnyStorage::from(&layer), Some(layer))
            }
            None => (storage, None),
        };
        Ok(Rungs { storage, breaker, in_flight })
    }
}
