//! A Redis storage's settings.

use std::fmt;
use std::time::Duration;

use super::client::RedisClient;
use super::settings::{Settings, or_else};
use super::url::{self, Place};
use super::{NAME, RedisStorage};
use crate::error::ConfigurationError;
use crate::storage::{StorageOptions, StorageUrl};

/// The settings of a [`RedisStorage`], chained and ended by [`RedisStorageBuilder::build`].
///
/// ```
/// use limitra_core::RedisStorage;
/// use std::time::Duration;
///
/// let storage = RedisStorage::builder()
///     .url("redis://127.0.0.1:6379")
///     .key_prefix("shop")
///     .response_timeout(Duration::from_millis(100))
///     .build()?;
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone, Default)]
pub struct RedisStorageBuilder {
    url: Option<String>,
    client: Option<RedisClient>,
    redis_db: Option<i64>,
    settings: Settings,
    /// An option beside the URL, which wins over it.
    db: Option<i64>,
}

/// Setters that the builders of every way to Redis have.
macro_rules! common_setters {
    () => {
        /// What every key begins with, and a colon; default: nothing. It keeps apart what shares a server.
        pub fn key_prefix(mut self, key_prefix: impl Into<String>) -> Self {
            self.settings.key_prefix = Some(key_prefix.into());
            self
        }

        /// The user, in place of the URL's.
        pub fn username(mut self, username: impl Into<String>) -> Self {
            self.settings.username = Some(username.into());
            self
        }

        /// The password, in place of the URL's.
        pub fn password(mut self, password: impl Into<String>) -> Self {
            self.settings.password = Some(password.into());
            self
        }

        /// How long a command may take; default 500 ms.
        pub fn response_timeout(mut self, timeout: Duration) -> Self {
            self.settings.response_timeout = Some(timeout);
            self
        }

        /// How long making a connection may take; default 1 s.
        pub fn connect_timeout(mut self, timeout: Duration) -> Self {
            self.settings.connect_timeout = Some(timeout);
            self
        }

        /// The certificate authority that signed the server's certificate, as PEM text; default: the usual public ones.
        #[cfg(feature = "redis-tls")]
        #[cfg_attr(docsrs, doc(cfg(feature = "redis-tls")))]
        pub fn ca_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
            self.settings.ca_certificate = Some(pem.into());
            self
        }
    };
}
#[cfg(any(feature = "redis-cluster", feature = "redis-sentinel"))]
pub(super) use common_setters;

impl RedisStorageBuilder {
    /// Where Redis is; see [`RedisStorage::from_url`].
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// A client, a connection or a pool in place of a URL.
    pub fn client(mut self, client: impl Into<RedisClient>) -> Self {
        self.client = Some(client.into());
        self
    }

    /// The database, if the URL does not name one.
    pub fn redis_db(mut self, redis_db: i64) -> Self {
        self.redis_db = Some(redis_db);
        self
    }

    common_setters!();

    /// Takes what was not said already.
    pub(super) fn take(&mut self, options: &mut StorageOptions) -> Result<(), ConfigurationError> {
        or_else(&mut self.settings.username, options.take("user"));
        or_else(&mut self.settings.password, options.take("pass"));
        self.settings.take(options)?;
        or_else(&mut self.db, options.take_parsed("db", "the number of a database, from 0")?);
        Ok(())
    }

    /// The storage. No I/O.
    ///
    /// # Errors
    /// [`ConfigurationError`] if there is neither URL nor client, or both, the URL cannot be read or has an unknown option,
    /// or a deadline is zero.
    pub fn build(mut self) -> Result<RedisStorage, ConfigurationError> {
        let client = match (self.url.take(), self.client.take(), self.redis_db) {
            (Some(url), None, _) => self.client_of(&url.parse()?)?,
            (None, Some(_), Some(redis_db)) => {
                return Err(ConfigurationError::RedisDb {
                    redis_db,
                    other: "a client brings its own database",
                });
            }
            (None, Some(client), None) => {
                self.client_suffices()?;
                client
            }
            (Some(_), Some(_), _) => {
                return Err(ConfigurationError::TwoSources { one: "url", other: "client" });
            }
            (None, None, _) => return Err(ConfigurationError::NoRedisClient),
        };
        Ok(RedisStorage::of(NAME, client, self.settings.key_prefix()?, &self.settings.deadlines()?))
    }

    /// A setting that is given in vain would leave the connection in clear, or be another's.
    fn client_suffices(&self) -> Result<(), ConfigurationError> {
        if self.settings.ca_certificate.is_some() {
            return Err(ConfigurationError::CertificateWithoutTls { to: "a client of your own" });
        }
        let given = [("username", &self.settings.username), ("password", &self.settings.password)];
        match given.into_iter().find(|(_, value)| value.is_some()) {
            Some((other, _)) => Err(ConfigurationError::Both { one: "client", other }),
            None => Ok(()),
        }
    }

    fn client_of(&mut self, url: &StorageUrl) -> Result<RedisClient, ConfigurationError> {
        let place = url::place(url)?;
        // Before the options of the URL are taken, which name it as well.
        let db = self.database(url::database(url, &place)?)?;
        let mut options = url::query(url)?;
        self.take(&mut options)?;
        options.end(url.scheme())?;
        match place {
            Place::Tcp { host, port, tls } => {
                if self.settings.ca_certificate.is_some() && !tls {
                    return Err(ConfigurationError::CertificateWithoutTls { to: "the url" });
                }
                Ok(self.settings.access(url, db, tls)?.way_to(&host, port).into())
            }
            Place::Socket { path } => Ok(self.settings.access(url, db, false)?.way_to_socket(&path).into()),
        }
    }

    fn database(&self, named: Option<i64>) -> Result<i64, ConfigurationError> {
        match (self.redis_db, self.db, named) {
            (Some(redis_db), ..) if redis_db < 0 => {
                Err(ConfigurationError::RedisDb { redis_db, other: "a database is numbered from 0" })
            }
            (Some(redis_db), _, Some(named)) if redis_db != named => {
                Err(ConfigurationError::RedisDb { redis_db, other: "the url names another database" })
            }
            (Some(redis_db), ..) => Ok(redis_db),
            (None, Some(db), _) if db < 0 => {
                let (value, expected) = (db.to_string(), "the number of a database, from 0");
                Err(ConfigurationError::StorageOption { name: "db", value, expected })
            }
            (None, beside, named) => Ok(beside.or(named).unwrap_or(0)),
        }
    }
}

impl fmt::Debug for RedisStorageBuilder {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStorageBuilder").finish_non_exhaustive()
    }
}
