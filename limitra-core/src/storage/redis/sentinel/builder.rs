//! A Redis Sentinel storage's settings.

use std::fmt;
use std::time::Duration;

use super::sentinels::{Sentinel, Sentinels};
use super::{NAME, RedisSentinelStorage};
use crate::error::{ConfigurationError, UrlProblem};
use crate::storage::options::Flag;
use crate::storage::redis::RedisStorage;
use crate::storage::redis::access::Credentials;
use crate::storage::redis::builder::common_setters;
use crate::storage::redis::client::RedisClient;
use crate::storage::redis::settings::{Settings, or_else};
use crate::storage::redis::url;
use crate::storage::{StorageOptions, StorageUrl};

/// The settings of a [`RedisSentinelStorage`], chained and ended by [`RedisSentinelStorageBuilder::build`].
///
/// ```
/// use limitra_core::RedisSentinelStorage;
///
/// let storage = RedisSentinelStorage::builder()
///     .url("redis+sentinel://10.0.0.1:26379,10.0.0.2:26379")
///     .service_name("mymaster")
///     .password("the master's")
///     .sentinel_password("the sentinels'")
///     .build()?;
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone, Default)]
pub struct RedisSentinelStorageBuilder {
    url: Option<String>,
    service_name: Option<String>,
    sentinel_username: Option<String>,
    sentinel_password: Option<String>,
    redis_db: Option<i64>,
    tls: Option<bool>,
    settings: Settings,
}

impl RedisSentinelStorageBuilder {
    /// Where the sentinels are; see [`RedisSentinelStorage::from_url`].
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// The service, by the name that the sentinels know it by, in place of the URL's.
    pub fn service_name(mut self, service_name: impl Into<String>) -> Self {
        self.service_name = Some(service_name.into());
        self
    }

    /// The user to the sentinels; default: the URL's.
    pub fn sentinel_username(mut self, username: impl Into<String>) -> Self {
        self.sentinel_username = Some(username.into());
        self
    }

    /// The password to the sentinels; default: the URL's, and none if a sentinel does not take that.
    pub fn sentinel_password(mut self, password: impl Into<String>) -> Self {
        self.sentinel_password = Some(password.into());
        self
    }

    /// The master's database; default 0.
    pub fn redis_db(mut self, redis_db: i64) -> Self {
        self.redis_db = Some(redis_db);
        self
    }

    /// Whether the sentinels and the servers speak TLS; default: if there is a certificate authority.
    #[cfg(feature = "redis-tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "redis-tls")))]
    pub fn tls(mut self, tls: bool) -> Self {
        self.tls = Some(tls);
        self
    }

    common_setters!();

    /// Takes what was not said already.
    pub(super) fn take(&mut self, options: &mut StorageOptions) -> Result<(), ConfigurationError> {
        self.settings.take(options)?;
        or_else(&mut self.service_name, options.take("service_name"));
        or_else(&mut self.sentinel_username, options.take("sentinel_username"));
        or_else(&mut self.sentinel_password, options.take("sentinel_password"));
        or_else(&mut self.redis_db, options.take_parsed("db", "the number of a database, from 0")?);
        or_else(&mut self.tls, options.take_parsed::<Flag>("ssl", Flag::EXPECTED)?.map(|flag| flag.0));
        Ok(())
    }

    /// The storage. No I/O.
    ///
    /// # Errors
    /// [`ConfigurationError`] if the URL cannot be read, or has an unknown option, there is no sentinel or no `service_name`,
    /// or a deadline is zero.
    pub fn build(mut self) -> Result<RedisSentinelStorage, ConfigurationError> {
        let url: StorageUrl = self.url.as_deref().unwrap_or("redis+sentinel://").parse()?;
        if !matches!(url.scheme(), "redis+sentinel" | "valkey+sentinel") {
            let problem =
                UrlProblem::Part { part: "scheme", problem: "is not redis+sentinel or valkey+sentinel" };
            return Err(url.problem_like(problem, "redis+sentinel://10.0.0.1:26379,10.0.0.2:26379/mymaster"));
        }
        let mut options = url::query(&url)?;
        self.take(&mut options)?;
        options.end(url.scheme())?;
        let sentinels = self.sentinels(&url, url.addresses()?)?;
        let client = RedisClient::of_sentinels(sentinels);
        let (key_prefix, deadlines) = (self.settings.key_prefix()?, self.settings.deadlines()?);
        let RedisStorage { inner } = RedisStorage::of(NAME, client, key_prefix, &deadlines);
        Ok(RedisSentinelStorage { inner })
    }

    fn sentinels(
        &self,
        url: &StorageUrl,
        addresses: Vec<(String, u16)>,
    ) -> Result<Sentinels, ConfigurationError> {
        let named = url.path().trim_matches('/');
        let service = self.service_name.as_deref().unwrap_or(named);
        if service.is_empty() {
            let problem = "names no service; give one there or as `service_name`";
            return Err(url.problem(UrlProblem::Part { part: "path", problem }));
        }
        let db = self.redis_db.unwrap_or(0);
        if db < 0 {
            return Err(ConfigurationError::RedisDb { redis_db: db, other: "a database is numbered from 0" });
        }
        let tls = self.tls.unwrap_or(self.settings.ca_certificate.is_some());
        if !tls && self.settings.ca_certificate.is_some() {
            return Err(ConfigurationError::CertificateWithoutTls { to: "`ssl` is false, so the server" });
        }
        let is_theirs = self.sentinel_username.is_some() || self.sentinel_password.is_some();
        let (username, password) = if is_theirs {
            (self.sentinel_username.as_deref(), self.sentinel_password.as_deref())
        } else {
            (url.username(), url.password())
        };
        let to_sentinel = self.settings.access_as(Credentials { username, password }, 0, tls)?;
        let plain = self.settings.access_as(Credentials::default(), 0, tls)?;
        let has_plain = !is_theirs && password.is_some();
        let sentinels = addresses.into_iter().map(|(host, port)| Sentinel {
            way: to_sentinel.way_to(&host, port),
            plain: has_plain.then(|| plain.way_to(&host, port)),
        });
        let access = self.settings.access(url, db, tls)?;
        Ok(Sentinels { all: sentinels.collect(), service: service.to_owned(), access })
    }
}

impl fmt::Debug for RedisSentinelStorageBuilder {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSentinelStorageBuilder").finish_non_exhaustive()
    }
}
