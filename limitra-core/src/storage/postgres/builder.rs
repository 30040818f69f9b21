//! A PostgreSQL storage's settings.

use std::fmt;
use std::time::Duration;

use deadpool_postgres::Pool;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use super::connect::{Connector, Settings, Source};
use super::sql::{Sql, TABLE_NAME};
use super::table::Table;
use super::{CONNECT_TIMEOUT, PostgresStorage, RESPONSE_TIMEOUT, url};
use crate::error::{ConfigurationError, UrlProblem};
use crate::storage::deadline::deadline;
use crate::storage::key_prefix::KeyPrefix;
use crate::storage::options::Flag;
use crate::storage::register::RegisterStorage;
use crate::storage::{StorageOptions, StorageUrl};

/// The settings of a [`PostgresStorage`], chained and ended by [`PostgresStorageBuilder::build`].
///
/// ```
/// use limitra_core::PostgresStorage;
/// use std::time::Duration;
///
/// let storage = PostgresStorage::builder()
///     .url("postgres://shop@127.0.0.1/shop")
///     .table_name("limits.records")
///     .response_timeout(Duration::from_millis(200))
///     .build()?;
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone, Default)]
pub struct PostgresStorageBuilder {
    url: Option<String>,
    pool: Option<Pool>,
    table_name: Option<String>,
    create_table: Option<bool>,
    key_prefix: Option<String>,
    response_timeout: Option<Duration>,
    connect_timeout: Option<Duration>,
    max_retries: Option<u32>,
    #[cfg(feature = "postgres-tls")]
    ca_certificate: Option<Vec<u8>>,
}

impl PostgresStorageBuilder {
    /// Where PostgreSQL is; see [`PostgresStorage::from_url`]. What is set here wins over the URL's query.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// A pool in place of a URL; see [`PostgresStorage::new`].
    pub fn pool(mut self, pool: Pool) -> Self {
        self.pool = Some(pool);
        self
    }

    /// The table, or schema and table with a dot between, each of at most 48 ASCII letters, digits and underscores and
    /// used as it is written; default `limitra_records`.
    pub fn table_name(mut self, table_name: impl Into<String>) -> Self {
        self.table_name = Some(table_name.into());
        self
    }

    /// Whether the first connection makes the table if there is none; default yes. If not, run
    /// [`PostgresStorage::migration`].
    pub fn create_table(mut self, create_table: bool) -> Self {
        self.create_table = Some(create_table);
        self
    }

    /// What stands before every key, with a colon behind it: 1 to 128 printable ASCII characters; default nothing.
    pub fn key_prefix(mut self, key_prefix: impl Into<String>) -> Self {
        self.key_prefix = Some(key_prefix.into());
        self
    }

