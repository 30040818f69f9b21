//! Where a configuration says that its counters are.

use std::time::Duration;

use crate::error::ConfigurationError;
use crate::outage::{Ladder, Rungs, Telemetry};
use crate::storage::deny_cache::DenyCache;
use crate::storage::{AnyStorage, from_url};

/// Where a configuration says that its counters are.
pub(crate) struct Given {
    pub(crate) storage: Option<AnyStorage>,
    pub(crate) storage_url: Option<String>,
    pub(crate) redis_url: Option<String>,
    pub(crate) redis_db: Option<i64>,
    #[cfg(feature = "redis")]
    pub(crate) redis_client: Option<crate::storage::redis::RedisClient>,
}

impl Given {
    /// The storage that was given, by whatever way; a memory storage may be it.
    pub(crate) fn storage(self) -> Result<Option<AnyStorage>, ConfigurationError> {
        self.is_given_once()?;
        let no_database = |other| match self.redis_db {
            Some(redis_db) => Err(ConfigurationError::RedisDb { redis_db, other }),
            None => Ok(()),
        };
        #[cfg(feature = "redis")]
        if let Some(client) = self.redis_client {
            no_database("a client brings its own database")?;
            return Ok(Some(crate::storage::redis::RedisStorage::new(client).into()));
        }
        if let Some(url) = self.redis_url {
            return redis_by_url(&url, self.redis_db);
        }
        no_database("there is no `redis_url`")?;
        match (self.storage, self.storage_url) {
            (Some(storage), _) => Ok(Some(storage)),
            (None, Some(url)) => Ok(Some(from_url(&url, ())?)),
            (None, None) => Ok(None),
        }
    }

    /// The same under its layers, a deny cache on top; memory stays as it is.
    pub(crate) fn rungs(
        self,
        ladder: &Ladder,
        deny_cache: Option<Duration>,
        telemetry: &Telemetry,
    ) -> Result<Option<Rungs>, ConfigurationError> {
        if deny_cache.is_some_and(|max_age| max_age.is_zero()) {
            return Err(ConfigurationError::ZeroDeadline { what: "deny_cache" });
        }
        let Some(storage) = self.storage()? else { return Ok(None) };
        let mut rungs = ladder.over(storage, telemetry)?;
        if let Some(max_age) = deny_cache
            && rungs.storage.memory().is_none()
        {
            rungs.storage = DenyCache::over(rungs.storage).max_age(max_age).build()?.into();
        }
        Ok(Some(rungs))
    }

    fn is_given_once(&self) -> Result<(), ConfigurationError> {
        #[cfg(feature = "redis")]
        let client = self.redis_client.is_some();
        #[cfg(not(feature = "redis"))]
        let client = false;
        let given = [
            ("storage", self.storage.is_some()),
            ("storage_url", self.storage_url.is_some()),
            ("redis_url", self.redis_url.is_some()),
            ("redis_client", client),
        ];
        let mut given = given.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name);
        match (given.next(), given.next()) {
            (Some(one), Some(other)) => Err(ConfigurationError::TwoSources { one, other }),
            _ => Ok(()),
        }
    }
}

#[cfg(feature = "redis")]
fn redis_by_url(url: &str, redis_db: Option<i64>) -> Result<Option<AnyStorage>, ConfigurationError> {
    use crate::storage::redis::RedisStorage;
    let storage = RedisStorage::from_url_and_db(url, redis_db)?;
    Ok(Some(storage.into()))
}

#[cfg(not(feature = "redis"))]
fn redis_by_url(_url: &str, _redis_db: Option<i64>) -> Result<Option<AnyStorage>, ConfigurationError> {
    Err(ConfigurationError::FeatureOff { what: "`redis_url`", feature: "redis" })
}
