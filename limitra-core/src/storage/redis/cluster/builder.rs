//! A Redis Cluster storage's settings.

use std::fmt;
use std::time::Duration;

use super::RedisClusterStorage;
use super::nodes::{Address, Nodes};
use crate::error::{ConfigurationError, UrlProblem};
use crate::storage::options::Flag;
use crate::storage::redis::builder::common_setters;
use crate::storage::redis::settings::{Settings, or_else};
use crate::storage::redis::url;
use crate::storage::{StorageOptions, StorageUrl};

/// How often a command that was not run is sent again by default.
const MAX_RETRIES: u32 = 16;

/// The settings of a [`RedisClusterStorage`], chained and ended by [`RedisClusterStorageBuilder::build`].
///
/// ```
/// use limitra_core::{AnyStorage, RedisClusterStorage};
///
/// let storage = RedisClusterStorage::builder()
///     .startup_nodes("10.0.0.1:7000,[fd00::2]:7000")
///     .key_prefix("{shop}")
///     .build()?;
/// assert_eq!(AnyStorage::from(storage).bounds().subjects, usize::MAX);
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone, Default)]
pub struct RedisClusterStorageBuilder {
    url: Option<String>,
    startup_nodes: Option<String>,
    max_retries: Option<u32>,
    tls: Option<bool>,
    settings: Settings,
}

impl RedisClusterStorageBuilder {
    /// Where the cluster is; see [`RedisClusterStorage::from_url`].
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// Nodes to begin with, `host:port` each, with commas between them, in place of a URL or where it names none.
    pub fn startup_nodes(mut self, nodes: impl Into<String>) -> Self {
        self.startup_nodes = Some(nodes.into());
        self
    }

    /// How often a command that was not run is sent again: redirected, or after a pause; default 16.
    pub fn max_retries(mut self, max_retries: u32) -> Self {
        self.max_retries = Some(max_retries);
        self
    }

    /// Whether the nodes speak TLS; default: if there is a certificate authority.
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
        or_else(&mut self.startup_nodes, options.take("startup_nodes"));
        or_else(&mut self.max_retries, options.take_parsed("max_retries", "how often, at least 1")?);
        or_else(&mut self.tls, options.take_parsed::<Flag>("ssl", Flag::EXPECTED)?.map(|flag| flag.0));
        Ok(())
    }

    /// The storage. No I/O.
    ///
    /// # Errors
    /// [`ConfigurationError`] if there is no node, a node or the URL cannot be read, or has an unknown option, or a bound
    /// is zero.
    pub fn build(mut self) -> Result<RedisClusterStorage, ConfigurationError> {
        let url: StorageUrl = self.url.as_deref().unwrap_or("redis+cluster://").parse()?;
        if !matches!(url.scheme(), "redis+cluster" | "valkey+cluster") {
            let problem =
                UrlProblem::Part { part: "scheme", problem: "is not redis+cluster or valkey+cluster" };
            return Err(url.problem_like(problem, "redis+cluster://10.0.0.1:7000,10.0.0.2:7000"));
        }
        if !matches!(url.path(), "" | "/" | "/0") {
            let problem = "names a database, and a cluster has only one";
            return Err(url.problem(UrlProblem::Part { part: "path", problem }));
        }
        let mut options = url::query(&url)?;
        self.take(&mut options)?;
        options.end(url.scheme())?;
        if self.max_retries == Some(0) {
            return Err(ConfigurationError::ZeroRetries);
        }
        let seeds = self.seeds(&url)?;
        let tls = self.tls.unwrap_or(self.settings.ca_certificate.is_some());
        if !tls && self.settings.ca_certificate.is_some() {
            return Err(ConfigurationError::CertificateWithoutTls { to: "`ssl` is false, so the cluster" });
        }
        let access = self.settings.access(&url, 0, tls)?;
        let nodes = Nodes::new(seeds, access, self.settings.deadlines()?);
        let max_retries = self.max_retries.unwrap_or(MAX_RETRIES);
        Ok(RedisClusterStorage::new(nodes, self.settings.key_prefix()?, max_retries))
    }

    /// The nodes to begin with.
    fn seeds(&self, url: &StorageUrl) -> Result<Vec<Address>, ConfigurationError> {
        let addresses = match (&self.startup_nodes, url.hosts()) {
            (Some(nodes), []) => format!("redis+cluster://{nodes}").parse::<StorageUrl>()?.addresses()?,
            (Some(_), _) => {
                return Err(ConfigurationError::TwoSources { one: "url", other: "startup_nodes" });
            }
            (None, _) => url.addresses()?,
        };
        Ok(addresses.into_iter().map(|(host, port)| Address { host, port }).collect())
    }
}

impl fmt::Debug for RedisClusterStorageBuilder {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisClusterStorageBuilder").finish_non_exhaustive()
    }
}
