//! A limiter's settings.

use std::time::Duration;

use crate::algorithm::{Algorithm, AlgorithmName};
use crate::backend::{Backend, BackendName};
use crate::clock::ManualClock;
use crate::decide::Desk;
use crate::decision::Scope;
use crate::error::{ConfigurationError, Number};
use crate::handle::Limitra;
use crate::key::{KeyFields, KeySpace};
use crate::limit::Limit;
use crate::limiter::{Inner, RateLimiter};
use crate::limiter_config::LimiterConfig;
use crate::measured::Tally;
use crate::notation::parse_many;
use crate::number::{self, Amount, Seconds};
use crate::outage::{OnOutage, OutagePolicy, Outages, local_share};
use crate::rule::rules_of;
use crate::storage::AnyStorage;
use crate::storage::memory::MemoryStorage;
use crate::straight::Straight;

/// The settings of a [`RateLimiter`], chained and ended by [`RateLimiterBuilder::build`].
///
/// | setting | default |
/// |---|---|
/// | `algorithm` | `sliding_window` |
/// | `requests` and `window`, `capacity` and `fill_rate`, `limit`, `limits` or `notation` | one of them is needed |
/// | `burst` (buckets) | the amount |
/// | `scope` | `"user"` |
/// | `prefix` | `"limitra"` |
/// | `project`, `suffix` | absent |
/// | `backend` | memory |
/// | `storage`, `redis_client` | memory of its own |
/// | `on_outage` (or `fail_open`) | the storage's error |
/// | `hash_identifiers` | false |
/// | `clock` | the storage's own |
///
/// Whatever is wrong is said by `build`, never by the first request.
///
/// ```
/// use limitra_core::{Algorithm, RateLimiter};
/// use std::time::Duration;
///
/// let limiter = RateLimiter::builder()
///     .algorithm(Algorithm::TokenBucket)
///     .capacity(10)
///     .fill_rate(0.5)
///     .project("blog")
///     .build()?;
/// assert_eq!(limiter.config().limits[0].window(), Duration::from_secs(20));
///
/// let mistake = RateLimiter::builder().requests(0).window(60).build().unwrap_err();
/// assert_eq!(mistake.to_string(), "requests must be a whole number from 1 to 2^53 - 1, not 0");
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct RateLimiterBuilder {
    algorithm: Option<Algorithm>,
    requests: Option<u64>,
    window: Option<Duration>,
    capacity: Option<u64>,
    fill_rate: Option<f64>,
    limits: Option<Vec<Limit>>,
    burst: Option<u64>,
    scope: Option<String>,
    prefix: Option<String>,
    project: Option<String>,
    suffix: Option<String>,
    backend: Option<Backend>,
    storage: Option<AnyStorage>,
    #[cfg(feature = "redis")]
    redis_client: Option<crate::storage::redis::RedisClient>,
    fail_open: Option<bool>,
    on_outage: Option<OnOutage>,
    hash_identifiers: Option<bool>,
    clock: Option<ManualClock>,
    handle: Option<Limitra>,
    /// The first mistake in a setter; `build` tells.
    mistake: Option<ConfigurationError>,
}

impl RateLimiter {
    /// Starts a limiter's settings; see [`RateLimiterBuilder`] for the defaults.
    pub fn builder() -> RateLimiterBuilder {
        RateLimiterBuilder::default()
    }
}

impl RateLimiterBuilder {
    /// The algorithm: an [`Algorithm`] or its name.
    pub fn algorithm(mut self, algorithm: impl AlgorithmName) -> Self {
        self.algorithm = algorithm.algorithm().map_err(|mistake| self.note(mistake)).ok();
        self
    }

    /// How many requests in a window; goes with `window`.
    pub fn requests(mut self, requests: impl Amount) -> Self {
        self.requests = number::amount("requests", requests).map_err(|mistake| self.note(mistake)).ok();
        self
    }

    /// The window: seconds of any number type, or a [`Duration`]; goes with `requests`.
    pub fn window(mut self, window: impl Seconds) -> Self {
        self.window = number::seconds("window", window).map_err(|mistake| self.note(mistake)).ok();
        self
    }

    /// The amount, and a bucket's depth; goes with `fill_rate`.
    pub fn capacity(mut self, capacity: impl Amount) -> Self {
        self.capacity = number::amount("capacity", capacity).map_err(|mistake| self.note(mistake)).ok();
        self
    }

