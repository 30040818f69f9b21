//! What the tests act on: limiters over a server, and somebody who stands in the way.

use std::time::{Duration, Instant};

use limitra::{
    Algorithm, AnyStorage, Error, Limit, PostgresStorage, RateLimiter, RateLimiterBuilder, StorageErrorKind,
};
use limitra_tests::{PostgresServer, Proxy, fresh_prefix};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
/// Longer than a busy machine takes for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Patient, so that only tests of deadlines depend on how busy the machine is.
pub(crate) fn postgres_at(url: &str) -> PostgresStorage {
    let storage = PostgresStorage::builder().url(url).response_timeout(PATIENCE).connect_timeout(PATIENCE);
    storage.build().unwrap()
}

pub(crate) fn storage_at(url: &str) -> AnyStorage {
    postgres_at(url).into()
}

pub(crate) fn url_by(proxy: &Proxy) -> String {
    format!("postgres://postgres@{}/postgres", proxy.address())
}

/// A limiter's settings with keys of its own.
pub(crate) fn fresh(storage: &AnyStorage) -> RateLimiterBuilder {
    RateLimiter::builder().storage(storage).prefix(fresh_prefix())
}

/// A limiter of one limit an hour with keys of its own.
pub(crate) fn limiter(storage: &AnyStorage, algorithm: Algorithm, amount: u64) -> RateLimiter {
    fresh(storage).algorithm(algorithm).limit(Limit::new(amount, HOUR).unwrap()).build().unwrap()
}

/// The kind of the storage error that a limiter answered with.
pub(crate) fn kind<T: std::fmt::Debug>(answer: Result<T, Error>) -> StorageErrorKind {
    match answer {
        Err(Error::Storage(error)) => error.kind(),
        other => panic!("not a storage error: {other:?}"),
    }
}

/// Waits until SQL says what is expected of it.
pub(crate) async fn wait_for(server: &PostgresServer, sql: &str, expected: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = server.sql(sql);
        if found == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{sql}: {found}, not {expected}");
        tokio::task::yield_now().await;
    }
}

/// Waits until a statement waits for somebody's lock.
pub(crate) async fn wait_for_a_waiting_statement(server: &PostgresServer) {
    wait_for(server, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'", "1").await;
}

/// Somebody who has locked something, until told to let go.
pub(crate) struct Lock {
    client: tokio_postgres::Client,
}

impl Lock {
    /// Runs this in a transaction that stays open.
    pub(crate) async fn by(server: &PostgresServer, sql: &str) -> Self {
        let (client, connection) =
            tokio_postgres::connect(&server.url(), tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(&format!("BEGIN; {sql}")).await.unwrap();
        Self { client }
    }

    /// Nobody writes to the table; reading goes on.
    pub(crate) async fn of_writes(server: &PostgresServer) -> Self {
        Self::by(server, "LOCK TABLE limitra_records IN SHARE MODE").await
    }

    pub(crate) async fn release(self) {
        self.client.batch_execute("COMMIT").await.unwrap();
    }
}
