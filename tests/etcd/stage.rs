//! What the tests act on: limiters over a server, and a look at what is stored.

use std::time::Duration;

use etcd_client::{Client, KeyValue};
use limitra::{Algorithm, AnyStorage, Error, EtcdStorage, Limit, RateLimiter, StorageErrorKind};
use limitra_tests::{EtcdServer, fresh_prefix};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
/// Longer than any answer takes on a machine that builds beside the tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Patient, so that only tests of deadlines depend on how busy the machine is.
pub(crate) fn etcd_at(url: &str) -> EtcdStorage {
    EtcdStorage::builder().url(url).response_timeout(PATIENCE).connect_timeout(PATIENCE).build().unwrap()
}

/// One that waits no longer than this for an answer.
pub(crate) fn hasty_at(url: &str, patience: Duration) -> AnyStorage {
    let storage = EtcdStorage::builder().url(url).response_timeout(patience).connect_timeout(patience);
    storage.build().unwrap().into()
}

/// A limiter of one limit an hour with keys of its own.
pub(crate) fn limiter(storage: impl Into<AnyStorage>, algorithm: Algorithm, amount: u64) -> RateLimiter {
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

/// A client for looking at what is stored.
pub(crate) async fn look(server: &EtcdServer) -> Client {
    Client::connect([server.endpoint()], None).await.unwrap()
}

/// What stands under a key.
pub(crate) async fn value(client: &Client, key: &str) -> Option<KeyValue> {
    client.kv_client().get(key, None).await.unwrap().take_kvs().into_iter().next()
}
