//! Memcached.

use super::{AnyStorage, StorageOptions, StorageUrl};
use crate::error::ConfigurationError;

/// Memcached.
#[derive(Clone, Debug)]
pub struct MemcachedStorage;

pub(crate) fn open(_: &StorageUrl, _: &mut StorageOptions) -> Result<AnyStorage, ConfigurationError> {
    Err(ConfigurationError::NoRedisClient)
}
