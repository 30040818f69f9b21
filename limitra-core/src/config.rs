//! The settings that a process shares, and handles on them.

use std::fmt;
use std::time::Duration;

use crate::algorithm::{Algorithm, AlgorithmName};
use crate::backend::{Backend, BackendName};
use crate::clock::ManualClock;
use crate::environment;
use crate::error::ConfigurationError;
use crate::handle::Limitra;
use crate::outage::{Event, Ladder, OnOutage, OutagePolicy, Telemetry};
use crate::source::Given;
use crate::storage::AnyStorage;
#[cfg(doc)]
use crate::storage::deny_cache::DenyCache;
use crate::storage::ladder::Breaker;
#[cfg(all(doc, feature = "deadline"))]
use crate::storage::ladder::Deadline;
#[cfg(doc)]
use crate::storage::ladder::{CircuitBreaker, InFlight};

/// The settings that attributed functions share, as chained setters.
///
/// End them by [`LimitraConfig::init`] (process-wide, once, at startup) or
/// [`LimitraConfig::build`] (a handle of its own, for tests and libraries). Neither does any I/O;
/// [`Limitra::check`] asks the storage whether it is there.
///
/// | setting | default |
/// |---|---|
/// | `redis_url`, `redis_client`, `storage_url`, `storage` | none: memory. At most one of them |
/// | `redis_db` | the database in the URL, else 0 |
/// | `deny_cache` | none |
/// | `default_backend` | what is given: the storage or Redis, else memory |
/// | `default_algorithm` | `sliding_window` |
/// | `project`, `suffix` | absent |
/// | `prefix` | `"limitra"` |
/// | `deadline` | 250 ms, over any storage but memory |
/// | `breaker` | opens after 5 failures for 1 s, up to 30 s; over any storage but memory |
/// | `max_in_flight` | 10,000, over any storage but memory |
/// | `on_outage` (or `fail_open`) | the storage's error |
/// | `on_event` | none |
/// | `enabled` | true |
/// | `hash_identifiers` | false |
/// | `clock` | the storage's own |
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
    storage_url: Option<Secret>,
    #[cfg(feature = "redis")]
    redis_client: Option<crate::storage::redis::RedisClient>,
    redis_db: Option<i64>,
    storage: Option<AnyStorage>,
    deny_cache: Option<Duration>,
    ladder: Ladder,
    telemetry: Telemetry,
    fail_open: Option<bool>,
    on_outage: Option<OnOutage>,
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
    pub(crate) on_outage: OnOutage,
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
            on_outage: OnOutage::Error,
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

    /// What the environment says: `LIMITRA_REDIS_URL`, `LIMITRA_REDIS_DB`, `LIMITRA_STORAGE_URL`, `LIMITRA_DENY_CACHE`
    /// (seconds), `LIMITRA_DEADLINE` (seconds, or `off`), `LIMITRA_BREAKER` (failures, or failures and pause such as
    /// `5:500ms`, or `off`), `LIMITRA_MAX_IN_FLIGHT` (a number, or `off`), `LIMITRA_ON_OUTAGE` (`error`, `open`, `closed:5s`,
    /// `local:4`), `LIMITRA_PROJECT`, `LIMITRA_PREFIX`, `LIMITRA_SUFFIX`, `LIMITRA_DEFAULT_ALGORITHM`, `LIMITRA_DEFAULT_BACKEND`,
    /// `LIMITRA_FAIL_OPEN`, `LIMITRA_ENABLED` and `LIMITRA_HASH_IDENTIFIERS` (`true`/`false`, `1`/`0`).
    /// A variable that is absent or empty leaves the default; setters called after it win. Other variables that begin with `LIMITRA_`
    /// may be misspelt: they are logged as a warning.
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

    /// Where the storage is, by the URL of any storage and with its options as a query; see
    /// [`storage::from_url`](crate::storage::from_url).
    ///
    /// ```
    /// use limitra_core::LimitraConfig;
    ///
    /// let limitra = LimitraConfig::new().storage_url("memory://?max_keys=10000").build()?;
    /// assert_eq!(limitra.storage().name(), "memory");
    /// # Ok::<(), limitra_core::ConfigurationError>(())
    /// ```
    pub fn storage_url(mut self, url: impl Into<String>) -> Self {
        self.storage_url = Some(Secret(url.into()));
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

    /// Puts a [`DenyCache`] over the storage: who is known to be refused is refused without asking it, for `max_age` at
    /// most. Memory decides faster than that and stays as it is. Default: none.
    ///
    /// ```
    /// use limitra_core::LimitraConfig;
    /// use std::time::Duration;
    ///
    /// // No I/O yet.
    /// # #[cfg(feature = "redis")]
    /// let limitra = LimitraConfig::new()
    ///     .redis_url("redis://127.0.0.1/")
    ///     .deny_cache(Duration::from_secs(1))
    ///     .build()?;
    /// # #[cfg(feature = "redis")]
    /// assert!(format!("{:?}", limitra.storage()).starts_with("DenyCache"));
    /// # Ok::<(), limitra_core::ConfigurationError>(())
    /// ```
    pub fn deny_cache(mut self, max_age: Duration) -> Self {
        self.deny_cache = Some(max_age);
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

    /// The backend where none is said: a [`Backend`] or its name. `"memory"` is always there, any other has to be
    /// the kind of the storage that is given.
    pub fn default_backend(mut self, backend: impl BackendName) -> Self {
        match backend.backend() {
            Ok(backend) => self.default_backend = Some(backend),
            Err(mistake) => self.note(mistake),
        }
        self
    }

    /// Within which time every decision ends, connecting included: a [`Deadline`] over the storage. Default: 250 ms;
    /// `None` for none. Memory has no need of one.
    ///
    /// ```
    /// use limitra_core::LimitraConfig;
    /// use std::time::Duration;
    ///
    /// LimitraConfig::new().deadline(Duration::from_millis(100)).build()?;
    /// LimitraConfig::new().deadline(None).build()?;
    /// # Ok::<(), limitra_core::ConfigurationError>(())
    /// ```
    #[cfg(feature = "deadline")]
    #[cfg_attr(docsrs, doc(cfg(feature = "deadline")))]
    pub fn deadline(mut self, deadline: impl Into<Option<Duration>>) -> Self {
        self.ladder.deadline = deadline.into();
        self
    }

    /// When a storage that fails is left alone for a while: a [`CircuitBreaker`] over it. Default: [`Breaker::new`]; `None`
    /// for none. Memory has no need of one.
    pub fn breaker(mut self, breaker: impl Into<Option<Breaker>>) -> Self {
        self.ladder.breaker = breaker.into();
        self
    }

    /// How many decisions wait for the storage at once: [`InFlight`] over it. Default: 10,000; `None` for no bound.
    /// Memory has no need of one.
    pub fn max_in_flight(mut self, max_in_flight: impl Into<Option<usize>>) -> Self {
        self.ladder.max_in_flight = max_in_flight.into();
        self
    }

    /// What is answered while the storage cannot decide, where a limiter or an attribute does not say it: an [`OnOutage`] or
    /// its text, such as `"closed:5s"` or `"local:4"`. Default: the storage's error.
    pub fn on_outage(mut self, policy: impl OutagePolicy) -> Self {
        match policy.on_outage() {
            Ok(policy) => self.on_outage = Some(policy),
            Err(mistake) => self.note(mistake),
        }
        self
    }

    /// Whether requests are let through while the storage cannot decide. The short form of `on_outage("open")`.
    pub fn fail_open(mut self, fail_open: bool) -> Self {
        self.fail_open = Some(fail_open);
        self
    }

    /// Calls this with every [`Event`]: an outage that begins or ends, a circuit breaker that opens or closes. It is called in
    /// the task or thread that found out, between a caller and its decision, so it must be quick.
    pub fn on_event(mut self, hook: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.telemetry = Telemetry::of(hook);
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
        self.build()?.make_global()
    }

    /// A handle of its own, for tests and libraries. No I/O.
    ///
    /// # Errors
    /// [`ConfigurationError`] if something is wrong.
    pub fn build(mut self) -> Result<Limitra, ConfigurationError> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        self.ladder.check()?;
        let on_outage = OnOutage::of_both(self.on_outage, self.fail_open)?;
        self.settings.on_outage = on_outage.unwrap_or_default();
        let given = Given {
            storage: self.storage,
            storage_url: self.storage_url.map(|Secret(url)| url),
            redis_url: self.redis_url.map(|Secret(url)| url),
            redis_db: self.redis_db,
            #[cfg(feature = "redis")]
            redis_client: self.redis_client,
        };
        let rungs = given.rungs(&self.ladder, self.deny_cache, &self.telemetry)?;
        let limitra = Limitra::new(rungs, self.default_backend, self.settings, self.telemetry);
        // Whether the default backend is there is said now, not by the first limiter.
        limitra.storage_for(self.default_backend)?;
        Ok(limitra)
    }

    pub(crate) fn note(&mut self, mistake: ConfigurationError) {
        self.mistake.get_or_insert(mistake);
    }
}
