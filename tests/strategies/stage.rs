//! The storages that every strategy is shown on, and limits that no other test uses.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use limitra::strategies::Strategy;
use limitra::{Algorithm, AnyStorage, ManualClock, MemoryStorage, RateLimit};
use limitra_tests::{fresh_prefix, patient_storage, shared};

/// Memory and Redis.
pub(crate) fn storages() -> [AnyStorage; 2] {
    [MemoryStorage::new().into(), redis()]
}

pub(crate) fn redis() -> AnyStorage {
    patient_storage(&shared().url()).into()
}

/// This limit in a namespace of its own.
pub(crate) fn limit(notation: &str) -> RateLimit {
    notation.parse::<RateLimit>().unwrap().with_namespace(fresh_prefix())
}

/// A strategy with a clock that stands still.
pub(crate) fn stopped(algorithm: Algorithm, storage: &AnyStorage) -> (Strategy, ManualClock) {
    let clock = ManualClock::new();
    (Strategy::new(algorithm, storage).with_clock(clock.clone()), clock)
}

/// What a future on memory answers: it never waits.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("memory waits for nothing"),
    }
}
