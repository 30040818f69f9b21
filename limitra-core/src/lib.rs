#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
// What comes from outside must not end a service: where one of these stands all the same, it says why it is never reached.
#![cfg_attr(
    not(test),
    warn(
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::unchecked_time_subtraction
    )
)]

mod algorithm;
mod attempt;
mod attribute;
mod backend;
#[cfg(feature = "blocking")]
#[cfg_attr(docsrs, doc(cfg(feature = "blocking")))]
pub mod blocking;
mod builder;
mod charge;
mod clock;
mod codec;
mod config;
#[cfg(feature = "conformance")]
#[cfg_attr(docsrs, doc(cfg(feature = "conformance")))]
pub mod conformance;
mod decide;
mod deciding;
mod decision;
mod environment;
mod error;
mod exceeded;
mod give_back;
mod granularity;
mod handle;
mod identifier;
mod key;
mod limit;
mod limiter;
mod limiter_config;
mod log;
mod measured;
mod notation;
mod number;
mod outage;
mod pending;
mod question;
mod quotient;
mod rate_limit;
mod receipt;
mod record;
mod refund;
mod rule;
mod rule_decision;
mod scope;
mod seed;
mod short_text;
mod source;
mod state;
mod status;
pub mod storage;
mod straight;
pub mod strategies;
mod sync;
mod time;
#[cfg(feature = "http")]
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
pub mod web;

pub use algorithm::{Algorithm, AlgorithmName};
pub use attempt::{Attempt, Decided, Mode, Outcome, RuleOutcome, Subject};
pub use attribute::FromError;
pub use backend::{Backend, BackendName};
pub use builder::RateLimiterBuilder;
pub use charge::{Charge, check_all, give_back_all};
pub use clock::ManualClock;
pub use config::LimitraConfig;
pub use decision::Decision;
pub use error::{
    ConcurrentUpdateError, ConfigurationError, Error, NotationError, NotationProblem, Number, StorageError,
    StorageErrorKind, UrlProblem,
};
pub use exceeded::RateLimitExceeded;
pub use granularity::{Granularity, RegisteredGranularity};
pub use handle::Limitra;
pub use identifier::Identifier;
pub use key::Key;
pub use limit::Limit;
pub use limiter::RateLimiter;
pub use limiter_config::LimiterConfig;
#[cfg(feature = "metrics")]
#[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
pub use measured::{Timed, describe_metrics};
pub use notation::{parse, parse_many};
pub use number::{Amount, Seconds};
pub use outage::{Event, Health, OnOutage, OutagePolicy};
pub use rate_limit::RateLimit;
pub use record::Record;
pub use refund::Refund;
pub use rule::{Rule, Span};
pub use rule_decision::RuleDecision;
pub use seed::{
    FixedWindowAlignedRateLimiter, FixedWindowElasticExpiryRateLimiter, FixedWindowRateLimiter, GcraLimiter,
    LeakyBucketLimiter, MovingWindowRateLimiter, SlidingWindowRateLimiter, TokenBucketLimiter,
};
pub use state::State;
pub use status::{Status, Usage};
pub use storage::deny_cache::{DenyCache, DenyCacheBuilder};
#[cfg(feature = "etcd")]
#[cfg_attr(docsrs, doc(cfg(feature = "etcd")))]
pub use storage::etcd::{EtcdStorage, EtcdStorageBuilder};
#[cfg(feature = "deadline")]
#[cfg_attr(docsrs, doc(cfg(feature = "deadline")))]
pub use storage::ladder::Deadline;
pub use storage::ladder::{Breaker, CircuitBreaker, CircuitState, InFlight, LocalShare};
#[cfg(feature = "memcached")]
#[cfg_attr(docsrs, doc(cfg(feature = "memcached")))]
pub use storage::memcached::{MemcachedStorage, MemcachedStorageBuilder};
pub use storage::memory::{MemoryStorage, MemoryStorageBuilder};
#[cfg(feature = "mongodb")]
#[cfg_attr(docsrs, doc(cfg(feature = "mongodb")))]
pub use storage::mongodb::{MongoDbStorage, MongoDbStorageBuilder};
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
pub use storage::postgres::{PostgresStorage, PostgresStorageBuilder};
#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub use storage::redis::{RedisClient, RedisStorage, RedisStorageBuilder};
#[cfg(feature = "redis-cluster")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis-cluster")))]
pub use storage::redis::{RedisClusterStorage, RedisClusterStorageBuilder};
#[cfg(feature = "redis-sentinel")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis-sentinel")))]
pub use storage::redis::{RedisSentinelStorage, RedisSentinelStorageBuilder};
#[cfg(feature = "register")]
#[cfg_attr(docsrs, doc(cfg(feature = "register")))]
pub use storage::register::{Register, RegisterStorage, Snapshot, Stored, Swap};
pub use storage::{AnyStorage, Bounds, Storage};
pub use time::{Clock, Micros};

/// What the expansion of `#[rate_limit]` calls. Not a public interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::attribute::*;
}
