//! What the tests act on: limiters over a server, storages asked directly, and a look at what is stored.

use std::borrow::Cow;
use std::time::Duration;

use limitra::{
    Algorithm, AnyStorage, Attempt, Clock, Error, Key, Limit, Mode, Outcome, RateLimiter, RateLimiterBuilder,
    RedisStorage, Rule, Storage, StorageError, StorageErrorKind, Subject,
};
use limitra_tests::{RedisServer, fresh_prefix};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Patient, so that only tests of deadlines depend on how busy the machine is.
pub(crate) fn redis_at(url: &str) -> RedisStorage {
    let patience = Duration::from_secs(60);
    RedisStorage::builder().url(url).response_timeout(patience).connect_timeout(patience).build().unwrap()
}

pub(crate) fn storage_at(url: &str) -> AnyStorage {
    redis_at(url).into()
}

pub(crate) fn limit(amount: u64, window: Duration) -> Limit {
    Limit::new(amount, window).unwrap()
}

pub(crate) fn rule(algorithm: Algorithm, amount: u64, window: Duration) -> Rule {
    Rule::new(algorithm, limit(amount, window)).unwrap()
}

/// A limiter's settings with keys of its own.
pub(crate) fn fresh(storage: &AnyStorage) -> RateLimiterBuilder {
    RateLimiter::builder().storage(storage).prefix(fresh_prefix())
}

/// A limiter of one limit with keys of its own.
pub(crate) fn limiter(storage: &AnyStorage, algorithm: Algorithm, amount: u64) -> RateLimiter {
    fresh(storage).algorithm(algorithm).limit(limit(amount, HOUR)).build().unwrap()
}

/// Asks a storage about one subject.
pub(crate) async fn ask(
    storage: &dyn Storage,
    key: &str,
    rules: &[Rule],
    clock: Clock,
    mode: Mode,
    cost: u64,
) -> Result<Outcome, StorageError> {
    let subjects = [Subject { key: Key::from_text(key), rules: Cow::Borrowed(rules), cost }];
    storage.decide(&Attempt { subjects: &subjects, clock, mode }).await
}

/// The kind of the storage error that a limiter answered with.
pub(crate) fn kind<T: std::fmt::Debug>(answer: Result<T, Error>) -> StorageErrorKind {
    match answer {
        Err(Error::Storage(error)) => error.kind(),
        other => panic!("not a storage error: {other:?}"),
    }
}

/// A connection for looking at what is stored.
pub(crate) struct Look(redis::Connection);

impl Look {
    pub(crate) fn at(server: &RedisServer) -> Self {
        Self::at_url(&server.url())
    }

    pub(crate) fn at_url(url: &str) -> Self {
        Self(redis::Client::open(url).unwrap().get_connection().unwrap())
    }

    pub(crate) fn run<T: redis::FromRedisValue>(&mut self, words: &[&str]) -> T {
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(*word);
        }
        command.query(&mut self.0).unwrap()
    }

    pub(crate) fn set(&mut self, key: &str, value: &[u8]) {
        redis::cmd("SET").arg(key).arg(value).query::<()>(&mut self.0).unwrap();
    }

    pub(crate) fn value(&mut self, key: &str) -> Vec<u8> {
        self.run(&["GET", key])
    }

    /// The value of any type, serialised.
    pub(crate) fn dump(&mut self, key: &str) -> Vec<u8> {
        self.run(&["DUMP", key])
    }

    pub(crate) fn exists(&mut self, key: &str) -> bool {
        self.run(&["EXISTS", key])
    }

    /// Milliseconds to live; -1: for ever, -2: no such key.
    pub(crate) fn pttl(&mut self, key: &str) -> i64 {
        self.run(&["PTTL", key])
    }

    pub(crate) fn keys(&mut self, pattern: &str) -> Vec<String> {
        self.run(&["KEYS", pattern])
    }

    /// A figure of `INFO`.
    pub(crate) fn info(&mut self, section: &str, name: &str) -> u64 {
        let text: String = self.run(&["INFO", section]);
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap().parse().unwrap()
    }

    /// How many connections the server has, but for this one.
    pub(crate) fn connections(&mut self) -> usize {
        self.run::<String>(&["CLIENT", "LIST"]).lines().count() - 1
    }

    /// How many connections were ever made, this one included.
    pub(crate) fn connections_ever(&mut self) -> u64 {
        self.info("stats", "total_connections_received")
    }
}
