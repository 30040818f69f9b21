//! What the tests act on: a cache over a Redis of its own, and how often that is asked.

use std::time::Duration;

use limitra::{Algorithm, DenyCache, Limit, RateLimiter, RateLimiterBuilder, RedisStorage};
use limitra_tests::{RedisServer, fresh_prefix};

/// Longer than any test.
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
/// A window that no test sees the end of, wherever the clock's slots begin: the next one does in 2070.
pub(crate) const ERA: Duration = Duration::from_secs(50 * 31_557_600);

/// Patient, so that only tests of deadlines depend on how busy the machine is.
pub(crate) fn redis_at(server: &RedisServer) -> RedisStorage {
    let patience = Duration::from_secs(60);
    let redis = RedisStorage::builder().url(server.url());
    redis.response_timeout(patience).connect_timeout(patience).build().unwrap()
}

/// A cache that believes a refusal for an hour.
pub(crate) fn cache_over(server: &RedisServer) -> DenyCache {
    DenyCache::over(redis_at(server)).max_age(HOUR).build().unwrap()
}

pub(crate) fn limit(amount: u64, window: Duration) -> Limit {
    Limit::new(amount, window).unwrap()
}

pub(crate) fn builder(cache: &DenyCache, algorithm: Algorithm) -> RateLimiterBuilder {
    RateLimiter::builder().storage(cache).algorithm(algorithm).prefix(fresh_prefix())
}

/// A limiter of one limit with keys of its own.
pub(crate) fn limiter(cache: &DenyCache, algorithm: Algorithm, amount: u64) -> RateLimiter {
    builder(cache, algorithm).limit(limit(amount, ERA)).build().unwrap()
}

/// How many decisions the server made since its counts were last forgotten.
pub(crate) fn asked(server: &RedisServer) -> u64 {
    let counts = server.command_counts();
    counts.get("evalsha").copied().unwrap_or_default()
}
