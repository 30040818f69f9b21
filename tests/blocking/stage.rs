//! Storages of tests without a runtime, and limiters on them.

use limitra::{
    Algorithm, AnyStorage, Error, MemoryStorage, RateLimiter, RateLimiterBuilder, StorageErrorKind, blocking,
};
use limitra_tests::{fresh_prefix, patient_storage, shared};

pub(crate) fn redis() -> AnyStorage {
    patient_storage(&shared().url()).into()
}

/// Memory and Redis.
pub(crate) fn storages() -> [AnyStorage; 2] {
    [MemoryStorage::new().into(), redis()]
}

/// The settings of a limiter with keys of its own.
pub(crate) fn fresh(storage: &AnyStorage, amount: u64) -> RateLimiterBuilder {
    let builder = RateLimiter::builder().algorithm(Algorithm::FixedWindow).storage(storage);
    builder.prefix(fresh_prefix()).requests(amount).window(3600)
}

pub(crate) fn limiter(storage: &AnyStorage, amount: u64) -> blocking::RateLimiter {
    fresh(storage, amount).build().unwrap().blocking()
}

/// The kind of a storage's error.
pub(crate) fn kind<T: std::fmt::Debug>(answer: Result<T, Error>) -> StorageErrorKind {
    match answer {
        Err(Error::Storage(error)) => error.kind(),
        other => panic!("no storage error: {other:?}"),
    }
}
