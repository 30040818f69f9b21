#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

#[cfg(feature = "conformance")]
#[cfg_attr(docsrs, doc(cfg(feature = "conformance")))]
pub use limitra_core::conformance;
pub use limitra_core::{
    Algorithm, AlgorithmName, Amount, AnyStorage, Attempt, Backend, BackendName, Charge, Clock,
    ConfigurationError, Decided, Decision, Error, FixedWindowAlignedRateLimiter,
    FixedWindowElasticExpiryRateLimiter, FixedWindowRateLimiter, FromError, GcraLimiter, Granularity,
    Identifier, Key, LeakyBucketLimiter, Limit, LimiterConfig, Limitra, LimitraConfig, ManualClock,
    MemoryStorage, Micros, Mode, MovingWindowRateLimiter, NotationError, NotationProblem, Number, Outcome,
    RateLimit, RateLimitExceeded, RateLimiter, RateLimiterBuilder, Record, RegisteredGranularity, Rule,
    RuleDecision, RuleOutcome, Seconds, SlidingWindowRateLimiter, Span, State, Status, Storage, StorageError,
    StorageErrorKind, Subject, TokenBucketLimiter, UrlProblem, Usage, check_all, parse, parse_many,
};
#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub use limitra_core::{RedisClient, RedisStorage, RedisStorageBuilder};
#[cfg(feature = "macros")]
#[cfg_attr(docsrs, doc(cfg(feature = "macros")))]
pub use limitra_macros::rate_limit;

/// What the expansion of `#[rate_limit]` calls. Not a public interface.
#[doc(hidden)]
pub use limitra_core::__private;
