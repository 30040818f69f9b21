//! Backends by name, as the seed has them.

use std::fmt;
use std::str::FromStr;

use crate::error::ConfigurationError;
use crate::storage::AnyStorage;

/// Where counters are kept, as the seed's `backend` names it.
///
/// ```
/// use limitra_core::Backend;
///
/// assert_eq!("redis".parse(), Ok(Backend::Redis));
/// assert!("disk".parse::<Backend>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// In this process.
    #[default]
    Memory,
    /// In Redis or Valkey: one server, a cluster, or what sentinels watch over.
    Redis,
    /// In Memcached.
    Memcached,
    /// In MongoDB.
    Mongodb,
    /// In etcd.
    Etcd,
    /// In PostgreSQL.
    Postgres,
}

impl Backend {
    /// Every backend.
    pub const ALL: &[Self] =
        &[Self::Memory, Self::Redis, Self::Memcached, Self::Mongodb, Self::Etcd, Self::Postgres];

    /// Its name: `memory`, `redis` and so on.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Redis => "redis",
            Self::Memcached => "memcached",
            Self::Mongodb => "mongodb",
            Self::Etcd => "etcd",
            Self::Postgres => "postgres",
        }
    }

    /// Whether a storage is of this kind: `redis-cluster` is Redis.
    pub(crate) fn is_kind_of(self, storage: &AnyStorage) -> bool {
        let name = storage.name();
        name.split('-').next() == Some(self.name())
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Backend {
    type Err = ConfigurationError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|backend| backend.name() == name);
        found.copied().ok_or_else(|| ConfigurationError::UnknownBackend { name: name.to_owned() })
    }
}

/// A backend, or its name: what `backend` takes.
pub trait BackendName {
    /// The backend.
    ///
    /// # Errors
    /// [`ConfigurationError`] if no backend has that name.
    fn backend(self) -> Result<Backend, ConfigurationError>;
}

impl BackendName for Backend {
    fn backend(self) -> Result<Backend, ConfigurationError> {
        Ok(self)
    }
}

impl BackendName for &str {
    fn backend(self) -> Result<Backend, ConfigurationError> {
        self.parse()
    }
}

impl BackendName for &String {
    fn backend(self) -> Result<Backend, ConfigurationError> {
        self.parse()
    }
}

impl BackendName for String {
    fn backend(self) -> Result<Backend, ConfigurationError> {
        self.parse()
    }
}
