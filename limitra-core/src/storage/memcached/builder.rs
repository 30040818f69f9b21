//! A memcached storage's settings.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::address::{Address, Credentials};
use super::connection::Connector;
use super::register::MemcachedRegister;
use super::{MemcachedStorage, NAME};
use crate::error::{ConfigurationError, UrlProblem};
use crate::storage::connections::Connections;
use crate::storage::deadline::deadline;
use crate::storage::key_prefix::KeyPrefix;
use crate::storage::register::RegisterStorage;
use crate::storage::{StorageOptions, StorageUrl};

/// How long a command may take by default.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a connection may take to be made by default.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How large an item may be by default, there and here.
const MAX_ITEM_SIZE: usize = 1024 * 1024;
/// What an item may have beside its value: a header, a key of 250 bytes, the pointers between its chunks.
const AROUND_VALUE: usize = 512;
/// The smallest and the largest that memcached can be told.
const ITEM_SIZES: std::ops::RangeInclusive<usize> = 1024..=1024 * 1024 * 1024;

/// The settings of a [`MemcachedStorage`], chained and ended by [`MemcachedStorageBuilder::build`].
///
/// ```
/// use limitra_core::MemcachedStorage;
/// use std::time::Duration;
///
/// let storage = MemcachedStorage::builder()
///     .url("memcached://127.0.0.1:11211")
///     .key_prefix("shop")
///     .response_timeout(Duration::from_millis(100))
///     .build()?;
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone, Default)]
pub struct MemcachedStorageBuilder {
    url: Option<String>,
    key_prefix: Option<String>,
    response_timeout: Option<Duration>,
    connect_timeout: Option<Duration>,
    max_item_size: Option<usize>,
    max_retries: Option<u32>,
}

impl MemcachedStorageBuilder {
    /// Where memcached is; see [`MemcachedStorage::from_url`].
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// What stands before every key, so that [`reset`](crate::Storage::reset) removes these and no others; default: nothing.
    pub fn key_prefix(mut self, key_prefix: impl Into<String>) -> Self {
        self.key_prefix = Some(key_prefix.into());
        self
    }

    /// How long a command may take; default 500 ms.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = Some(timeout);
        self
    }

    /// How long making a connection may take; default 1 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// How many bytes an item may have, as the servers were told by `-I`; default 1 MiB, theirs. What a moving
    /// window may count follows from it.
    pub fn max_item_size(mut self, bytes: usize) -> Self {
        self.max_item_size = Some(bytes);
        self
    }

    /// How often a decision is tried while others change the same record; default 64.
    pub fn max_retries(mut self, max_retries: u32) -> Self {
        self.max_retries = Some(max_retries);
        self
    }

    /// The storage. No I/O.
    ///
    /// # Errors
    /// [`ConfigurationError`] if there is no URL, it or an option in its query cannot be read, or a setting is out of
    /// range.
    pub fn build(mut self) -> Result<MemcachedStorage, ConfigurationError> {
        let url: StorageUrl = self.url.take().unwrap_or_else(|| format!("{NAME}://")).parse()?;
        let mut options = StorageOptions::new();
        options.read_query(&url, None)?;
        let builder = self.read(&mut options)?;
        options.end(url.scheme())?;
        builder.open(&url)
    }

    /// The same with these options where nothing was set by hand.
    pub(super) fn read(mut self, options: &mut StorageOptions) -> Result<Self, ConfigurationError> {
        let given = options.take_common()?;
        let max_item_size = options.take_parsed("max_item_size", EXPECTED_ITEM_SIZE)?;
        let max_retries = options.take_parsed("max_retries", "a whole number from 1 on")?;
        self.key_prefix = self.key_prefix.or_else(|| given.key_prefix.text().map(str::to_owned));
        self.response_timeout = self.response_timeout.or(given.response_timeout);
        self.connect_timeout = self.connect_timeout.or(given.connect_timeout);
        self.max_item_size = self.max_item_size.or(max_item_size);
        self.max_retries = self.max_retries.or(max_retries);
        Ok(self)
    }

    /// The storage at this URL.
    pub(super) fn open(self, url: &StorageUrl) -> Result<MemcachedStorage, ConfigurationError> {
        if url.scheme() != NAME {
            let scheme = url.scheme().to_owned();
            return Err(ConfigurationError::UnknownScheme { scheme, known: NAME.to_owned() });
        }
        let key_prefix = self.key_prefix.map(KeyPrefix::new).transpose()?.unwrap_or_default();
        let response_timeout = deadline("response_timeout", self.response_timeout, RESPONSE_TIMEOUT)?;
        let connect_timeout = deadline("connect_timeout", self.connect_timeout, CONNECT_TIMEOUT)?;
        let max_item_size = self.max_item_size.unwrap_or(MAX_ITEM_SIZE);
        if !ITEM_SIZES.contains(&max_item_size) {
            return Err(ConfigurationError::StorageOption {
                name: "max_item_size",
                value: max_item_size.to_string(),
                expected: EXPECTED_ITEM_SIZE,
            });
        }
        let credentials = Credentials::of(url)?;
        let mut servers: Vec<Connections<Connector>> = Vec::new();
        for address in Address::all(url)? {
            if servers.iter().any(|server| *server.connector().address() == address) {
                let problem = "is named twice";
                return Err(url.problem(UrlProblem::Part { part: "host", problem }));
            }
            let connector = Connector::new(address, credentials.clone(), response_timeout, max_item_size);
            servers.push(Connections::new(NAME, connector, connect_timeout));
        }
        let record_bytes = max_item_size - AROUND_VALUE;
        let register = MemcachedRegister { servers, key_prefix, response_timeout, record_bytes };
        let mut storage = RegisterStorage::new(register);
        if let Some(max_retries) = self.max_retries {
            storage = storage.max_retries(max_retries)?;
        }
        Ok(MemcachedStorage { storage: Arc::new(storage) })
    }
}

const EXPECTED_ITEM_SIZE: &str = "a number of bytes from 1024 to 1073741824, the server's `-I`";

impl fmt::Debug for MemcachedStorageBuilder {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemcachedStorageBuilder").finish_non_exhaustive()
    }
}
