//! All algorithms over anything that loads and swaps values.

mod chains;
mod lanes;
mod storage;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::error::{StorageError, StorageErrorKind};
use crate::key::Key;
use crate::storage::Bounds;
use crate::time::Micros;

pub use storage::RegisterStorage;

/// What loads and swaps values: three methods, and [`RegisterStorage`] brings all algorithms to it.
///
/// It moves bytes and knows nothing of them. Whoever implements it promises:
///
/// 1. `load` and `swap` see what the last `swap` or `delete` left, whichever process it came from.
/// 2. `swap` is atomic: all of its values are changed, or none; and only if each key still has the version that is
///    expected. `Ok(false)` means that nothing changed.
/// 3. A key is never given one version twice, not even after it was deleted or has expired.
/// 4. A value disappears by itself some time after [`Swap::keep`], and not before.
/// 5. Every call ends within the register's deadline. What may have run is never run again: a swap whose outcome is
///    unknown is an error ([`StorageErrorKind::Timeout`] or [`StorageErrorKind::Unavailable`]).
/// 6. Dropping a future leaves each value as it was or as it should be.
#[async_trait]
pub trait Register: fmt::Debug + Send + Sync + 'static {
    /// A short name for messages: `memcached`, `etcd`.
    fn name(&self) -> &'static str;

    /// The values under these keys, in their order, and what time it is there.
    ///
    /// # Errors
    /// [`StorageError`] if they cannot be had.
    async fn load(&self, keys: &[Key<'_>]) -> Result<Snapshot, StorageError>;

    /// Changes all of these values, if each is still as it was loaded. Whether it did.
    ///
    /// # Errors
    /// [`StorageError`] if that is not known.
    async fn swap(&self, swaps: &[Swap<'_>]) -> Result<bool, StorageError>;

    /// Removes a value, if there is one.
    ///
    /// # Errors
    /// [`StorageError`] if that is not known to have happened.
    async fn delete(&self, key: Key<'_>) -> Result<(), StorageError>;

    /// What it can carry; by default one subject, of any size.
    fn bounds(&self) -> Bounds {
        Bounds { subjects: 1, ..Bounds::default() }
    }

    /// Somebody has given up waiting for an answer to what was sent at `since`; see
    /// [`Storage::suspect`](crate::Storage::suspect). By default nothing happens.
    fn suspect(&self, since: Instant) {
        let _ = since;
    }

    /// Asks whether it is there; by default by loading a key that nobody has.
    ///
    /// # Errors
    /// [`StorageError`] if not.
    async fn ping(&self) -> Result<(), StorageError> {
        self.load(&[Key::from_text("limitra:ping")]).await.map(drop)
    }

    /// Removes every value that was written by limitra; see [`Storage::reset`](crate::Storage::reset).
    ///
    /// # Errors
    /// [`StorageErrorKind::Unsupported`] by default.
    async fn reset(&self) -> Result<u64, StorageError> {
        Err(StorageError::new(StorageErrorKind::Unsupported, self.name(), "reset"))
    }
}

#[async_trait]
impl<R: Register + ?Sized> Register for Arc<R> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    async fn load(&self, keys: &[Key<'_>]) -> Result<Snapshot, StorageError> {
        (**self).load(keys).await
    }

    async fn swap(&self, swaps: &[Swap<'_>]) -> Result<bool, StorageError> {
        (**self).swap(swaps).await
    }

    async fn delete(&self, key: Key<'_>) -> Result<(), StorageError> {
        (**self).delete(key).await
    }

    fn suspect(&self, since: Instant) {
        (**self).suspect(since);
    }

    fn bounds(&self) -> Bounds {
        (**self).bounds()
    }

    async fn ping(&self) -> Result<(), StorageError> {
        (**self).ping().await
    }

    async fn reset(&self) -> Result<u64, StorageError> {
        (**self).reset().await
    }
}

/// What [`Register::load`] found.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// For each key its value; `None` if there is none.
    pub values: Vec<Option<Stored>>,
    /// The register's own time, if it has a clock that all processes share; else this process's is used.
    pub now: Option<Micros>,
}

/// A value and which one it is.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The value.
    pub bytes: Vec<u8>,
    /// Changes with each write, and never comes back.
    pub version: u64,
}

/// One value to be changed.
#[derive(Clone, Copy, Debug)]
pub struct Swap<'a> {
    /// Where it is.
    pub key: Key<'a>,
    /// The version that it must have; `None` if there must be no value.
    pub expected: Option<u64>,
    /// What it becomes.
    pub bytes: &'a [u8],
    /// How long it has to be kept from now on.
    pub keep: Duration,
}
