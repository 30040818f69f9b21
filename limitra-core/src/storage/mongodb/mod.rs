//! MongoDB: a document for each record, swapped by its version.

mod access;
mod address;
mod builder;
mod documents;
mod failure;
mod records;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::mongodb::Client;
use async_trait::async_trait;

use crate::attempt::{Attempt, Outcome};
use crate::error::{ConfigurationError, StorageError};
use crate::key::Key;
use crate::refund::Refund;
use crate::storage::connections::Connections;
use crate::storage::key_prefix::KeyPrefix;
use crate::storage::register::RegisterStorage;
use crate::storage::{AnyStorage, Bounds, Storage, StorageOptions, StorageUrl};

use access::Access;
pub use builder::MongoDbStorageBuilder;
use documents::Documents;

/// The storage's name in messages.
const NAME: &str = "mongodb";
/// How long a command may take by default.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a connection may take to be made by default.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// The database by default.
const DATABASE_NAME: &str = "limitra";
/// The collection by default.
const COLLECTION_NAME: &str = "records";

/// MongoDB (4.2 and later): one server, a replica set or a sharded cluster.
///
/// A record is one document. A decision is one read, at the server's time, and one update if there is something to write: two
/// round trips for an allowed hit, one for anything else. Reads go to the primary. An update is never sent twice,
/// whatever the client's `retryWrites`. A TTL index, created at the first use, removes what has expired; no decision depends
/// on when.
///
/// A client is made for each tokio runtime at its first use there; after a failure the next decision makes another. A command
/// may take 500 ms, reaching the server 1 s; both can be set by [`MongoDbStorage::builder`], or in the URL. One decision is
/// about one subject.
///
/// ```
/// use limitra_core::{MongoDbStorage, RateLimiter};
///
/// // No I/O yet: the first decision connects.
/// let mongodb = MongoDbStorage::from_url("mongodb://127.0.0.1:27017/?replicaSet=rs0")?;
/// let limiter = RateLimiter::builder().requests(5).window(60).storage(mongodb).build()?;
/// assert_eq!(limiter.config().backend, "mongodb");
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone)]
pub struct MongoDbStorage {
    inner: Arc<RegisterStorage>,
}

/// What the parts of a storage share.
struct Settings {
    key_prefix: KeyPrefix,
    response_timeout: Duration,
    connect_timeout: Duration,
}

impl MongoDbStorage {
    /// A storage over a client of the user's, with the default database, collection and deadlines.
    ///
    /// The client is used from every runtime; the one that it was made in must go on running.
    pub fn new(client: Client) -> Self {
        let access = Access::of_client(client, DATABASE_NAME, COLLECTION_NAME, true);
        let settings = Settings {
            key_prefix: KeyPrefix::default(),
            response_timeout: RESPONSE_TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
        };
        Self::of(RegisterStorage::new(documents(access, settings)))
    }

    /// A storage by its URL: a connection string as every MongoDB driver reads it, in which `database_name`,
    /// `collection_name`, `key_prefix`, `response_timeout`, `connect_timeout`, `max_retries` and `create_index` may
    /// stand too. No I/O.
    ///
    /// # Errors
    /// [`ConfigurationError`] if the URL cannot be read.
    pub fn from_url(url: &str) -> Result<Self, ConfigurationError> {
        Self::builder().url(url).build()
    }

    /// A storage whose client, names or deadlines are set by hand.
    pub fn builder() -> MongoDbStorageBuilder {
        MongoDbStorageBuilder::default()
    }

    fn of(storage: RegisterStorage) -> Self {
        Self { inner: Arc::new(storage) }
    }
}

fn documents(access: Access, settings: Settings) -> Documents {
    let connections = Connections::new(NAME, access, settings.connect_timeout);
    Documents::new(connections, settings.key_prefix, settings.response_timeout)
}

/// `mongodb://` and `mongodb+srv://`.
pub(crate) fn open(url: &StorageUrl, options: &mut StorageOptions) -> Result<AnyStorage, ConfigurationError> {
    let builder = MongoDbStorage::builder().or_options(options)?;
    Ok(builder.url(url.secret_text()).build()?.into())
}

#[async_trait]
impl Storage for MongoDbStorage {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        self.inner.decide(attempt).await
    }

    async fn decide_many(&self, attempts: &[Attempt<'_>]) -> Vec<Result<Outcome, StorageError>> {
        self.inner.decide_many(attempts).await
    }

    async fn give_back(&self, refund: &Refund<'_>) -> Result<bool, StorageError> {
        self.inner.give_back(refund).await
    }

    async fn clear(&self, key: Key<'_>) -> Result<(), StorageError> {
        self.inner.clear(key).await
    }

    async fn ping(&self) -> Result<(), StorageError> {
        self.inner.ping().await
    }

    async fn reset(&self) -> Result<u64, StorageError> {
        self.inner.reset().await
    }

    fn suspect(&self, since: Instant) {
        self.inner.suspect(since);
    }

    fn bounds(&self) -> Bounds {
        self.inner.bounds()
    }
}

impl fmt::Debug for MongoDbStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MongoDbStorage").field(&self.inner).finish()
    }
}

impl From<MongoDbStorage> for AnyStorage {
    fn from(storage: MongoDbStorage) -> Self {
        Self::from(storage.inner as Arc<dyn Storage>)
    }
}

impl From<&MongoDbStorage> for AnyStorage {
    fn from(storage: &MongoDbStorage) -> Self {
        storage.clone().into()
    }
}
