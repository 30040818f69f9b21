//! A storage's own methods, without awaiting.

use crate::decide::Desk;
use crate::error::{Error, StorageError};
use crate::key::Key;
use crate::storage::AnyStorage;

use super::driver::wait;

/// What can be asked of a storage itself, for code without an async runtime.
///
/// ```
/// use limitra_core::{Error, MemoryStorage, RateLimiter, blocking};
///
/// let storage = blocking::Storage::new(MemoryStorage::new());
/// let limiter = RateLimiter::builder().requests(1).window(60).storage(storage.awaited()).build()?.blocking();
/// assert!(storage.check());
/// assert!(limiter.allow_request("ada")?);
/// assert_eq!(storage.reset()?, 1);
/// assert!(limiter.allow_request("ada")?);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Storage(AnyStorage);

impl Storage {
    /// The same storage. No I/O.
    pub fn new(storage: impl Into<AnyStorage>) -> Self {
        Self(storage.into())
    }

    /// As [`AnyStorage::check`].
    pub fn check(&self) -> bool {
        if self.0.memory().is_some() {
            return true;
        }
        let storage = self.0.shared();
        wait(async move { storage.check().await }).unwrap_or(false)
    }

    /// As [`AnyStorage::ping`].
    ///
    /// # Errors
    /// [`StorageError`] if it cannot be reached or would not answer.
    pub fn ping(&self) -> Result<(), StorageError> {
        if self.0.memory().is_some() {
            return Ok(());
        }
        let storage = self.0.shared();
        wait(async move { storage.ping().await })
            .unwrap_or_else(|lost| Err(lost.error(self.0.name(), "check")))
    }

    /// As [`AnyStorage::reset`].
    ///
    /// # Errors
    /// As [`AnyStorage::reset`].
    pub fn reset(&self) -> Result<u64, StorageError> {
        if let Some(memory) = self.0.memory() {
            return Ok(u64::try_from(memory.reset()).unwrap_or(u64::MAX));
        }
        let storage = self.0.shared();
        wait(async move { storage.reset().await })
            .unwrap_or_else(|lost| Err(lost.error(self.0.name(), "reset")))
    }

    /// The storage that is awaited.
    pub const fn awaited(&self) -> &AnyStorage {
        &self.0
    }
}

/// Removes one record.
pub(super) fn clear(desk: &Desk, key: String) -> Result<(), Error> {
    if let Some(memory) = desk.storage.memory() {
        memory.clear_now(Key::from_text(&key));
        return Ok(());
    }
    let storage = desk.storage.shared();
    let cleared = wait(async move { storage.clear(Key::from_text(&key)).await });
    Ok(cleared.unwrap_or_else(|lost| Err(lost.error(desk.storage.name(), "clear")))?)
}
