//! Values in the rows of a table.

use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::future::FutureExt as _;
use smallvec::SmallVec;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Row};

use super::connect::{Connector, Live};
use super::failure;
use super::sql::SWEPT;
use crate::error::{StorageError, StorageErrorKind};
use crate::key::Key;
use crate::storage::Bounds;
use crate::storage::connections::{Connected, Connections};
use crate::storage::key_prefix::KeyPrefix;
use crate::storage::register::{Register, Snapshot, Stored, Swap};
use crate::time::Micros;

/// How many subjects one decision may name.
const SUBJECTS: usize = 64;
/// How large a record may be: all of it travels at each hit.
const RECORD_BYTES: usize = 16 * 1024 * 1024;
/// Every so many rows that are written some that have expired are removed.
const SWEEP_EVERY: u64 = 16;
/// No row is kept longer than about a thousand years.
const LONGEST_KEEP: i64 = 31_557_600_000_000_000;

/// The table, by a connection for each runtime.
#[derive(Clone)]
pub(super) struct Table(Arc<Inner>);

struct Inner {
    connections: Connections<Connector>,
    response_timeout: Duration,
    key_prefix: KeyPrefix,
    /// How many rows were written.
    written: AtomicU64,
}

impl Table {
    pub(super) fn new(
        connector: Connector,
        connect_timeout: Duration,
        response_timeout: Duration,
        key_prefix: KeyPrefix,
    ) -> Self {
        let connections = Connections::new("postgres", connector, connect_timeout);
        Self(Arc::new(Inner { connections, response_timeout, key_prefix, written: AtomicU64::new(0) }))
    }

    /// Removes what has expired, page by page, and returns how much that was.
    pub(super) async fn sweep(&self) -> Result<u64, StorageError> {
        let connected = self.0.connections.get().await?;
        let mut removed = 0;
        loop {
            let live = &connected.connection;
            let page = live.client.execute(&live.sweep, &[&SWEPT]);
            let page = self.within(&connected, "sweep", page).await?;
            removed += page;
            if page < SWEPT.unsigned_abs() {
                return Ok(removed);
            }
        }
    }

    /// Waits for an answer, not too long. The question is not asked again, whatever comes of it.
    async fn within<T>(
        &self,
        connected: &Connected<Connector>,
        operation: &'static str,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, StorageError> {
        let error = match tokio::time::timeout(self.0.response_timeout, answer).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error,
            Err(_) => {
                self.0.connections.discard(connected);
                return Err(StorageError::new(StorageErrorKind::Timeout, "postgres", operation));
            }
        };
        if failure::breaks_connection(&error) {
            self.0.connections.discard(connected);
        }
        Err(failure::storage_error(error, operation))
    }

    /// Removes some of what has expired, now and then, behind the answer that somebody waited for: nobody waits for this one.
    fn sweep_sometimes(&self, live: &Live, rows: usize) {
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        let before = self.0.written.fetch_add(rows, Ordering::Relaxed);
        if before == 0 || before / SWEEP_EVERY != before.wrapping_add(rows) / SWEEP_EVERY {
            // It is sent when it is first polled; the connection reads over the answer.
            let _sent = live.client.execute(&live.sweep, &[&SWEPT]).now_or_never();
        }
    }
}

#[async_trait]
impl Register for Table {
    fn name(&self) -> &'static str {
        "postgres"
    }

    async fn load(&self, keys: &[Key<'_>]) -> Result<Snapshot, StorageError> {
        let connected = self.0.connections.get().await?;
        let full: SmallVec<[_; 1]> = keys.iter().map(|key| self.0.key_prefix.full(*key)).collect();
        let texts: Vec<&str> = full.iter().map(AsRef::as_ref).collect();
        let live = &connected.connection;
        let rows = self.within(&connected, "decide", live.client.query(&live.load, &[&texts])).await?;
        snapshot(&rows, &texts).map_err(|error| failure::storage_error(error, "decide"))
    }

    async fn swap(&self, swaps: &[Swap<'_>]) -> Result<bool, StorageError> {
        let connected = self.0.connections.get().await?;
        let live = &connected.connection;
        let rows: SmallVec<[_; 1]> = swaps.iter().map(|swap| Written::of(swap, &self.0.key_prefix)).collect();
        let answer = async {
            match rows.as_slice() {
                [row] => row.write(live).await,
                rows => write_all(rows, live).await,
            }
        };
        // A conflict is an answer: the server undid what it had done.
        let answer = answer.map(|answer| match answer {
            Err(error) if failure::is_conflict(&error) => Ok(false),
            answer => answer,
        });
        let is_swapped = self.within(&connected, "decide", answer).await?;
        if is_swapped {
            self.sweep_sometimes(live, swaps.len());
        }
        Ok(is_swapped)
    }

    async fn delete(&self, key: Key<'_>) -> Result<(), StorageError> {
        let connected = self.0.connections.get().await?;
        let key = self.0.key_prefix.full(key);
        let (client, sql) = (&connected.connection.client, self.0.connections.connector().sql());
        let text = key.as_ref();
        let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&text, Type::TEXT)];
        let deleted = client.execute_typed(&sql.delete, &parameters);
        self.within(&connected, "clear", deleted).await.map(drop)
    }

    fn suspect(&self, since: Instant) {
        self.0.connections.suspect(since);
    }

    fn bounds(&self) -> Bounds {
        Bounds { subjects: SUBJECTS, record_bytes: RECORD_BYTES }
    }

    async fn ping(&self) -> Result<(), StorageError> {
        let connected = self.0.connections.get().await?;
        // No rows of the table: a user who may not read it hears so.
        let (live, nothing) = (&connected.connection, Vec::<&str>::new());
        self.within(&connected, "ping", live.client.query(&live.load, &[&nothing])).await.map(drop)
    }

    async fn reset(&self) -> Result<u64, StorageError> {
        let connected = self.0.connections.get().await?;
        let (client, sql) = (&connected.connection.client, self.0.connections.connector().sql());
        let beginning = self.0.key_prefix.beginning();
        // `prefix:` ends with the character before `;`, so that no key with this beginning comes behind `prefix;`.
        let beyond = self.0.key_prefix.text().map(|prefix| format!("{prefix};"));
        let mut last = self.0.key_prefix.text().map(str::to_owned);
        let mut removed = 0;
        loop {
            let parameters: [(&(dyn ToSql + Sync), Type); 3] =
                [(&last, Type::TEXT), (&beyond, Type::TEXT), (&beginning, Type::TEXT)];
            let page = self.within(&connected, "reset", client.query_typed(&sql.reset, &parameters)).await?;
            let (to, count) = page_of(&page).map_err(|error| failure::storage_error(error, "reset"))?;
            removed += count;
            if to.is_none() {
                return Ok(removed);
            }
            last = to;
        }
    }
}

