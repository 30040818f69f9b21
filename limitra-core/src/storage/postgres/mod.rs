//! PostgreSQL: a row for each subject, loaded and swapped by its version.

mod builder;
mod connect;
mod failure;
mod sql;
mod table;
#[cfg(feature = "postgres-tls")]
mod tls;
mod url;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use deadpool_postgres::Pool;

use super::register::RegisterStorage;
use super::{AnyStorage, Bounds, Storage, StorageOptions, StorageUrl};
use crate::attempt::{Attempt, Outcome};
use crate::error::{ConfigurationError, StorageError};
use crate::key::Key;
use crate::refund::Refund;
pub use builder::PostgresStorageBuilder;
use table::Table;

/// How long a statement may take by default.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a connection may take to be made by default.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// PostgreSQL (11 and later): a row for each subject, in a table of limitra's own.
///
/// A decision loads the rows of its subjects with one statement, at the server's time, and writes those that change with
/// another one if nobody changed them meanwhile: two round trips and one commit for an allowed hit, one round trip for a
/// refused hit or a test. Several subjects, at most 64, are changed all or none.
/// A statement whose outcome is unknown is never sent again.
///
/// One connection for each tokio runtime is made at its first use, kept, and shared by all tasks there; after a failure
/// the next decision makes another. A statement may take 500 ms, making a connection 1 s; both can be set by
/// [`PostgresStorage::builder`]. The server ends what nobody waits for any more.
///
/// Rows that have expired are removed by those who write: each sixteenth row that a process writes removes up to 128 of
/// them, in a statement that nobody waits for. Where nothing is written they stay; [`PostgresStorage::sweep`] removes them.
///
/// ```
/// use limitra_core::{PostgresStorage, RateLimiter};
///
/// // No I/O yet: the first decision connects, and makes the table if there is none.
/// let postgres = PostgresStorage::from_url("postgres://shop@127.0.0.1/shop")?;
/// let limiter = RateLimiter::builder().requests(5).window(60).storage(postgres).build()?;
/// assert_eq!(limiter.config().backend, "postgres");
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone)]
pub struct PostgresStorage {
    storage: RegisterStorage,
    table: Table,
}

impl PostgresStorage {
    /// A storage by a pool that you have already, with the default settings.
    ///
    /// Its manager makes limitra's connections, with its address, credentials and certificates. They are kept, not checked
    /// out for each decision, and do not count as the pool's.
    #[allow(clippy::unreachable)] // The default settings are no mistake.
    pub fn new(pool: Pool) -> Self {
        match Self::builder().pool(pool).build() {
            Ok(storage) => storage,
            Err(_) => unreachable!("the default settings of a PostgreSQL storage are right"),
        }
    }

    /// A storage by its URL: `postgres://[user[:password]@]host[:port][,host ..][/database][?name=value ..]`, the query
    /// with parameters of PostgreSQL (`sslmode`, `target_session_attrs`, `options` ..) and of limitra: `table_name`,
    /// `create_table`, `key_prefix`, `response_timeout`, `connect_timeout`, `max_retries`. No I/O.
    ///
    /// # Errors
    /// [`ConfigurationError`] if the URL cannot be read.
    pub fn from_url(url: &str) -> Result<Self, ConfigurationError> {
        Self::builder().url(url).build()
    }

    /// A storage whose table, deadlines or keys are set by hand.
    pub fn builder() -> PostgresStorageBuilder {
        PostgresStorageBuilder::default()
    }

    /// The SQL that makes the table, for those who run their migrations themselves (`create_table(false)`).
    ///
    /// Put `UNLOGGED` into it and counting writes no log and is much cheaper: then the counts are gone after a crash, and
    /// are not on a standby.
    ///
    /// ```
    /// let sql = limitra_core::PostgresStorage::migration("limits.records")?;
    /// assert!(sql.starts_with("CREATE TABLE IF NOT EXISTS \"limits\".\"records\" ("));
    /// # Ok::<(), limitra_core::ConfigurationError>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigurationError`] if the name cannot be a table's.
    pub fn migration(table_name: &str) -> Result<String, ConfigurationError> {
        sql::migration_of(table_name)
    }

    /// Removes every row that has expired, 128 at a time, and returns how many there were. No need to call it where
    /// limiters are in use.
    ///
    /// # Errors
    /// [`StorageError`] if not all are known to be gone.
    pub async fn sweep(&self) -> Result<u64, StorageError> {
        self.table.sweep().await
    }
}

#[async_trait]
impl Storage for PostgresStorage {
    fn name(&self) -> &'static str {
        self.storage.name()
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        self.storage.decide(attempt).await
    }

    async fn decide_many(&self, attempts: &[Attempt<'_>]) -> Vec<Result<Outcome, StorageError>> {
        self.storage.decide_many(attempts).await
    }

    async fn give_back(&self, refund: &Refund<'_>) -> Result<bool, StorageError> {
        self.storage.give_back(refund).await
    }

    async fn clear(&self, key: Key<'_>) -> Result<(), StorageError> {
        self.storage.clear(key).await
    }

    async fn ping(&self) -> Result<(), StorageError> {
        self.storage.ping().await
    }

    async fn reset(&self) -> Result<u64, StorageError> {
        self.storage.reset().await
    }

    fn suspect(&self, since: Instant) {
        self.storage.suspect(since);
    }

    fn bounds(&self) -> Bounds {
        self.storage.bounds()
    }
}

impl fmt::Debug for PostgresStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStorage").field("table", &self.table).finish_non_exhaustive()
    }
}

impl From<PostgresStorage> for AnyStorage {
    fn from(storage: PostgresStorage) -> Self {
        Self::from(Arc::new(storage.storage))
    }
}

impl From<&PostgresStorage> for AnyStorage {
    fn from(storage: &PostgresStorage) -> Self {
        storage.clone().into()
    }
}

/// `postgres://` and `postgresql://`.
pub(crate) fn open(url: &StorageUrl, options: &mut StorageOptions) -> Result<AnyStorage, ConfigurationError> {
    Ok(PostgresStorage::builder().build_by_url(url, options)?.into())
}
