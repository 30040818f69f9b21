//! Records in MongoDB as a register.

use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::access::Access;
use super::failure::Failure;
use super::records::Range;
use crate::error::{StorageError, StorageErrorKind};
use crate::key::Key;
use crate::storage::Bounds;
use crate::storage::connections::{Connected, Connections};
use crate::storage::key_prefix::KeyPrefix;
use crate::storage::register::{Register, Snapshot, Swap};

/// A document has at most 16 MiB; its key, its other fields and what an answer wraps it in need some of that.
const RECORD_BYTES: usize = 16_000_000;
/// How many records are removed at once.
const PAGE: i64 = 1000;

pub(super) struct Documents {
    connections: Connections<Access>,
    key_prefix: KeyPrefix,
    response_timeout: Duration,
}

impl Documents {
    pub(super) fn new(
        connections: Connections<Access>,
        key_prefix: KeyPrefix,
        response_timeout: Duration,
    ) -> Self {
        Self { connections, key_prefix, response_timeout }
    }

    /// The answer to one command, within its deadline.
    async fn answer<T>(
        &self,
        connected: &Connected<Access>,
        operation: &'static str,
        asked: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, StorageError> {
        match tokio::time::timeout(self.response_timeout, asked).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(failure)) => {
                if failure.breaks_connection() {
                    self.connections.discard(connected);
                }
                Err(failure.storage_error(operation))
            }
            Err(_) => {
                self.connections.discard(connected);
                Err(StorageError::new(StorageErrorKind::Timeout, super::NAME, operation))
            }
        }
    }
}

#[async_trait]
impl Register for Documents {
    fn name(&self) -> &'static str {
        super::NAME
    }

    async fn load(&self, keys: &[Key<'_>]) -> Result<Snapshot, StorageError> {
        let connected = self.connections.get().await?;
        let mut snapshot = Snapshot::default();
        for key in keys {
            let key = self.key_prefix.full(*key);
            let asked = connected.connection.load(&key);
            let (stored, now) = self.answer(&connected, "decide", asked).await?;
            snapshot.values.push(stored);
            snapshot.now = now;
        }
        Ok(snapshot)
    }

    async fn swap(&self, swaps: &[Swap<'_>]) -> Result<bool, StorageError> {
        let [swap] = swaps else {
            return Err(StorageError::new(StorageErrorKind::Unsupported, super::NAME, "decide"));
        };
        let connected = self.connections.get().await?;
        let key = self.key_prefix.full(swap.key);
        let expected = swap.expected.and_then(|version| i64::try_from(version).ok());
        let asked = connected.connection.swap(&key, expected, fresh_version(), swap.bytes, swap.keep);
        self.answer(&connected, "decide", asked).await
    }

    async fn delete(&self, key: Key<'_>) -> Result<(), StorageError> {
        let connected = self.connections.get().await?;
        let key = self.key_prefix.full(key);
        self.answer(&connected, "clear", connected.connection.delete(&key)).await
    }

    fn suspect(&self, since: Instant) {
        self.connections.suspect(since);
    }

    fn bounds(&self) -> Bounds {
        // More than one document changes at once in a transaction only, which a standalone server lacks.
        Bounds { subjects: 1, record_bytes: RECORD_BYTES }
    }

    async fn ping(&self) -> Result<(), StorageError> {
        let connected = self.connections.get().await?;
        self.answer(&connected, "ping", connected.connection.ping()).await
    }

    async fn reset(&self) -> Result<u64, StorageError> {
        let connected = self.connections.get().await?;
        let mut left = Range::of(&self.key_prefix.beginning());
        let mut removed = 0;
        loop {
            let end = self.answer(&connected, "reset", connected.connection.nth(&left, PAGE)).await?;
            let page = end.as_ref().map(|end| left.before(end.clone()));
            let page = page.as_ref().unwrap_or(&left);
            removed += self.answer(&connected, "reset", connected.connection.delete_range(page)).await?;
            match end {
                Some(end) => left = left.from(end),
                None => return Ok(removed),
            }
        }
    }
}

/// Of 63 random bits, so that it never comes back, not even for a record that was removed and written again.
fn fresh_version() -> i64 {
    let random = RandomState::new().hash_one(std::process::id());
    i64::try_from(random >> 1).unwrap_or_default()
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MongoDb")
            .field("records", self.connections.connector())
            .field("key_prefix", &self.key_prefix.text())
            .field("response_timeout", &self.response_timeout)
            .finish_non_exhaustive()
    }
}
