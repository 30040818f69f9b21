//! Limiters over a cluster.

use std::time::Duration;

use limitra::{
    Algorithm, AnyStorage, Error, Limit, RateLimiter, RedisClusterStorage, RedisClusterStorageBuilder,
    StorageErrorKind,
};
use limitra_tests::fresh_prefix;

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// Patient, so that only tests of deadlines depend on how busy the machine is.
pub(crate) fn patient() -> RedisClusterStorageBuilder {
    let patience = Duration::from_secs(60);
    RedisClusterStorage::builder().response_timeout(patience).connect_timeout(patience)
}

pub(crate) fn storage_at(url: &str) -> AnyStorage {
    patient().url(url).build().unwrap().into()
}

/// A limiter of one limit with keys of its own.
pub(crate) fn limiter(storage: &AnyStorage, algorithm: Algorithm, amount: u64) -> RateLimiter {
    let limit = Limit::new(amount, HOUR).unwrap();
    let limiter = RateLimiter::builder().storage(storage).prefix(fresh_prefix());
    limiter.algorithm(algorithm).limit(limit).build().unwrap()
}

/// The kind of the storage error that a limiter answered with.
pub(crate) fn kind<T: std::fmt::Debug>(answer: Result<T, Error>) -> StorageErrorKind {
    match answer {
        Err(Error::Storage(error)) => error.kind(),
        other => panic!("not a storage error: {other:?}"),
    }
}
