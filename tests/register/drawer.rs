//! A register in this process, with every fault that one can have.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use limitra::{Bounds, Key, Micros, Register, Snapshot, StorageError, StorageErrorKind, Stored, Swap};
use tokio::sync::Notify;

/// How it behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behaviour {
    pub(crate) subjects: usize,
    pub(crate) bytes: usize,
    /// Lets others run at every call.
    pub(crate) yields: bool,
    /// So many swaps find that somebody else was faster.
    pub(crate) others_are_faster: u32,
    /// The first swap happens, but nobody learns of it.
    pub(crate) loses_replies: bool,
    /// Its own clock, if it has one.
    pub(crate) now: Option<u64>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            subjects: 1,
            bytes: usize::MAX,
            yields: false,
            others_are_faster: 0,
            loses_replies: false,
            now: None,
        }
    }
}

pub(crate) struct Drawer {
    behaviour: Behaviour,
    values: Mutex<Values>,
    faster: AtomicU32,
    loads: AtomicU32,
    swaps: AtomicU32,
    is_blocked: AtomicBool,
    is_broken: AtomicBool,
    unblocked: Notify,
}

#[derive(Default)]
struct Values {
    by_key: HashMap<String, (u64, Vec<u8>)>,
    versions: u64,
    now: Option<u64>,
    keep: Duration,
}

impl Drawer {
    pub(crate) fn new() -> Arc<Self> {
        Self::of(Behaviour::default())
    }

    pub(crate) fn of(behaviour: Behaviour) -> Arc<Self> {
        let values = Values { now: behaviour.now, ..Values::default() };
        Arc::new(Self {
            behaviour,
            values: Mutex::new(values),
            faster: AtomicU32::new(behaviour.others_are_faster),
            loads: AtomicU32::default(),
            swaps: AtomicU32::default(),
            is_blocked: AtomicBool::default(),
            is_broken: AtomicBool::default(),
            unblocked: Notify::new(),
        })
    }

    /// Loads and swaps so far.
    pub(crate) fn calls(&self) -> (u32, u32) {
        (self.loads.load(Ordering::SeqCst), self.swaps.load(Ordering::SeqCst))
    }

    pub(crate) fn last_keep(&self) -> Duration {
        self.values.lock().unwrap().keep
    }

    pub(crate) fn set_now(&self, now: u64) {
        self.values.lock().unwrap().now = Some(now);
    }

    pub(crate) fn put(&self, key: &str, bytes: &[u8]) {
        let mut values = self.values.lock().unwrap();
        values.versions += 1;
        let version = values.versions;
        values.by_key.insert(key.to_owned(), (version, bytes.to_vec()));
    }

    pub(crate) fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.values.lock().unwrap().by_key.get(key).map(|(_, bytes)| bytes.clone())
    }

    /// No load ends from now on.
    pub(crate) fn block(&self) {
        self.is_blocked.store(true, Ordering::SeqCst);
    }

    /// Every load that is waiting ends, as does every later one: with an error if it is broken.
    pub(crate) fn unblock(&self, is_broken: bool) {
        self.is_broken.store(is_broken, Ordering::SeqCst);
        self.is_blocked.store(false, Ordering::SeqCst);
        self.unblocked.notify_waiters();
    }
}

impl fmt::Debug for Drawer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Drawer({:?})", self.behaviour)
    }
}

#[async_trait]
impl Register for Drawer {
    fn name(&self) -> &'static str {
        "drawer"
    }

    fn bounds(&self) -> Bounds {
        Bounds { subjects: self.behaviour.subjects, record_bytes: self.behaviour.bytes }
    }

    async fn load(&self, keys: &[Key<'_>]) -> Result<Snapshot, StorageError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        if self.is_blocked.load(Ordering::SeqCst) {
            self.unblocked.notified().await;
        }
        if self.is_broken.load(Ordering::SeqCst) {
            return Err(StorageError::new(StorageErrorKind::Timeout, "drawer", "load"));
        }
        if self.behaviour.yields {
            tokio::task::yield_now().await;
        }
        let values = self.values.lock().unwrap();
        let stored = |key: &Key<'_>| {
            let (version, bytes) = values.by_key.get(&*key.text())?;
            Some(Stored { bytes: bytes.clone(), version: *version })
        };
        Ok(Snapshot { values: keys.iter().map(stored).collect(), now: values.now.map(Micros::new) })
    }

    async fn swap(&self, swaps: &[Swap<'_>]) -> Result<bool, StorageError> {
        let number = self.swaps.fetch_add(1, Ordering::SeqCst);
        if self.behaviour.yields {
            tokio::task::yield_now().await;
        }
        let is_beaten =
            self.faster.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |faster| faster.checked_sub(1));
        if is_beaten.is_ok() {
            return Ok(false);
        }
        let mut values = self.values.lock().unwrap();
        let is_current = |swap: &Swap<'_>| {
            values.by_key.get(&*swap.key.text()).map(|(version, _)| *version) == swap.expected
        };
        if !swaps.iter().all(is_current) {
            return Ok(false);
        }
        for swap in swaps {
            values.versions += 1;
            values.keep = swap.keep;
            let version = values.versions;
            values.by_key.insert(swap.key.text().into_owned(), (version, swap.bytes.to_vec()));
        }
        if self.behaviour.loses_replies && number == 0 {
            return Err(StorageError::new(StorageErrorKind::Timeout, "drawer", "swap"));
        }
        Ok(true)
    }

    async fn delete(&self, key: Key<'_>) -> Result<(), StorageError> {
        self.values.lock().unwrap().by_key.remove(&*key.text());
        Ok(())
    }
}