/// The time and the values, in the order of the keys.
fn snapshot(rows: &[Row], keys: &[&str]) -> Result<Snapshot, Error> {
    let mut found = Snapshot { values: vec![None; keys.len()], now: None };
    for row in rows {
        let key: Option<&str> = row.try_get(0)?;
        let Some(key) = key else {
            found.now = Some(Micros::from_system_time(row.try_get::<_, SystemTime>(3)?));
            continue;
        };
        let stored = Stored { bytes: row.try_get(1)?, version: row.try_get::<_, i64>(2)?.cast_unsigned() };
        for (place, _) in keys.iter().enumerate().filter(|(_, other)| **other == key) {
            if let Some(value) = found.values.get_mut(place) {
                *value = Some(stored.clone());
            }
        }
    }
    Ok(found)
}

/// The last key of a page of a reset, and how many rows of it were removed.
fn page_of(rows: &[Row]) -> Result<(Option<String>, u64), Error> {
    let Some(row) = rows.first() else { return Ok((None, 0)) };
    Ok((row.try_get(0)?, row.try_get::<_, i64>(1)?.unsigned_abs()))
}

/// One row as it is to be written.
struct Written<'a> {
    key: String,
    value: &'a [u8],
    version: i64,
    expected: Option<i64>,
    /// How long it has to be kept, in microseconds.
    least: i64,
    /// How long it is kept at most: a quarter longer.
    most: i64,
}

impl<'a> Written<'a> {
    fn of(swap: &Swap<'a>, key_prefix: &KeyPrefix) -> Self {
        let least = i64::try_from(swap.keep.as_micros()).unwrap_or(i64::MAX).min(LONGEST_KEEP);
        Self {
            key: key_prefix.full(swap.key).into_owned(),
            value: swap.bytes,
            version: fresh_version(),
            expected: swap.expected.map(u64::cast_signed),
            least,
            most: least + least / 4,
        }
    }

    /// Whether it was written: with the version that is expected, or in no other's place.
    async fn write(&self, live: &Live) -> Result<bool, Error> {
        let Self { key, value, version, expected, least, most } = self;
        let written = match expected {
            None => live.client.execute(&live.insert, &[key, value, version, most]).await?,
            Some(expected) => {
                live.client.execute(&live.update, &[key, value, version, expected, least, most]).await?
            }
        };
        Ok(written == 1)
    }
}

/// Whether all of these rows were written; else none was.
async fn write_all(rows: &[Written<'_>], live: &Live) -> Result<bool, Error> {
    let keys: Vec<&str> = rows.iter().map(|row| row.key.as_str()).collect();
    let values: Vec<&[u8]> = rows.iter().map(|row| row.value).collect();
    let versions: Vec<i64> = rows.iter().map(|row| row.version).collect();
    let expected: Vec<Option<i64>> = rows.iter().map(|row| row.expected).collect();
    let least: Vec<i64> = rows.iter().map(|row| row.least).collect();
    let most: Vec<i64> = rows.iter().map(|row| row.most).collect();
    let columns: [&(dyn ToSql + Sync); 6] = [&keys, &values, &versions, &expected, &least, &most];
    live.client.query_one(&live.swap, &columns).await?.try_get(0)
}

/// A version that no row of this key ever had: 64 random bits, from a generator that the system seeded. A number that the
/// server counts could come back with a server that forgot its last commits.
fn fresh_version() -> i64 {
    RandomState::new().hash_one(std::process::id()).cast_signed()
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("server", self.0.connections.connector())
            .field("table_name", &self.0.connections.connector().sql().table_name)
            .field("key_prefix", &self.0.key_prefix.text())
            .field("response_timeout", &self.0.response_timeout)
            .finish_non_exhaustive()
    }
}
