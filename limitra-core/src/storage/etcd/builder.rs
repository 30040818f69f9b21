//! An etcd storage's settings.

use std::fmt;
use std::time::Duration;

use etcd_client::Client;

use super::EtcdStorage;
use super::client::{Credentials, EtcdClient};
use super::register::EtcdRegister;
use crate::backend::Backend;
use crate::error::{ConfigurationError, UrlProblem};
use crate::storage::connections::Connections;
use crate::storage::deadline::deadline;
use crate::storage::key_prefix::KeyPrefix;
use crate::storage::register::RegisterStorage;
use crate::storage::{StorageOptions, StorageUrl};

/// How long a decision's read, and its write, may take by default.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a connection may take to be made by default.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The settings of an [`EtcdStorage`], chained and ended by [`EtcdStorageBuilder::build`].
///
/// ```
/// use limitra_core::EtcdStorage;
/// use std::time::Duration;
///
/// let storage = EtcdStorage::builder()
///     .url("etcd://10.0.0.1:2379,10.0.0.2:2379")
///     .key_prefix("shop")
///     .response_timeout(Duration::from_secs(2))
///     .build()?;
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone, Default)]
pub struct EtcdStorageBuilder {
    url: Option<String>,
    client: Option<Client>,
    settings: Settings,
}

/// What can be set for a client of the user's as well.
#[derive(Clone, Default)]
struct Settings {
    key_prefix: Option<String>,
    response_timeout: Option<Duration>,
    connect_timeout: Option<Duration>,
    max_retries: Option<u32>,
}

impl EtcdStorageBuilder {
    /// Where etcd is; see [`EtcdStorage::from_url`].
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// A client of your own in place of a URL; see [`EtcdStorage::new`].
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// What stands before every key, with a colon behind it; default: nothing.
    pub fn key_prefix(mut self, key_prefix: impl Into<String>) -> Self {
        self.settings.key_prefix = Some(key_prefix.into());
        self
    }

    /// How long a decision's read, and its write, may take; default 500 ms each.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.settings.response_timeout = Some(timeout);
        self
    }

    /// How long making a connection may take, all endpoints together; default 1 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = Some(timeout);
        self
    }

    /// How often a decision is tried while other processes change the same record; default 64.
    pub fn max_retries(mut self, max_retries: u32) -> Self {
        self.settings.max_retries = Some(max_retries);
        self
    }

    /// The storage. No I/O.
    ///
    /// # Errors
    /// [`ConfigurationError`] if there is neither URL nor client, or both, the URL cannot be read, or a setting cannot be.
    pub fn build(self) -> Result<EtcdStorage, ConfigurationError> {
        match (self.url, self.client) {
            (Some(url), None) => {
                let url: StorageUrl = url.parse()?;
                if url.scheme() != "etcd" {
                    return Err(url.problem(UrlProblem::Part { part: "scheme", problem: "is not `etcd`" }));
                }
                let mut options = StorageOptions::new();
                options.read_query(&url, None)?;
                let storage = self.settings.open(&url, &mut options)?;
                options.end(url.scheme())?;
                Ok(storage)
            }
            (None, Some(client)) => self.settings.over(client),
            (Some(_), Some(_)) => Err(ConfigurationError::TwoSources { one: "url", other: "client" }),
            (None, None) => Err(ConfigurationError::NoSuchBackend { backend: Backend::Etcd }),
        }
    }
}

/// A storage by its URL; what stands in the options is taken from them.
pub(super) fn open(
    url: &StorageUrl,
    options: &mut StorageOptions,
) -> Result<EtcdStorage, ConfigurationError> {
    Settings::default().open(url, options)
}

/// A storage over a client, with the defaults.
pub(super) fn over(client: Client) -> RegisterStorage {
    let connections = Connections::new("etcd", EtcdClient::of(client), CONNECT_TIMEOUT);
    RegisterStorage::new(EtcdRegister::new(connections, KeyPrefix::default(), RESPONSE_TIMEOUT))
}

impl Settings {
    fn open(
        mut self,
        url: &StorageUrl,
        options: &mut StorageOptions,
    ) -> Result<EtcdStorage, ConfigurationError> {
        let common = options.take_common()?;
        let max_retries = options.take_parsed("max_retries", "a number of tries, at least 1")?;
        self.response_timeout = self.response_timeout.or(common.response_timeout);
        self.connect_timeout = self.connect_timeout.or(common.connect_timeout);
        self.max_retries = self.max_retries.or(max_retries);
        let key_prefix = self.key_prefix(common.key_prefix)?;
        let endpoints = endpoints(url)?;
        let client = EtcdClient::to(endpoints, credentials(url)?, &key_prefix, self.connect_timeout()?);
        self.storage(client, key_prefix)
    }

    fn over(self, client: Client) -> Result<EtcdStorage, ConfigurationError> {
        let key_prefix = self.key_prefix(KeyPrefix::default())?;
        self.storage(EtcdClient::of(client), key_prefix)
    }

    fn storage(&self, client: EtcdClient, key_prefix: KeyPrefix) -> Result<EtcdStorage, ConfigurationError> {
        let response_timeout = deadline("response_timeout", self.response_timeout, RESPONSE_TIMEOUT)?;
        let connections = Connections::new("etcd", client, self.connect_timeout()?);
        let storage = RegisterStorage::new(EtcdRegister::new(connections, key_prefix, response_timeout));
        Ok(EtcdStorage(match self.max_retries {
            Some(max_retries) => storage.max_retries(max_retries)?,
            None => storage,
        }))
    }

    fn key_prefix(&self, otherwise: KeyPrefix) -> Result<KeyPrefix, ConfigurationError> {
        self.key_prefix.clone().map_or(Ok(otherwise), KeyPrefix::new)
    }

    fn connect_timeout(&self) -> Result<Duration, ConfigurationError> {
        deadline("connect_timeout", self.connect_timeout, CONNECT_TIMEOUT)
    }
}

/// The servers as `host:port`.
fn endpoints(url: &StorageUrl) -> Result<Vec<String>, ConfigurationError> {
    url.addresses()?;
    if !matches!(url.path(), "" | "/") {
        return Err(url.problem(UrlProblem::Part { part: "path", problem: "means nothing to etcd" }));
    }
    let is_usual = |letter: char| letter.is_ascii_alphanumeric() || "-._:".contains(letter);
    match url.hosts().iter().find(|host| !host.name.chars().all(is_usual)) {
        Some(host) => Err(url.problem(UrlProblem::BadHost { host: host.name.clone() })),
        None => Ok(url.hosts().iter().map(ToString::to_string).collect()),
    }
}

fn credentials(url: &StorageUrl) -> Result<Option<Credentials>, ConfigurationError> {
    let missing =
        |part| url.problem(UrlProblem::Part { part, problem: "is missing; etcd needs both or none" });
    match (url.username(), url.password()) {
        (Some(user), Some(password)) => {
            Ok(Some(Credentials { user: user.to_owned(), password: password.to_owned() }))
        }
        (None, None) => Ok(None),
        (Some(_), None) => Err(missing("password")),
        (None, Some(_)) => Err(missing("user")),
    }
}

impl fmt::Debug for EtcdStorageBuilder {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdStorageBuilder").finish_non_exhaustive()
    }
}
