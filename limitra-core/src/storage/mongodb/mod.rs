//! MongoDB.

use super::{AnyStorage, StorageOptions, StorageUrl};
use crate::error::ConfigurationError;

/// MongoDB.
#[derive(Clone, Debug)]
pub struct MongoDbStorage;

pub(crate) fn open(_: &StorageUrl, _: &mut StorageOptions) -> Result<AnyStorage, ConfigurationError> {
    Err(ConfigurationError::NoRedisClient)
}
