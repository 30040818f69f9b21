//! Where a configuration says that its counters are.

use crate::error::ConfigurationError;
use crate::storage::AnyStorage;

/// Where a configuration says that its counters are.
pub(crate) struct Given {
    pub(crate) storage: Option<AnyStorage>,
    pub(crate) redis_url: Option<String>,
    pub(crate) redis_db: Option<i64>,
    #[cfg(feature = "redis")]
    pub(crate) redis_client: Option<crate::storage::redis::RedisClient>,
}

/// What there is besides memory.
#[derive(Debug)]
pub(crate) enum Remote {
    None,
    /// Redis, by URL or client.
    #[cfg_attr(not(feature = "redis"), allow(dead_code))]
    Redis(AnyStorage),
    /// Whatever the user brought.
    Storage(AnyStorage),
}

impl Given {
    pub(crate) fn storage(self) -> Result<Remote, ConfigurationError> {
        let both = |one, other| Err(ConfigurationError::TwoSources { one, other });
        #[cfg(feature = "redis")]
        if let Some(client) = self.redis_client {
            if self.redis_url.is_some() {
                return both("redis_url", "redis_client");
            }
            if self.storage.is_some() {
                return both("storage", "redis_client");
            }
            if let Some(redis_db) = self.redis_db {
                let other = "a client brings its own database";
                return Err(ConfigurationError::RedisDb { redis_db, other });
            }
            return Ok(Remote::Redis(crate::storage::redis::RedisStorage::new(client).into()));
        }
        match (self.storage, self.redis_url, self.redis_db) {
            (Some(_), Some(_), _) => both("storage", "redis_url"),
            (None, Some(url), redis_db) => redis_by_url(&url, redis_db),
            (_, None, Some(redis_db)) => {
                Err(ConfigurationError::RedisDb { redis_db, other: "there is no `redis_url`" })
            }
            (Some(storage), None, None) => Ok(Remote::Storage(storage)),
            (None, None, None) => Ok(Remote::None),
        }
    }
}

#[cfg(feature = "redis")]
fn redis_by_url(url: &str, redis_db: Option<i64>) -> Result<Remote, ConfigurationError> {
    use crate::storage::redis::RedisStorage;
    let storage = RedisStorage::from_url_and_db(url, redis_db)?;
    Ok(Remote::Redis(storage.into()))
}

#[cfg(not(feature = "redis"))]
fn redis_by_url(_url: &str, _redis_db: Option<i64>) -> Result<Remote, ConfigurationError> {
    Err(ConfigurationError::FeatureOff { what: "`redis_url`", feature: "redis" })
}
