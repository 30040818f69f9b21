//! The settings that a process shares, and handles on them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use once_cell::sync::OnceCell;

use crate::algorithm::Algorithm;
use crate::backend::{Backend, BackendName};
use crate::builder::{AlgorithmName, RateLimiterBuilder};
use crate::clock::ManualClock;
use crate::decide::Outages;
use crate::environment;
use crate::error::{ConfigurationError, Error};
use crate::limiter::RateLimiter;
use crate::storage::AnyStorage;
use crate::storage::memory::MemoryStorage;

/// The settings that attributed functions share, as chained setters.
///
/// End them by [`LimitraConfig::init`] (process-wide, once, at startup) or
/// [`LimitraConfig::build`] (a handle of its own, for tests and libraries). Neither does any I/O;
/// [`Limitra::check`] asks the storage whether it is there.
///
/// | setting | default |
/// |---|---|
/// | `redis_url`, `redis_client`, `storage` | none: memory. At most one of them |
/// | `redis_db` | the database in the URL, else 0 |
/// | `default_backend` | what is given: the storage or Redis, else memory |
/// | `default_algorithm` | `sliding_window` |
/// | `project`, `suffix` | absent |
/// | `prefix` | `"limitra"` |
/// | `fail_open` | false |
/// | `enabled` | true |
/// | `hash_identifiers` | false |
///
/// ```
/// use limitra_core::LimitraConfig;
///
/// let limitra = LimitraConfig::new().project("blog").default_algorithm("gcra").build()?;
/// let limiter = limitra.limiter().requests(10).window(60).build()?;
/// assert_eq!(limiter.key("ada"), "limitra:blog::user:ada:");
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct LimitraConfig {
    redis_url: Option<Secret>,
    #[cfg(feature = "redis")]
    redis_client: Option<crate::storage::redis::RedisClient>,
    redis_db: Option<i64>,
    storage: Option<AnyStorage>,
    default_backend: Option<Backend>,
    settings: Settings,
    mistake: Option<ConfigurationError>,
}

/// What a handle hands on to its limiters.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) prefix: Option<String>,
    pub(crate) project: Option<String>,
    pub(crate) suffix: Option<String>,
    pub(crate) default_algorithm: Algorithm,
    pub(crate) fail_open: bool,
    pub(crate) enabled: bool,
    pub(crate) hash_identifiers: bool,
    pub(crate) clock: Option<ManualClock>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            prefix: None,
            project: None,
            suffix: None,
            default_algorithm: Algorithm::default(),
            fail_open: false,
            enabled: true,
            hash_identifiers: false,
            clock: None,
        }
    }
}

/// A URL, whose password no `Debug` shows.
#[derive(Clone)]
struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

impl LimitraConfig {
    /// Nothing but defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the environment says: `LIMITRA_REDIS_URL`, `LIMITRA_REDIS_DB`, `LIMITRA_PROJECT`,
    /// `LIMITRA_PREFIX`, `LIMITRA_SUFFIX`, `LIMITRA_DEFAULT_ALGORITHM`, `LIMITRA_DEFAULT_BACKEND`,
    /// `LIMITRA_FAIL_OPEN`, `LIMITRA_ENABLED` and `LIMITRA_HASH_IDENTIFIERS` (`true`/`false`, `1`/`0`).
    /// A variable that is absent or empty leaves the default; setters called after it win.
    ///
    /// # Errors
    /// [`ConfigurationError`] if a variable has a value that it cannot have.
    pub fn from_env() -> Result<Self, ConfigurationError> {
        environment::config()
    }

    /// Where Redis is: `redis://[user:password@]host[:port][/db]`, `redis+unix:///path.sock?db=n`, `rediss://`
    /// with the feature `redis-tls`; the same with `valkey`.
    pub fn redis_url(mut self, url: impl Into<String>) -> Self {
        self.redis_url = Some(Secret(url.into()));
        self
    }

    /// How to reach Redis: a `redis::Client`, a multiplexed connection or a `deadpool_redis::Pool`.
    #[cfg(feature = "redis")]
    pub fn redis_client(mut self, client: impl Into<crate::storage::redis::RedisClient>) -> Self {
        self.redis_client = Some(client.into());
        self
    }

