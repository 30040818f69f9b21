//! etcd as a register.

use std::fmt;
use std::future::Future;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use etcd_client::{
    Compare, CompareOp, Error, GetOptions, GetResponse, KeyValue, PutOptions, Txn, TxnOp, TxnOpResponse,
    TxnResponse,
};

use super::client::{EtcdClient, Made};
use super::failure;
use super::leases::{Lease, Leases};
use crate::error::{StorageError, StorageErrorKind};
use crate::key::Key;
use crate::storage::Bounds;
use crate::storage::connections::{Connected, Connections};
use crate::storage::key_prefix::KeyPrefix;
use crate::storage::register::{Register, Snapshot, Stored, Swap};

/// A key that nobody has.
pub(super) const PROBE: Key<'static> = Key::from_text("limitra:ping");

/// How many subjects one transaction names; etcd takes 128 operations (`--max-txn-ops`).
const SUBJECTS: usize = 64;
/// What a record may have, and its keys with it stay below etcd's 1.5 MiB for a request (`--max-request-bytes`).
const RECORD_BYTES: usize = 1_400_000;
/// How many keys are removed at once: each is a transaction of two operations within one of so many, together fewer than 128.
const PAGE: i64 = 100;

/// What all our values begin with, and the first text behind all those.
const MAGIC: (&str, &str) = ("LR", "LS");

/// Keys of an etcd, read and written by transactions on their revisions.
pub(super) struct EtcdRegister {
    connections: Connections<EtcdClient>,
    leases: Leases,
    key_prefix: KeyPrefix,
    response_timeout: Duration,
}

impl EtcdRegister {
    pub(super) fn new(
        connections: Connections<EtcdClient>,
        key_prefix: KeyPrefix,
        response_timeout: Duration,
    ) -> Self {
        Self { connections, leases: Leases::default(), key_prefix, response_timeout }
    }

    fn full(&self, key: Key<'_>) -> String {
        self.key_prefix.full(key).into_owned()
    }

    /// Waits for an answer until the deadline. Nothing is sent again.
    async fn within<T>(
        &self,
        connected: &Connected<EtcdClient>,
        operation: &'static str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, StorageError> {
        let Ok(answer) = tokio::time::timeout(self.response_timeout, call).await else {
            self.connections.discard(connected);
            return Err(StorageError::new(StorageErrorKind::Timeout, "etcd", operation));
        };
        answer.map_err(|error| {
            if failure::breaks_connection(&error) {
                self.connections.discard(connected);
            }
            failure::storage_error(error, operation)
        })
    }

