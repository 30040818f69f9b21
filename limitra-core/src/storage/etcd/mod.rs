//! etcd: records under keys, swapped by transactions, collected by shared leases.

mod builder;
mod client;
mod failure;
mod leases;
mod register;

use std::fmt;
use std::time::Instant;

use async_trait::async_trait;
use etcd_client::Client;

use super::register::RegisterStorage;
use super::{AnyStorage, Bounds, Storage, StorageOptions, StorageUrl};
use crate::attempt::{Attempt, Outcome};
use crate::error::{ConfigurationError, StorageError};
use crate::key::Key;
use crate::refund::Refund;

pub use builder::EtcdStorageBuilder;

/// etcd 3.4 and later.
///
/// A decision is a linearizable read, and where something is to be written a transaction that runs only if nobody else
/// wrote meanwhile (by `mod_revision`, which etcd never gives twice); subjects that are decided together are read
/// and written by one transaction. Decisions go by this process's clock. A record disappears by
/// a lease; leases are shared, so there is a handful of them however many keys there are.
///
/// A connection to one of the endpoints is made for each tokio runtime at its first use; after a failure the next decision
/// connects to another one. A transaction whose outcome is unknown is never sent again.
///
/// ```
/// use limitra_core::{EtcdStorage, RateLimiter};
///
/// // No I/O yet: the first decision connects.
/// let etcd = EtcdStorage::from_url("etcd://10.0.0.1:2379,10.0.0.2:2379,10.0.0.3:2379")?;
/// let limiter = RateLimiter::builder().requests(5).window(60).storage(etcd).build()?;
/// assert_eq!(limiter.config().backend, "etcd");
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone)]
pub struct EtcdStorage(RegisterStorage);

impl EtcdStorage {
    /// A storage over a client of your own, with the default deadlines.
    ///
    /// It is used as it is, from every runtime, with its endpoints, credentials and TLS; the runtime on which it was made
    /// must go on running.
    pub fn new(client: Client) -> Self {
        Self(builder::over(client))
    }

    /// A storage by its URL: `etcd://[user:password@]host:port[,host:port ..][?option=value&..]`. No I/O.
    ///
    /// # Errors
    /// [`ConfigurationError`] if the URL or an option in it cannot be read.
    pub fn from_url(url: &str) -> Result<Self, ConfigurationError> {
        Self::builder().url(url).build()
    }

    /// A storage whose deadlines, prefix or retries are set by hand.
    pub fn builder() -> EtcdStorageBuilder {
        EtcdStorageBuilder::default()
    }
}

#[async_trait]
impl Storage for EtcdStorage {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        self.0.decide(attempt).await
    }

    async fn decide_many(&self, attempts: &[Attempt<'_>]) -> Vec<Result<Outcome, StorageError>> {
        self.0.decide_many(attempts).await
    }

    async fn give_back(&self, refund: &Refund<'_>) -> Result<bool, StorageError> {
        self.0.give_back(refund).await
    }

    async fn clear(&self, key: Key<'_>) -> Result<(), StorageError> {
        self.0.clear(key).await
    }

    async fn ping(&self) -> Result<(), StorageError> {
        self.0.ping().await
    }

    async fn reset(&self) -> Result<u64, StorageError> {
        self.0.reset().await
    }

    fn suspect(&self, since: Instant) {
        self.0.suspect(since);
    }

    fn bounds(&self) -> Bounds {
        self.0.bounds()
    }
}

impl fmt::Debug for EtcdStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<EtcdStorage> for AnyStorage {
    fn from(storage: EtcdStorage) -> Self {
        storage.0.into()
    }
}

impl From<&EtcdStorage> for AnyStorage {
    fn from(storage: &EtcdStorage) -> Self {
        storage.clone().into()
    }
}

/// `etcd://`.
pub(crate) fn open(url: &StorageUrl, options: &mut StorageOptions) -> Result<AnyStorage, ConfigurationError> {
    Ok(builder::open(url, options)?.into())
}
