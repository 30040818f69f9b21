//! Handles on a configuration, the process-wide one among them.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use once_cell::sync::OnceCell;

use crate::backend::Backend;
use crate::builder::RateLimiterBuilder;
use crate::config::Settings;
use crate::error::{ConfigurationError, Error};
use crate::limiter::RateLimiter;
use crate::outage::{Health, Outages, Rungs, Telemetry};
use crate::storage::AnyStorage;
use crate::storage::ladder::{CircuitBreaker, InFlight, LocalShare};
use crate::storage::memory::MemoryStorage;

/// A handle on a configuration: what limiters and attributed functions (`limitra = expr`) are built from.
///
/// Clones share the same storage.
#[derive(Clone)]
pub struct Limitra {
    inner: Arc<Shared>,
}

struct Shared {
    /// Tells handles apart, so that an attributed function knows which it has met.
    number: u64,
    /// What `backend = "memory"` means: the storage that was given, if it is one, else one of its own.
    memory: MemoryStorage,
    /// What was given to store in, if anything was.
    given: Option<AnyStorage>,
    default_backend: Option<Backend>,
    settings: Settings,
    outages: Arc<Outages>,
    telemetry: Telemetry,
    /// The layers over the given storage.
    breaker: Option<CircuitBreaker>,
    in_flight: Option<InFlight>,
    /// A share for each number of replicas that was asked for: limiters that share a storage share it too.
    shares: Mutex<Vec<(NonZeroU32, LocalShare)>>,
}

static NEXT_HANDLE: AtomicU64 = AtomicU64::new(0);
static GLOBAL: OnceCell<Global> = OnceCell::new();

struct Global {
    limitra: Limitra,
    /// The attributed function that decided before any `init`.
    decided_by: Option<String>,
}

impl Limitra {
    /// Starts a limiter that takes its defaults and its storage from this handle.
    pub fn limiter(&self) -> RateLimiterBuilder {
        RateLimiter::builder().limitra(self)
    }

    /// The storage that is used where none is said.
    pub fn storage(&self) -> AnyStorage {
        match (&self.inner.given, self.inner.default_backend) {
            (_, Some(Backend::Memory)) | (None, _) => self.inner.memory.clone().into(),
            (Some(storage), _) => storage.clone(),
        }
    }

    /// Asks the storage whether it is there.
    ///
    /// # Errors
    /// [`Error::Storage`] if it is not.
    pub async fn check(&self) -> Result<(), Error> {
        Ok(self.storage().ping().await?)
    }

    /// How many decisions of its limiters and functions could not be had from a storage so far, let through or not.
    pub fn outages(&self) -> u64 {
        self.inner.outages.count()
    }

    /// How its storage fares, as this process knows it without asking. [`Limitra::check`] asks.
    pub fn health(&self) -> Health {
        let storage = self.storage();
        let is_given = storage.memory().is_none();
        Health {
            storage: storage.name(),
            breaker: self.inner.breaker.as_ref().filter(|_| is_given).map(CircuitBreaker::state),
            in_flight: self.inner.in_flight.as_ref().filter(|_| is_given).map(InFlight::in_flight),
            owing: self.owing(),
            outages: self.outages(),
            limiters_out: self.inner.outages.limiters_out(),
            last_outage: self.inner.outages.last(),
        }
    }

    /// How many keys owe what its local shares admitted.
    fn owing(&self) -> usize {
        let shares = self.inner.shares.lock().unwrap_or_else(PoisonError::into_inner);
        shares.iter().map(|(_, share)| share.owing()).sum()
    }

    /// The share of the storage that was given, for so many replicas: the same for all limiters.
    pub(crate) fn local_share(
        &self,
        storage: &AnyStorage,
        replicas: NonZeroU32,
        make: impl FnOnce(Telemetry) -> Result<LocalShare, ConfigurationError>,
    ) -> Result<LocalShare, ConfigurationError> {
        let telemetry = self.inner.telemetry.clone();
        if !self.inner.given.as_ref().is_some_and(|given| given.is_same(storage)) {
            return make(telemetry);
        }
        let mut shares = self.inner.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, share)) = shares.iter().find(|(other, _)| *other == replicas) {
            return Ok(share.clone());
        }
        let share = make(telemetry)?;
        shares.push((replicas, share.clone()));
        Ok(share)
    }

    pub(crate) fn outage_counter(&self) -> Arc<Outages> {
        Arc::clone(&self.inner.outages)
    }

    /// The storage for `backend = ".."`, or the default one.
    pub(crate) fn storage_for(&self, backend: Option<Backend>) -> Result<AnyStorage, ConfigurationError> {
        match (backend, &self.inner.given) {
            (None, _) => Ok(self.storage()),
            (Some(Backend::Memory), _) => Ok(self.inner.memory.clone().into()),
            (Some(backend), Some(storage)) if backend.is_kind_of(storage) => Ok(storage.clone()),
            (Some(Backend::Redis), _) => Err(ConfigurationError::NoRedisClient),
            (Some(backend), _) => Err(ConfigurationError::NoSuchBackend { backend }),
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    pub(crate) fn number(&self) -> u64 {
        self.inner.number
    }

    /// The process-wide handle. Asking for it settles the configuration: `function` is to blame for a later `init`.
    pub(crate) fn global(function: &str) -> Self {
        let global = GLOBAL.get_or_init(|| Global {
            limitra: Self::new(None, None, Settings::default(), Telemetry::default()),
            decided_by: Some(function.to_owned()),
        });
        global.limitra.clone()
    }

    /// Makes this the process-wide handle, unless there is one.
    pub(crate) fn make_global(self) -> Result<Self, ConfigurationError> {
        match GLOBAL.try_insert(Global { limitra: self, decided_by: None }) {
            Ok(global) => Ok(global.limitra.clone()),
            Err((Global { decided_by: None, .. }, _)) => Err(ConfigurationError::AlreadyInitialised),
            Err((Global { decided_by: Some(function), .. }, _)) => {
                Err(ConfigurationError::InitTooLate { function: function.clone() })
            }
        }
    }

    pub(crate) fn new(
        rungs: Option<Rungs>,
        default_backend: Option<Backend>,
        settings: Settings,
        telemetry: Telemetry,
    ) -> Self {
        let (given, breaker, in_flight) =
            rungs.map_or((None, None, None), |it| (Some(it.storage), it.breaker, it.in_flight));
        let number = NEXT_HANDLE.fetch_add(1, Ordering::Relaxed);
        let memory = given.as_ref().and_then(AnyStorage::memory).cloned().unwrap_or_default();
        let outages = Outages::of_handle(telemetry.clone());
        let shared = Shared {
            number,
            memory,
            given,
            default_backend,
            settings,
            outages,
            telemetry,
            breaker,
            in_flight,
            shares: Mutex::default(),
        };
        Self { inner: Arc::new(shared) }
    }
}

impl fmt::Debug for Limitra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limitra")
            .field("storage", &self.storage())
            .field("settings", &self.inner.settings)
            .finish_non_exhaustive()
    }
}
