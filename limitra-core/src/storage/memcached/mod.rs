//! Memcached: all algorithms over values that are loaded and swapped by its meta commands.

mod address;
mod builder;
mod connection;
mod failure;
mod key;
mod listing;
mod register;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;

use super::register::RegisterStorage;
use super::{AnyStorage, Bounds, Storage, StorageOptions, StorageUrl};
use crate::attempt::{Attempt, Outcome};
use crate::error::{ConfigurationError, StorageError};
use crate::key::Key;
use crate::refund::Refund;
pub use builder::MemcachedStorageBuilder;

/// Its name in messages.
const NAME: &str = "memcached";

/// Memcached, one server or several.
///
/// A decision is a load (`mg`) and, if something is to be written, a swap (`ms` with the value's `cas`): two round trips
/// for an allowed hit, one for a refused one or a test; see [`RegisterStorage`] for what happens when others change
/// the same record. The clock is this process's. Every write leaves an expiry. A command is never sent twice.
///
/// One connection for each server and tokio runtime is made at its first use and shared by all tasks there, which
/// do not wait for each other's answers; after a failure the next decision makes another. A command may take 500 ms,
/// making a connection 1 s; both can be set by [`MemcachedStorage::builder`]. With several servers each record has its
/// one server: while that is away, decisions about its keys are errors, and all others go on.
///
/// ```
/// use limitra_core::{MemcachedStorage, RateLimiter};
///
/// // No I/O yet: the first decision connects.
/// let memcached = MemcachedStorage::from_url("memcached://10.0.0.1:11211,10.0.0.2:11211")?;
/// let limiter = RateLimiter::builder().requests(5).window(60).storage(memcached).build()?;
/// assert_eq!(limiter.config().backend, "memcached");
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone)]
pub struct MemcachedStorage {
    storage: Arc<RegisterStorage>,
}

impl MemcachedStorage {
    /// A storage by its URL: `memcached://[user:password@]host:port[,host:port ..]`, or `memcached:///path.sock` for a
    /// unix socket. Options may stand in the query. No I/O.
    ///
    /// # Errors
    /// [`ConfigurationError`] if the URL or an option cannot be read.
    pub fn from_url(url: &str) -> Result<Self, ConfigurationError> {
        Self::builder().url(url).build()
    }

    /// A storage whose settings are given by hand.
    pub fn builder() -> MemcachedStorageBuilder {
        MemcachedStorageBuilder::default()
    }
}

impl fmt::Debug for MemcachedStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.storage.fmt(f)
    }
}

#[async_trait]
impl Storage for MemcachedStorage {
    fn name(&self) -> &'static str {
        NAME
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

impl From<MemcachedStorage> for AnyStorage {
    fn from(storage: MemcachedStorage) -> Self {
        Self::from(storage.storage)
    }
}

impl From<&MemcachedStorage> for AnyStorage {
    fn from(storage: &MemcachedStorage) -> Self {
        storage.clone().into()
    }
}

/// `memcached://`
pub(crate) fn open(url: &StorageUrl, options: &mut StorageOptions) -> Result<AnyStorage, ConfigurationError> {
    Ok(MemcachedStorage::builder().read(options)?.open(url)?.into())
}
