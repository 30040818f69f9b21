//! Redis Sentinel and Valkey Sentinel: the master that the sentinels name, and nobody else.

mod builder;
mod sentinels;

use std::sync::Arc;

use super::Inner;
use crate::error::ConfigurationError;
use crate::storage::{AnyStorage, StorageOptions, StorageUrl};

pub use builder::RedisSentinelStorageBuilder;
pub(super) use sentinels::Sentinels;

/// The storage's name.
const NAME: &str = "redis-sentinel";

/// Redis (6.2 and later) and Valkey whose master is named by sentinels.
///
/// The sentinels are asked when a connection is made, and the master is asked whether it is one. From then on a decision
/// is what it is with [`RedisStorage`](super::RedisStorage): one `EVALSHA` at most. When the master is lost or
/// demoted, that decision is an error, and the next one asks the sentinels again. Replicas are never asked: a decision writes.
///
/// ```
/// use limitra_core::{RateLimiter, RedisSentinelStorage};
///
/// // No I/O yet: the first decision connects.
/// let redis = RedisSentinelStorage::from_url("redis+sentinel://10.0.0.1:26379,10.0.0.2:26379/mymaster")?;
/// let limiter = RateLimiter::builder().requests(5).window(60).storage(redis).build()?;
/// assert_eq!(limiter.config().backend, "redis-sentinel");
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone)]
pub struct RedisSentinelStorage {
    pub(super) inner: Arc<Inner>,
}

impl RedisSentinelStorage {
    /// A storage by its URL: `redis+sentinel://[user:password@]host:port[,host:port ..]/service`, or `valkey+sentinel`.
    /// One sentinel suffices, several are safer. Options may stand in its query. No I/O.
    ///
    /// # Errors
    /// [`ConfigurationError`] if the URL cannot be read, or names no service.
    pub fn from_url(url: &str) -> Result<Self, ConfigurationError> {
        Self::builder().url(url).build()
    }

    /// A storage whose deadlines, credentials or certificates are set by hand.
    pub fn builder() -> RedisSentinelStorageBuilder {
        RedisSentinelStorageBuilder::default()
    }
}

/// `redis+sentinel://` and `valkey+sentinel://`.
pub(crate) fn open_sentinel(
    url: &StorageUrl,
    options: &mut StorageOptions,
) -> Result<AnyStorage, ConfigurationError> {
    let mut builder = RedisSentinelStorage::builder();
    builder.take(options)?;
    Ok(builder.url(url.secret_text()).build()?.into())
}
