//! PostgreSQL.

use super::{AnyStorage, StorageOptions, StorageUrl};
use crate::error::ConfigurationError;

/// PostgreSQL.
#[derive(Clone, Debug)]
pub struct PostgresStorage;

pub(crate) fn open(_: &StorageUrl, _: &mut StorageOptions) -> Result<AnyStorage, ConfigurationError> {
    Err(ConfigurationError::NoRedisClient)
}