    /// For the buckets units per second, for the windows `1 / window`; goes with `capacity`. The window that
    /// follows is rounded to the nearest microsecond, so `1.0 / 60.0` is 60 seconds.
    pub fn fill_rate(mut self, fill_rate: f64) -> Self {
        if fill_rate > 0.0 && fill_rate.is_finite() {
            self.fill_rate = Some(fill_rate);
        } else {
            self.note(ConfigurationError::NotARate { fill_rate: Number::Float(fill_rate) });
        }
        self
    }

    /// One limit.
    pub fn limit(self, limit: Limit) -> Self {
        self.limits([limit])
    }

    /// Several limits: all of them must allow a request, and all or none are charged.
    pub fn limits(mut self, limits: impl IntoIterator<Item = Limit>) -> Self {
        self.limits = Some(limits.into_iter().collect());
        self
    }

    /// One or several limits as text, such as `"10/minute; 100 per 2 hours"`; the grammar is that of [`parse`](crate::parse).
    ///
    /// ```
    /// use limitra_core::RateLimiter;
    ///
    /// let limiter = RateLimiter::builder().notation("10/minute; 100/hour").build()?;
    /// assert_eq!(limiter.config().limits[1].to_string(), "100 requests per 3600s");
    /// # Ok::<(), limitra_core::ConfigurationError>(())
    /// ```
    pub fn notation(mut self, notation: impl AsRef<str>) -> Self {
        match parse_many(notation.as_ref()) {
            Ok(limits) => self.limits(limits.into_iter().map(Limit::from)),
            Err(mistake) => {
                self.note(mistake);
                self
            }
        }
    }

    /// How much a bucket holds, of several limits each; default: the amount. A limit with a burst of its own is a mistake.
    pub fn burst(mut self, burst: impl Amount) -> Self {
        self.burst = number::amount("burst", burst).map_err(|mistake| self.note(mistake)).ok();
        self
    }

    /// The label in the key; default `"user"`. Limiters over one storage with the same scope, algorithm and window (and prefix,
    /// project and suffix) share a counter for each identifier, whatever their amounts.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// The first field of the key; default `"limitra"`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// The second field of the key.
    pub fn project(mut self, project: impl Into<String>) -> Self {
        self.project = Some(project.into());
        self
    }

    /// The last field of the key.
    pub fn suffix(mut self, suffix: impl Into<String>) -> Self {
        self.suffix = Some(suffix.into());
        self
    }

    /// `"memory"`, `"redis"`, `"memcached"`, `"mongodb"`, `"etcd"` or `"postgres"`; default: what is given, else memory. All but memory need
    /// a `limitra` handle that has a storage of that kind, or, for Redis, a `redis_client`. A `storage` says by itself what it is: with it
    /// leave the backend out.
    pub fn backend(mut self, backend: impl BackendName) -> Self {
        self.backend = backend.backend().map_err(|mistake| self.note(mistake)).ok();
        self
    }

    /// The storage: a [`MemoryStorage`], a `RedisStorage`, or any of your own; default: a memory of its own. It is asked as it is, without
    /// the deadline and the circuit breaker that a [`LimitraConfig`](crate::LimitraConfig) puts over it.
    pub fn storage(mut self, storage: impl Into<AnyStorage>) -> Self {
        self.storage = Some(storage.into());
        self
    }

    /// How to reach Redis: a `redis::Client`, a multiplexed connection or a `deadpool_redis::Pool`. Like a `storage` it is asked as it is.
    #[cfg(feature = "redis")]
    pub fn redis_client(mut self, client: impl Into<crate::storage::redis::RedisClient>) -> Self {
        self.redis_client = Some(client.into());
        self
    }

    /// What is answered while the storage cannot decide: an [`OnOutage`] or its text, such as `"closed:5s"` or `"local:4"`.
    ///
    /// Memory is always there: there it matters only when all the keys that it may hold are exceeded, and a local
    /// share is the error then. With a handle, limiters share the memory of a local share.
    ///
    /// ```
    /// use limitra_core::{OnOutage, RateLimiter};
    ///
    /// let limiter = RateLimiter::builder().requests(10).window(60).on_outage("local:4").build()?;
    /// assert_eq!(limiter.config().on_outage, OnOutage::local(4)?);
    /// # Ok::<(), limitra_core::ConfigurationError>(())
    /// ```
    pub fn on_outage(mut self, policy: impl OutagePolicy) -> Self {
        self.on_outage = policy.on_outage().map_err(|mistake| self.note(mistake)).ok();
        self
    }

