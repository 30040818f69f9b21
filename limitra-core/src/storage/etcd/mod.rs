//! etcd.

use super::{AnyStorage, StorageOptions, StorageUrl};
use crate::error::ConfigurationError;

/// etcd.
#[derive(Clone, Debug)]
pub struct EtcdStorage;

pub(crate) fn open(_: &StorageUrl, _: &mut StorageOptions) -> Result<AnyStorage, ConfigurationError> {
    Err(ConfigurationError::NoRedisClient)
}
