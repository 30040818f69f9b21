//! One value that somebody else has written.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use limitra::{Key, Register, Snapshot, StorageError, Stored, Swap};

/// A register with one value for all keys, which holds whatever it is given.
#[derive(Clone, Debug)]
pub(super) struct OneValue(Arc<Mutex<Stored>>);

impl OneValue {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self(Arc::new(Mutex::new(Stored { bytes: bytes.to_vec(), version: 0 })))
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().bytes.clone()
    }
}

#[async_trait]
impl Register for OneValue {
    fn name(&self) -> &'static str {
        "one value"
    }

    async fn load(&self, keys: &[Key<'_>]) -> Result<Snapshot, StorageError> {
        let stored = self.0.lock().unwrap().clone();
        Ok(Snapshot { values: keys.iter().map(|_| Some(stored.clone())).collect(), now: None })
    }

    async fn swap(&self, swaps: &[Swap<'_>]) -> Result<bool, StorageError> {
        let mut stored = self.0.lock().unwrap();
        for swap in swaps {
            *stored = Stored { bytes: swap.bytes.to_vec(), version: stored.version + 1 };
        }
        Ok(true)
    }

    async fn delete(&self, _: Key<'_>) -> Result<(), StorageError> {
        Ok(())
    }
}