    /// The database, if the URL does not name one.
    pub fn redis_db(mut self, redis_db: i64) -> Self {
        self.redis_db = Some(redis_db);
        self
    }

    /// Any storage.
    pub fn storage(mut self, storage: impl Into<AnyStorage>) -> Self {
        self.storage = Some(storage.into());
        self
    }

    /// The project in every key.
    pub fn project(mut self, project: impl Into<String>) -> Self {
        self.settings.project = Some(project.into());
        self
    }

    /// The prefix of every key.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.settings.prefix = Some(prefix.into());
        self
    }

    /// The suffix of every key.
    pub fn suffix(mut self, suffix: impl Into<String>) -> Self {
        self.settings.suffix = Some(suffix.into());
        self
    }

    /// The algorithm where none is said: an [`Algorithm`] or its name.
    pub fn default_algorithm(mut self, algorithm: impl AlgorithmName) -> Self {
        match algorithm.algorithm() {
            Ok(algorithm) => self.settings.default_algorithm = algorithm,
            Err(mistake) => self.note(mistake),
        }
        self
    }

    /// The backend where none is said: `"memory"` or `"redis"`.
    pub fn default_backend(mut self, backend: impl BackendName) -> Self {
        match backend.backend() {
            Ok(backend) => self.default_backend = Some(backend),
            Err(mistake) => self.note(mistake),
        }
        self
    }

    /// Whether requests are let through while the storage cannot decide.
    pub fn fail_open(mut self, fail_open: bool) -> Self {
        self.settings.fail_open = fail_open;
        self
    }

    /// Whether anything is limited at all.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.settings.enabled = enabled;
        self
    }

    /// Whether identifiers stand in keys as a digest only.
    pub fn hash_identifiers(mut self, hash_identifiers: bool) -> Self {
        self.settings.hash_identifiers = hash_identifiers;
        self
    }

    /// A clock for tests.
    pub fn clock(mut self, clock: ManualClock) -> Self {
        self.settings.clock = Some(clock);
        self
    }

    /// Makes this the process-wide configuration, and returns a handle on it. No I/O.
    ///
    /// # Errors
    /// [`ConfigurationError`] if something is wrong; if `init` was called before; if an attributed function
    /// has already decided with the defaults (the error names it).
    pub fn init(self) -> Result<Limitra, ConfigurationError> {
        let limitra = self.build()?;
        let ours = Global { limitra, decided_by: None };
        match GLOBAL.try_insert(ours) {
            Ok(global) => Ok(global.limitra.clone()),
            Err((Global { decided_by: None, .. }, _)) => Err(ConfigurationError::AlreadyInitialised),
            Err((Global { decided_by: Some(function), .. }, _)) => {
                Err(ConfigurationError::InitTooLate { function: function.clone() })
            }
        }
    }

    /// A handle of its own, for tests and libraries. No I/O.
    ///
    /// # Errors
    /// [`ConfigurationError`] if something is wrong.
    pub fn build(self) -> Result<Limitra, ConfigurationError> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        let given = Given {
            storage: self.storage,
            redis_url: self.redis_url.map(|Secret(url)| url),
            redis_db: self.redis_db,
            #[cfg(feature = "redis")]
            redis_client: self.redis_client,
        };
        let remote = given.storage()?;
        if matches!((self.default_backend, &remote), (Some(Backend::Redis), Remote::None)) {
            return Err(ConfigurationError::NoRedisClient);
        }
        Ok(Limitra::new(remote, self.default_backend, self.settings))
    }

    pub(crate) fn note(&mut self, mistake: ConfigurationError) {
        self.mistake.get_or_insert(mistake);
    }
}

/// Where a configuration says that its counters are.
struct Given {
    storage: Option<AnyStorage>,
    redis_url: Option<String>,
    redis_db: Option<i64>,
    #[cfg(feature = "redis")]
    redis_client: Option<crate::storage::redis::RedisClient>,
}