    /// Whether requests are let through while the storage cannot decide; default false. The short form of
    /// `on_outage("open")`.
    pub fn fail_open(mut self, fail_open: bool) -> Self {
        self.fail_open = Some(fail_open);
        self
    }

    /// Whether identifiers stand in the key as a digest only; default false.
    pub fn hash_identifiers(mut self, hash_identifiers: bool) -> Self {
        self.hash_identifiers = Some(hash_identifiers);
        self
    }

    /// A clock for tests; the storage's own is then not asked.
    pub fn clock(mut self, clock: ManualClock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Takes what is not said here from a handle: algorithm, storage, prefix, project, suffix and so on.
    pub fn limitra(mut self, handle: &Limitra) -> Self {
        self.handle = Some(handle.clone());
        self
    }

    /// The limiter.
    ///
    /// # Errors
    /// [`ConfigurationError`] for the first thing that is wrong; it names the value and the remedy.
    pub fn build(mut self) -> Result<RateLimiter, ConfigurationError> {
        if let Some(mistake) = self.mistake.take() {
            return Err(mistake);
        }
        let handle = self.handle.take();
        let defaults = handle.as_ref().map(Limitra::settings);
        let algorithm =
            self.algorithm.or(defaults.map(|settings| settings.default_algorithm)).unwrap_or_default();
        let limits = self.take_limits(algorithm)?;
        let rules = rules_of(algorithm, &limits)?;
        let storage = self.take_storage(handle.as_ref())?;
        storage.bounds().hold(storage.name(), &rules)?;
        let inherited = |own: Option<String>, theirs: fn(&crate::config::Settings) -> &Option<String>| {
            own.or_else(|| defaults.and_then(|settings| theirs(settings).clone()))
        };
        let prefix =
            inherited(self.prefix, |settings| &settings.prefix).or_else(|| Some("limitra".to_owned()));
        let project = inherited(self.project, |settings| &settings.project);
        let suffix = inherited(self.suffix, |settings| &settings.suffix);
        let scope = self.scope.unwrap_or_else(|| "user".to_owned());
        let hash_identifiers =
            self.hash_identifiers.or(defaults.map(|settings| settings.hash_identifiers)).unwrap_or_default();
        let space = KeySpace::new(&KeyFields {
            prefix: prefix.as_deref(),
            project: project.as_deref(),
            function: None,
            scope: &scope,
            suffix: suffix.as_deref(),
            hash_identifiers,
        });
        let said = OnOutage::of_both(self.on_outage, self.fail_open)?;
        let on_outage = said.or(defaults.map(|settings| settings.on_outage)).unwrap_or_default();
        let clock = self.clock.or_else(|| defaults.and_then(|settings| settings.clock.clone()));
        let backend = storage.name();
        let outages = Outages::within(handle.as_ref().map(Limitra::outage_counter));
        let local = local_share(on_outage, &storage, handle.as_ref())?;
        let label = scope.as_str().into();
        let tally = Tally::new(storage.name(), &label);
        let desk = Desk { storage, clock, policy: on_outage, local, outages, label, tally };
        let enabled = defaults.is_none_or(|settings| settings.enabled);
        let straight = Straight::new(&desk, &space, &rules, Scope::of(&desk.label)).filter(|_| enabled);
        let (capacity, fill_rate) = seed_settings(algorithm, limits.first());
        let config = LimiterConfig {
            algorithm,
            limits,
            capacity,
            fill_rate,
            scope,
            backend,
            project,
            prefix,
            suffix,
            fail_open: on_outage == OnOutage::FailOpen,
            on_outage,
        };
        Ok(RateLimiter::from_inner(Inner { straight, rules, space, desk, config, enabled }))
    }

    fn take_limits(&mut self, algorithm: Algorithm) -> Result<Vec<Limit>, ConfigurationError> {
        let limits = match self.limits.take() {
            Some(limits) if limits.is_empty() => return Err(ConfigurationError::NoLimit),
            Some(limits) => match self.part_of_a_limit() {
                Some(other) => return Err(ConfigurationError::Both { one: "limits", other }),
                None => limits,
            },
            None => vec![self.take_limit(algorithm)?],
        };
        match self.burst {
            Some(burst) => limits.into_iter().map(|limit| limit.with_only_burst(burst)).collect(),
            None => Ok(limits),
        }
    }

    /// What is set of a limit that is given in parts.
    fn part_of_a_limit(&self) -> Option<&'static str> {
        let of_window = self.requests.map(|_| "requests").or(self.window.map(|_| "window"));
        of_window.or(self.capacity.map(|_| "capacity")).or(self.fill_rate.map(|_| "fill_rate"))
    }

