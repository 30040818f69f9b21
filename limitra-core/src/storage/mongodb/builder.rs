//! A MongoDB storage's settings.

use std::fmt;
use std::time::Duration;

use ::mongodb::Client;

use super::access::Access;
use super::address::{Address, OWN_OPTIONS};
use super::{
    COLLECTION_NAME, CONNECT_TIMEOUT, DATABASE_NAME, MongoDbStorage, RESPONSE_TIMEOUT, Settings, documents,
};
use crate::backend::Backend;
use crate::error::ConfigurationError;
use crate::storage::deadline::deadline;
use crate::storage::key_prefix::KeyPrefix;
use crate::storage::options::Flag;
use crate::storage::register::RegisterStorage;
use crate::storage::{StorageOptions, StorageUrl};

/// The longest name of a database; a collection's may be longer, but together they have a bound as well.
const LONGEST_NAME: usize = 63;

/// The settings of a [`MongoDbStorage`], chained and ended by [`MongoDbStorageBuilder::build`]. What is set here wins over
/// what stands in the URL.
///
/// ```
/// use limitra_core::MongoDbStorage;
/// use std::time::Duration;
///
/// let storage = MongoDbStorage::builder()
///     .url("mongodb://127.0.0.1:27017")
///     .database_name("shop")
///     .response_timeout(Duration::from_millis(200))
///     .build()?;
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone, Default)]
pub struct MongoDbStorageBuilder {
    url: Option<String>,
    client: Option<Client>,
    database_name: Option<String>,
    collection_name: Option<String>,
    key_prefix: Option<String>,
    response_timeout: Option<Duration>,
    connect_timeout: Option<Duration>,
    max_retries: Option<u32>,
    create_index: Option<bool>,
}

impl MongoDbStorageBuilder {
    /// Where MongoDB is; see [`MongoDbStorage::from_url`].
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// A client of your own in place of a URL; see [`MongoDbStorage::new`].
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// The database; default `limitra`. The one in the URL's path only says where its user is defined.
    pub fn database_name(mut self, name: impl Into<String>) -> Self {
        self.database_name = Some(name.into());
        self
    }

    /// The collection; default `records`. Nothing else should be in it.
    pub fn collection_name(mut self, name: impl Into<String>) -> Self {
        self.collection_name = Some(name.into());
        self
    }

    /// What stands before each key, with a colon; default nothing. Services that share a collection each have theirs.
    pub fn key_prefix(mut self, key_prefix: impl Into<String>) -> Self {
        self.key_prefix = Some(key_prefix.into());
        self
    }

    /// How long a command may take; default 500 ms.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = Some(timeout);
        self
    }

    /// How long it may take to reach the server and to create the index; default 1 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// How often a decision is tried while other processes change the same record; default 64.
    pub fn max_retries(mut self, max_retries: u32) -> Self {
        self.max_retries = Some(max_retries);
        self
    }

    /// Whether the TTL index is created at the first use; default `true`. Without it nothing ever disappears: create it
    /// by hand then, on `{expireAt: 1}` with `expireAfterSeconds: 0`.
    pub fn create_index(mut self, create_index: bool) -> Self {
        self.create_index = Some(create_index);
        self
    }

    /// The same with these options for what is not set.
    pub(super) fn or_options(mut self, options: &mut StorageOptions) -> Result<Self, ConfigurationError> {
        let common = options.take_common()?;
        let key_prefix = common.key_prefix.text().map(str::to_owned);
        let max_retries = options.take_parsed("max_retries", "a number of tries, at least 1")?;
        let create_index = options.take_parsed::<Flag>("create_index", Flag::EXPECTED)?;
        self.database_name = self.database_name.or(options.take("database_name"));
        self.collection_name = self.collection_name.or(options.take("collection_name"));
        self.key_prefix = self.key_prefix.or(key_prefix);
        self.response_timeout = self.response_timeout.or(common.response_timeout);
        self.connect_timeout = self.connect_timeout.or(common.connect_timeout);
        self.max_retries = self.max_retries.or(max_retries);
        self.create_index = self.create_index.or(create_index.map(|Flag(flag)| flag));
        Ok(self)
    }

    /// The storage. No I/O.
    ///
    /// # Errors
    /// [`ConfigurationError`] if there is neither URL nor client, or both, the URL cannot be read, a name cannot be one, or
    /// a deadline or the number of tries is zero.
    pub fn build(mut self) -> Result<MongoDbStorage, ConfigurationError> {
        match (self.url.take(), self.client.take()) {
            (Some(url), None) => {
                let url: StorageUrl = url.parse()?;
                let mut options = StorageOptions::new();
                options.read_query(&url, Some(OWN_OPTIONS))?;
                let builder = self.or_options(&mut options)?;
                options.end(url.scheme())?;
                let address = Address::of(&url)?;
                builder.over(|database, collection, create_index| {
                    Access::of_address(address, database, collection, create_index)
                })
            }
            (None, Some(client)) => self.over(|database, collection, create_index| {
                Access::of_client(client, database, collection, create_index)
            }),
            (Some(_), Some(_)) => Err(ConfigurationError::TwoSources { one: "url", other: "client" }),
            (None, None) => Err(ConfigurationError::NoSuchBackend { backend: Backend::Mongodb }),
        }
    }

    fn over(
        self,
        access: impl FnOnce(&str, &str, bool) -> Access,
    ) -> Result<MongoDbStorage, ConfigurationError> {
        let database = self.database_name.as_deref().unwrap_or(DATABASE_NAME);
        let collection = self.collection_name.as_deref().unwrap_or(COLLECTION_NAME);
        is_a_name("database_name", database, &['/', '\\', '.', ' ', '"', '$', '\0'])?;
        is_a_name("collection_name", collection, &['$', '\0'])?;
        let settings = Settings {
            key_prefix: self.key_prefix.map(KeyPrefix::new).transpose()?.unwrap_or_default(),
            response_timeout: deadline("response_timeout", self.response_timeout, RESPONSE_TIMEOUT)?,
            connect_timeout: deadline("connect_timeout", self.connect_timeout, CONNECT_TIMEOUT)?,
        };
        let access = access(database, collection, self.create_index.unwrap_or(true));
        let access = access.within(settings.connect_timeout);
        let mut storage = RegisterStorage::new(documents(access, settings));
        if let Some(max_retries) = self.max_retries {
            storage = storage.max_retries(max_retries)?;
        }
        Ok(MongoDbStorage::of(storage))
    }
}

fn is_a_name(name: &'static str, value: &str, forbidden: &[char]) -> Result<(), ConfigurationError> {
    if (1..=LONGEST_NAME).contains(&value.len())
        && !value.contains(forbidden)
        && !value.starts_with("system.")
    {
        return Ok(());
    }
    let expected = "a name that MongoDB allows, of 1 to 63 bytes";
    Err(ConfigurationError::StorageOption { name, value: value.to_owned(), expected })
}

impl fmt::Debug for MongoDbStorageBuilder {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MongoDbStorageBuilder").finish_non_exhaustive()
    }
}