#[derive(Debug)]
enum Remote {
    None,
    /// Redis, by URL or client.
    #[cfg_attr(not(feature = "redis"), allow(dead_code))]
    Redis(AnyStorage),
    /// Whatever the user brought.
    Storage(AnyStorage),
}

impl Given {
    fn storage(self) -> Result<Remote, ConfigurationError> {
        let both = |one, other| Err(ConfigurationError::TwoSources { one, other });
        #[cfg(feature = "redis")]
        if let Some(client) = self.redis_client {
            if self.redis_url.is_some() {
                return both("redis_url", "redis_client");
            }
            if self.storage.is_some() {
                return both("storage", "redis_client");
            }
            if let Some(redis_db) = self.redis_db {
                let other = "a client brings its own database";
                return Err(ConfigurationError::RedisDb { redis_db, other });
            }
            return Ok(Remote::Redis(crate::storage::redis::RedisStorage::new(client).into()));
        }
        match (self.storage, self.redis_url, self.redis_db) {
            (Some(_), Some(_), _) => both("storage", "redis_url"),
            (None, Some(url), redis_db) => redis_by_url(&url, redis_db),
            (_, None, Some(redis_db)) => {
                Err(ConfigurationError::RedisDb { redis_db, other: "there is no `redis_url`" })
            }
            (Some(storage), None, None) => Ok(Remote::Storage(storage)),
            (None, None, None) => Ok(Remote::None),
        }
    }
}

#[cfg(feature = "redis")]
fn redis_by_url(url: &str, redis_db: Option<i64>) -> Result<Remote, ConfigurationError> {
    use crate::storage::redis::RedisStorage;
    let storage = RedisStorage::from_url_and_db(url, redis_db)?;
    Ok(Remote::Redis(storage.into()))
}

#[cfg(not(feature = "redis"))]
fn redis_by_url(_url: &str, _redis_db: Option<i64>) -> Result<Remote, ConfigurationError> {
    Err(ConfigurationError::FeatureOff { what: "`redis_url`", feature: "redis" })
}

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
    memory: MemoryStorage,
    remote: Remote,
    default_backend: Option<Backend>,
    settings: Settings,
    outages: Arc<Outages>,
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
        match (&self.inner.remote, self.inner.default_backend) {
            (_, Some(Backend::Memory)) | (Remote::None, _) => self.inner.memory.clone().into(),
            (Remote::Redis(storage) | Remote::Storage(storage), _) => storage.clone(),
        }
    }

    /// Asks the storage whether it is there.
    ///
    /// # Errors
    /// [`Error::Storage`] if it is not.
    pub async fn check(&self) -> Result<(), Error> {
        Ok(self.storage().check().await?)
    }

    /// How many decisions of its limiters and functions could not be had from a storage so far, let through or not.
    pub fn outages(&self) -> u64 {
        self.inner.outages.count()
    }

    pub(crate) fn outage_counter(&self) -> Arc<Outages> {
        Arc::clone(&self.inner.outages)
    }

    /// The storage for `backend = ".."`, or the default one.
    pub(crate) fn storage_for(&self, backend: Option<Backend>) -> Result<AnyStorage, ConfigurationError> {
        match (backend, &self.inner.remote) {
            (None, _) => Ok(self.storage()),
            (Some(Backend::Memory), _) => Ok(self.inner.memory.clone().into()),
            (Some(Backend::Redis), Remote::Redis(storage)) => Ok(storage.clone()),
            (Some(Backend::Redis), Remote::Storage(storage)) if storage.name() == "redis" => {
                Ok(storage.clone())
            }
            (Some(Backend::Redis), _) => Err(ConfigurationError::NoRedisClient),
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
            limitra: Self::new(Remote::None, None, Settings::default()),
            decided_by: Some(function.to_owned()),
        });
        global.limitra.clone()
    }

    fn new(remote: Remote, default_backend: Option<Backend>, settings: Settings) -> Self {
        let number = NEXT_HANDLE.fetch_add(1, Ordering::Relaxed);
        let memory = MemoryStorage::new();
        let outages = Outages::within(None);
        Self { inner: Arc::new(Shared { number, memory, remote, default_backend, settings, outages }) }
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
