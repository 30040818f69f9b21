//! The two backends that the seed names.

use std::fmt;
use std::str::FromStr;

use crate::error::ConfigurationError;

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
    /// In Redis or Valkey.
    Redis,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Redis => "redis",
        })
    }
}

impl FromStr for Backend {
    type Err = ConfigurationError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "memory" => Ok(Self::Memory),
            "redis" => Ok(Self::Redis),
            _ => Err(ConfigurationError::UnknownBackend { name: name.to_owned() }),
        }
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