    async fn load_now(&self, made: &Made, keys: &[Key<'_>]) -> Result<Vec<Option<Stored>>, Error> {
        let mut kv = made.kv.clone();
        if let [key] = keys {
            let mut found = kv.get(self.full(*key), None).await?;
            return Ok(vec![stored(&mut found)]);
        }
        // At one revision.
        let reads: Vec<TxnOp> = keys.iter().map(|key| TxnOp::get(self.full(*key), None)).collect();
        let answer = kv.txn(Txn::new().and_then(reads)).await?;
        let value = |response| match response {
            TxnOpResponse::Get(mut found) => stored(&mut found),
            _ => None,
        };
        Ok(answer.op_responses().into_iter().map(value).collect())
    }

    async fn swap_now(&self, made: &Made, swaps: &[Swap<'_>]) -> Result<bool, Error> {
        let (swapped, leases) = self.swap_once(made, swaps).await?;
        match swapped {
            // It has run nothing, so it may be sent again with leases that are there.
            Err(error) if failure::is_lost_lease(&error) => {
                for lease in leases {
                    self.leases.forget(lease);
                }
                self.swap_once(made, swaps).await?.0
            }
            swapped => swapped,
        }
    }

    async fn swap_once(
        &self,
        made: &Made,
        swaps: &[Swap<'_>],
    ) -> Result<(Result<bool, Error>, Vec<Lease>), Error> {
        let mut leases = Vec::with_capacity(swaps.len());
        for swap in swaps {
            leases.push(self.leases.cover(swap.keep, made).await?);
        }
        let compares: Vec<Compare> = swaps.iter().map(|swap| self.is_as_expected(swap)).collect();
        let put = |(swap, lease): (&Swap<'_>, &Lease)| {
            TxnOp::put(self.full(swap.key), swap.bytes, Some(PutOptions::new().with_lease(lease.id)))
        };
        let puts: Vec<TxnOp> = swaps.iter().zip(&leases).map(put).collect();
        let answer = made.kv.clone().txn(Txn::new().when(compares).and_then(puts)).await;
        Ok((answer.map(|answer| answer.succeeded()), leases))
    }

    fn is_as_expected(&self, swap: &Swap<'_>) -> Compare {
        // Where there is no value, its revision compares as 0.
        let revision = swap.expected.map_or(0, |version| i64::try_from(version).unwrap_or(i64::MAX));
        Compare::mod_revision(self.full(swap.key), CompareOp::Equal, revision)
    }

    /// The keys from this one on that begin with our prefix.
    async fn page(&self, made: &Made, from: Vec<u8>) -> Result<GetResponse, Error> {
        let page = GetOptions::new().with_keys_only().with_limit(PAGE);
        let page = match self.key_prefix.text() {
            // Behind the colon comes the semicolon.
            Some(prefix) => page.with_range(format!("{prefix};")),
            None => page.with_from_key(),
        };
        made.kv.clone().get(from, Some(page)).await
    }
}

#[async_trait]
impl Register for EtcdRegister {
    fn name(&self) -> &'static str {
        "etcd"
    }

    async fn load(&self, keys: &[Key<'_>]) -> Result<Snapshot, StorageError> {
        let connected = self.connections.get().await?;
        let loading = self.load_now(&connected.connection, keys);
        Ok(Snapshot { values: self.within(&connected, "decide", loading).await?, now: None })
    }

    async fn swap(&self, swaps: &[Swap<'_>]) -> Result<bool, StorageError> {
        let connected = self.connections.get().await?;
        let swapping = self.swap_now(&connected.connection, swaps);
        self.within(&connected, "decide", swapping).await
    }

    async fn delete(&self, key: Key<'_>) -> Result<(), StorageError> {
        let connected = self.connections.get().await?;
        let mut kv = connected.connection.kv.clone();
        let deleting = kv.delete(self.full(key), None);
        self.within(&connected, "clear", deleting).await.map(drop)
    }

    fn suspect(&self, since: Instant) {
        self.connections.suspect(since);
    }

    fn bounds(&self) -> Bounds {
        Bounds { subjects: SUBJECTS, record_bytes: RECORD_BYTES }
    }

    async fn ping(&self) -> Result<(), StorageError> {
        let connected = self.connections.get().await?;
        let mut kv = connected.connection.kv.clone();
        let asking = kv.get(self.full(PROBE), Some(GetOptions::new().with_count_only()));
        self.within(&connected, "ping", asking).await.map(drop)
    }

    async fn reset(&self) -> Result<u64, StorageError> {
        let mut removed = 0;
        let mut from = match self.key_prefix.beginning() {
            beginning if beginning.is_empty() => vec![0],
            beginning => beginning.into_bytes(),
        };
        loop {
            let connected = self.connections.get().await?;
            let page = self.within(&connected, "reset", self.page(&connected.connection, from)).await?;
            let Some(last) = page.kvs().last() else { return Ok(removed) };
            from = last.key().to_vec();
            from.push(0);
            let removing: Vec<TxnOp> = page.kvs().iter().map(remove_ours).collect();
            let mut kv = connected.connection.kv.clone();
            let answer = self.within(&connected, "reset", kv.txn(Txn::new().and_then(removing))).await?;
            removed += how_many_ran(&answer);
            if !page.more() {
                return Ok(removed);
            }
        }
    }
}

impl fmt::Debug for EtcdRegister {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdRegister")
            .field("client", self.connections.connector())
            .field("key_prefix", &self.key_prefix.text())
            .field("response_timeout", &self.response_timeout)
            .finish_non_exhaustive()
    }
}

/// What a read of one key found.
fn stored(found: &mut GetResponse) -> Option<Stored> {
    let value = found.take_kvs().into_iter().next()?;
    let version = u64::try_from(value.mod_revision()).unwrap_or_default();
    Some(Stored { bytes: value.into_key_value().1, version })
}

/// Removes a key if its value is ours: decided where it is, so that no value travels.
fn remove_ours(found: &KeyValue) -> TxnOp {
    let is_ours = [
        Compare::value(found.key(), CompareOp::Greater, MAGIC.0),
        Compare::value(found.key(), CompareOp::Less, MAGIC.1),
    ];
    TxnOp::txn(Txn::new().when(is_ours).and_then([TxnOp::delete(found.key(), None)]))
}

fn how_many_ran(answer: &TxnResponse) -> u64 {
    let ran = |response: &TxnOpResponse| matches!(response, TxnOpResponse::Txn(inner) if inner.succeeded());
    answer.op_responses().iter().filter(|response| ran(response)).map(|_| 1).sum()
}
