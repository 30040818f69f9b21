#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

#[cfg(feature = "deadline")]
#[cfg_attr(docsrs, doc(cfg(feature = "deadline")))]
pub use limitra_core::Deadline;
#[cfg(feature = "blocking")]
#[cfg_attr(docsrs, doc(cfg(feature = "blocking")))]
pub use limitra_core::blocking;
#[cfg(feature = "conformance")]
#[cfg_attr(docsrs, doc(cfg(feature = "conformance")))]
pub use limitra_core::conformance;
pub use limitra_core::storage;
pub use limitra_core::strategies;
#[cfg(feature = "http")]
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
pub use limitra_core::web;
pub use limitra_core::{
    Algorithm, AlgorithmName, Amount, AnyStorage, Attempt, Backend, BackendName, Bounds, Breaker, Charge,
    CircuitBreaker, CircuitState, Clock, ConcurrentUpdateError, ConfigurationError, Decided, Decision, Error,
    Event, FixedWindowAlignedRateLimiter, FixedWindowElasticExpiryRateLimiter, FixedWindowRateLimiter,
    FromError, GcraLimiter, Granularity, Health, Identifier, InFlight, Key, LeakyBucketLimiter, Limit,
    LimiterConfig, Limitra, LimitraConfig, LocalShare, ManualClock, MemoryStorage, MemoryStorageBuilder,
    Micros, Mode, MovingWindowRateLimiter, NotationError, NotationProblem, Number, OnOutage, OutagePolicy,
    Outcome, RateLimit, RateLimitExceeded, RateLimiter, RateLimiterBuilder, Record, Refund,
    RegisteredGranularity, Rule, RuleDecision, RuleOutcome, Seconds, SlidingWindowRateLimiter, Span, State,
    Status, Storage, StorageError, StorageErrorKind, Subject, TokenBucketLimiter, UrlProblem, Usage,
    check_all, give_back_all, parse, parse_many,
};
pub use limitra_core::{DenyCache, DenyCacheBuilder};
#[cfg(feature = "etcd")]
#[cfg_attr(docsrs, doc(cfg(feature = "etcd")))]
pub use limitra_core::{EtcdStorage, EtcdStorageBuilder};
#[cfg(feature = "memcached")]
#[cfg_attr(docsrs, doc(cfg(feature = "memcached")))]
pub use limitra_core::{MemcachedStorage, MemcachedStorageBuilder};
#[cfg(feature = "mongodb")]
#[cfg_attr(docsrs, doc(cfg(feature = "mongodb")))]
pub use limitra_core::{MongoDbStorage, MongoDbStorageBuilder};
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
pub use limitra_core::{PostgresStorage, PostgresStorageBuilder};
#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub use limitra_core::{RedisClient, RedisStorage, RedisStorageBuilder};
#[cfg(feature = "redis-cluster")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis-cluster")))]
pub use limitra_core::{RedisClusterStorage, RedisClusterStorageBuilder};
#[cfg(feature = "redis-sentinel")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis-sentinel")))]
pub use limitra_core::{RedisSentinelStorage, RedisSentinelStorageBuilder};
#[cfg(feature = "register")]
#[cfg_attr(docsrs, doc(cfg(feature = "register")))]
pub use limitra_core::{Register, RegisterStorage, Snapshot, Stored, Swap};
#[cfg(feature = "metrics")]
#[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
pub use limitra_core::{Timed, describe_metrics};
#[cfg(feature = "macros")]
#[cfg_attr(docsrs, doc(cfg(feature = "macros")))]
pub use limitra_macros::rate_limit;

/// What the expansion of `#[rate_limit]` calls. Not a public interface.
#[doc(hidden)]
pub use limitra_core::__private;