    fn take_limit(&self, algorithm: Algorithm) -> Result<Limit, ConfigurationError> {
        let half = |given, missing| Err(ConfigurationError::HalfALimit { given, missing });
        match (self.requests, self.window, self.capacity, self.fill_rate) {
            (Some(requests), Some(window), None, None) => Limit::new(requests, window),
            (None, None, Some(capacity), Some(fill_rate)) => of_fill_rate(algorithm, capacity, fill_rate),
            (None, None, None, None) => Err(ConfigurationError::NoLimit),
            (Some(_), _, Some(_), _) => Err(ConfigurationError::Both { one: "requests", other: "capacity" }),
            (_, Some(_), _, Some(_)) => Err(ConfigurationError::Both { one: "window", other: "fill_rate" }),
            (Some(_), None, ..) => half("requests", "window"),
            (None, Some(_), ..) => half("window", "requests"),
            (None, None, Some(_), None) => half("capacity", "fill_rate"),
            (None, None, None, Some(_)) => half("fill_rate", "capacity"),
        }
    }

    fn take_storage(&mut self, handle: Option<&Limitra>) -> Result<AnyStorage, ConfigurationError> {
        let storage = self.storage.take();
        #[cfg(feature = "redis")]
        let client = self.redis_client.take();
        #[cfg(feature = "redis")]
        if let Some(client) = client {
            if storage.is_some() {
                return Err(ConfigurationError::TwoSources { one: "storage", other: "redis_client" });
            }
            if self.backend.is_some_and(|backend| backend != Backend::Redis) {
                return Err(ConfigurationError::TwoSources { one: "backend", other: "redis_client" });
            }
            return Ok(crate::storage::redis::RedisStorage::new(client).into());
        }
        match (storage, handle) {
            (Some(_), _) if self.backend.is_some() => {
                Err(ConfigurationError::TwoSources { one: "backend", other: "storage" })
            }
            (Some(storage), _) => Ok(storage),
            (None, Some(handle)) => handle.storage_for(self.backend),
            (None, None) => match self.backend {
                None | Some(Backend::Memory) => Ok(MemoryStorage::new().into()),
                Some(Backend::Redis) => Err(ConfigurationError::NoRedisClient),
                Some(backend) => Err(ConfigurationError::NoSuchBackend { backend }),
            },
        }
    }

    fn note(&mut self, mistake: ConfigurationError) {
        self.mistake.get_or_insert(mistake);
    }
}

#[allow(clippy::cast_precision_loss)] // A capacity is at most 2^53, which a double holds exactly.
fn of_fill_rate(algorithm: Algorithm, capacity: u64, fill_rate: f64) -> Result<Limit, ConfigurationError> {
    let units = if algorithm.is_bucket() { capacity as f64 } else { 1.0 };
    let window = (units / fill_rate).seconds();
    let out_of_range =
        ConfigurationError::FillRateOutOfRange { fill_rate: Number::Float(fill_rate), capacity };
    let limit = window.ok().and_then(|window| Limit::new(capacity, window).ok());
    limit.ok_or(out_of_range)
}

#[allow(clippy::cast_precision_loss)] // For display only.
fn seed_settings(algorithm: Algorithm, limit: Option<&Limit>) -> (u64, f64) {
    let Some(limit) = limit.filter(|limit| !limit.is_unlimited()) else {
        return (u64::MAX, f64::INFINITY);
    };
    let units = if algorithm.is_bucket() { limit.amount() as f64 } else { 1.0 };
    (limit.capacity(), units / limit.window().as_secs_f64())
}