    /// How long a statement may take; default 500 ms. A decision takes up to two.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = Some(timeout);
        self
    }

    /// How long making a connection may take, the table included; default 1 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// How often a decision is tried if other processes are faster; default 64.
    pub fn max_retries(mut self, max_retries: u32) -> Self {
        self.max_retries = Some(max_retries);
        self
    }

    /// The certificate authority that signed the server's certificate, as PEM text; default: the usual public ones.
    #[cfg(feature = "postgres-tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "postgres-tls")))]
    pub fn ca_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_certificate = Some(pem.into());
        self
    }

    /// The storage. No I/O.
    ///
    /// # Errors
    /// [`ConfigurationError`] if there is neither URL nor pool, or both, the URL or a setting cannot be used, or a
    /// deadline is zero.
    pub fn build(self) -> Result<PostgresStorage, ConfigurationError> {
        let Some(url) = self.url.clone() else { return self.build_by_pool() };
        let url: StorageUrl = url.parse()?;
        let mut options = StorageOptions::new();
        let storage = self.build_by_url(&url, &mut options)?;
        options.end(url.scheme())?;
        Ok(storage)
    }

    /// The storage at a URL, with these options and those in its query.
    pub(super) fn build_by_url(
        mut self,
        url: &StorageUrl,
        options: &mut StorageOptions,
    ) -> Result<PostgresStorage, ConfigurationError> {
        if self.pool.is_some() {
            return Err(ConfigurationError::TwoSources { one: "url", other: "pool" });
        }
        options.read_query(url, Some(url::OWN_OPTIONS))?;
        let common = options.take_common()?;
        self.response_timeout = self.response_timeout.or(common.response_timeout);
        self.connect_timeout = self.connect_timeout.or(common.connect_timeout);
        self.key_prefix = self.key_prefix.or(common.key_prefix.text().map(str::to_owned));
        self.table_name = self.table_name.or(options.take("table_name"));
        let create_table = options.take_parsed::<Flag>("create_table", Flag::EXPECTED)?;
        self.create_table = self.create_table.or(create_table.map(|flag| flag.0));
        self.max_retries =
            self.max_retries.or(options.take_parsed("max_retries", "a number of tries, at least 1")?);
        let certificates = options.take("ssl_ca_certs");
        let mut config = url::config(url)?;
        let connect_timeout = deadline("connect_timeout", self.connect_timeout, CONNECT_TIMEOUT)?;
        let servers = config.get_hosts().len().max(config.get_hostaddrs().len());
        // Of several servers one that is silent leaves time to ask the others.
        config.connect_timeout(connect_timeout / u32::try_from(servers).unwrap_or(u32::MAX).max(1));
        let source = self.source(config, certificates, url)?;
        self.build_by(source)
    }

    fn build_by_pool(mut self) -> Result<PostgresStorage, ConfigurationError> {
        let Some(pool) = self.pool.take() else {
            let nowhere: StorageUrl = "postgres://".parse()?;
            return Err(nowhere.problem(UrlProblem::NoHost));
        };
        #[cfg(feature = "postgres-tls")]
        if self.ca_certificate.is_some() {
            return Err(ConfigurationError::CertificateWithoutTls { to: "a pool of your own" });
        }
        self.build_by(Source::Pool(pool))
    }

    fn build_by(self, source: Source) -> Result<PostgresStorage, ConfigurationError> {
        let response_timeout = deadline("response_timeout", self.response_timeout, RESPONSE_TIMEOUT)?;
        let connect_timeout = deadline("connect_timeout", self.connect_timeout, CONNECT_TIMEOUT)?;
        let sql = Sql::new(self.table_name.as_deref().unwrap_or(TABLE_NAME))?;
        let key_prefix = self.key_prefix.map(KeyPrefix::new).transpose()?.unwrap_or_default();
        let create_table = self.create_table.unwrap_or(true);
        let connector =
            Connector::new(Settings { source, sql, create_table, connect_timeout, response_timeout });
        let table = Table::new(connector, connect_timeout, response_timeout, key_prefix);
        let storage = RegisterStorage::new(table.clone());
        let storage = match self.max_retries {
            Some(max_retries) => storage.max_retries(max_retries)?,
            None => storage,
        };
        Ok(PostgresStorage { storage, table })
    }

    #[cfg(not(feature = "postgres-tls"))]
    #[allow(clippy::unused_self)] // The certificate is for TLS only.
    fn source(
        &self,
        config: Config,
        certificates: Option<String>,
        _: &StorageUrl,
    ) -> Result<Source, ConfigurationError> {
        let off = |what| Err(ConfigurationError::FeatureOff { what, feature: "postgres-tls" });
        match (certificates, config.get_ssl_mode()) {
            (Some(_), _) => off("`ssl_ca_certs`"),
            (None, SslMode::Require) => off("`sslmode=require`"),
            _ => Ok(Source::Config { config: Box::new(config) }),
        }
    }

    #[cfg(feature = "postgres-tls")]
    fn source(
        &self,
        config: Config,
        certificates: Option<String>,
        url: &StorageUrl,
    ) -> Result<Source, ConfigurationError> {
        let pem = match (&self.ca_certificate, certificates) {
            (Some(pem), _) => Some(pem.clone()),
            (None, Some(path)) => Some(std::fs::read(&path).map_err(|_| {
                let expected = "the path of a PEM file that can be read";
                ConfigurationError::StorageOption { name: "ssl_ca_certs", value: path, expected }
            })?),
            (None, None) => None,
        };
        let tls = match (config.get_ssl_mode(), &pem) {
            (SslMode::Require, _) => Some(super::tls::Rustls::new(pem.as_deref())?),
            // A certificate that is given in vain would leave the connection in clear.
            (_, Some(_)) => {
                let problem = "is not require, but a certificate authority is given";
                return Err(url.problem(UrlProblem::Part { part: "sslmode", problem }));
            }
            (_, None) => None,
        };
        Ok(Source::Config { config: Box::new(config), tls })
    }
}

impl fmt::Debug for PostgresStorageBuilder {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStorageBuilder").finish_non_exhaustive()
    }
}
