//! What the tests act on: limiters over a server, and a look at what is stored.

use std::borrow::Cow;
use std::fmt::Debug;
use std::time::Duration;

use limitra::{
    Algorithm, AnyStorage, Attempt, Clock, Error, Key, Limit, Micros, Mode, MongoDbStorage, RateLimiter,
    Rule, Storage, StorageErrorKind, Subject,
};
use limitra_tests::{MongoDbServer, Proxy, fresh_prefix};
use mongodb::Collection;
use mongodb::bson::Document;

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
/// So that only tests of deadlines depend on how busy the machine is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn mongodb_at(url: &str) -> MongoDbStorage {
    let storage = MongoDbStorage::builder().url(url);
    storage.response_timeout(PATIENCE).connect_timeout(PATIENCE).build().unwrap()
}

pub(crate) fn storage_at(url: &str) -> AnyStorage {
    mongodb_at(url).into()
}

/// The server's own address is what it tells its clients, so they have to be held to the proxy's.
pub(crate) fn url_by(proxy: &Proxy) -> String {
    format!("mongodb://{}/?directConnection=true", proxy.address())
}

/// A limiter of one limit with keys of its own.
pub(crate) fn limiter(storage: &AnyStorage, algorithm: Algorithm, amount: u64) -> RateLimiter {
    limiter_of(storage, algorithm, amount, HOUR)
}

pub(crate) fn limiter_of(
    storage: &AnyStorage,
    algorithm: Algorithm,
    amount: u64,
    window: Duration,
) -> RateLimiter {
    let limiter = RateLimiter::builder().storage(storage).prefix(fresh_prefix()).algorithm(algorithm);
    limiter.limit(Limit::new(amount, window).unwrap()).build().unwrap()
}

/// What time it is for a storage.
pub(crate) async fn now(storage: &MongoDbStorage) -> Micros {
    let rules = [Rule::new(Algorithm::Gcra, Limit::new(1, HOUR).unwrap()).unwrap()];
    let subjects = [Subject { key: Key::from_text("nobody"), rules: Cow::Borrowed(&rules), cost: 1 }];
    let attempt = Attempt { subjects: &subjects, clock: Clock::Storage, mode: Mode::Peek };
    storage.decide(&attempt).await.unwrap().now
}

/// The kind of the storage error that a limiter answered with.
pub(crate) fn kind<T: Debug>(answer: Result<T, Error>) -> StorageErrorKind {
    match answer {
        Err(Error::Storage(error)) => error.kind(),
        other => panic!("not a storage error: {other:?}"),
    }
}

/// The collection that limitra uses unless it is told otherwise.
pub(crate) async fn records(server: &MongoDbServer) -> Collection<Document> {
    server.client().await.database("limitra").collection("records")
}

/// What is stored under a key.
pub(crate) async fn document(server: &MongoDbServer, key: &str) -> Option<Document> {
    records(server).await.find_one(mongodb::bson::doc! { "_id": key }).await.unwrap()
}
