//! A server that loads and swaps.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use limitra::{Bounds, Key, ManualClock, Register, Snapshot, StorageError, Stored, Swap};

use crate::deciding::error;
use crate::judge::{Judge, micros};
use crate::network::Network;

pub(crate) struct RegisterServer {
    clock: ManualClock,
    judge: Arc<Judge>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    values: BTreeMap<String, Value>,
    /// The last version that was given to anything.
    version: u64,
    changes: Vec<(u64, String, Option<Value>)>,
}

#[derive(Clone)]
struct Value {
    bytes: Vec<u8>,
    version: u64,
    /// By the server's clock.
    ends: u64,
}

/// A swap that borrows nothing.
struct Change {
    key: String,
    expected: Option<u64>,
    bytes: Vec<u8>,
    /// Microseconds.
    keep: u64,
}

impl State {
    fn set(&mut self, at: u64, key: String, value: Option<Value>) {
        match value.clone() {
            Some(value) => self.values.insert(key.clone(), value),
            None => self.values.remove(&key),
        };
        self.changes.push((at, key, value));
    }
}

impl RegisterServer {
    pub(crate) fn new(clock: ManualClock, judge: Arc<Judge>) -> Self {
        Self { clock, judge, state: Mutex::default() }
    }

    fn load(&self, act: u64, keys: &[String]) -> Snapshot {
        let (mut state, now) = (self.state.lock().unwrap(), self.clock.now());
        state.values.retain(|_, value| value.ends > now.get());
        let stored = |value: &Value| Stored { bytes: value.bytes.clone(), version: value.version };
        let values = keys.iter().map(|key| state.values.get(key).map(stored)).collect();
        self.judge.read(act, now.get());
        Snapshot { values, now: Some(now) }
    }

    fn swap(&self, act: u64, at: u64, changes: Vec<Change>) -> bool {
        let mut state = self.state.lock().unwrap();
        let is_as_expected =
            |change: &Change| state.values.get(&change.key).map(|value| value.version) == change.expected;
        if !changes.iter().all(is_as_expected) {
            return false;
        }
        let keys = changes.iter().map(|change| change.key.clone()).collect();
        for change in changes {
            state.version += 1;
            let ends = self.clock.now().get() + change.keep;
            let value = Value { bytes: change.bytes, version: state.version, ends };
            state.set(at, change.key, Some(value));
        }
        self.judge.changed(act, keys, None);
        true
    }

    fn delete(&self, at: u64, key: String) {
        self.judge.cleared(&key);
        self.state.lock().unwrap().set(at, key, None);
    }

    /// Comes back as it was at this time.
    pub(crate) fn lose(&self, after: u64) {
        let mut state = self.state.lock().unwrap();
        self.judge.lost(after);
        state.values.clear();
        let changes = std::mem::take(&mut state.changes);
        for (at, key, value) in changes.into_iter().filter(|(at, ..)| *at <= after) {
            state.set(at, key, value);
        }
    }
}

/// One node's way to the server.
pub(crate) struct RegisterClient {
    pub(crate) node: usize,
    pub(crate) network: Arc<Network>,
    pub(crate) server: Arc<RegisterServer>,
}

#[async_trait]
impl Register for RegisterClient {
    fn name(&self) -> &'static str {
        "simulated"
    }

    async fn load(&self, keys: &[Key<'_>]) -> Result<Snapshot, StorageError> {
        let keys: Vec<String> = keys.iter().map(|key| key.text().into_owned()).collect();
        let server = Arc::clone(&self.server);
        let work = move |act| server.load(act, &keys);
        self.network.call(self.node, false, work).await.map_err(|kind| error(kind, "load"))
    }

    async fn swap(&self, swaps: &[Swap<'_>]) -> Result<bool, StorageError> {
        let change = |swap: &Swap<'_>| Change {
            key: swap.key.text().into_owned(),
            expected: swap.expected,
            bytes: swap.bytes.to_vec(),
            keep: micros(swap.keep),
        };
        let changes = swaps.iter().map(change).collect();
        let (server, times) = (Arc::clone(&self.server), Arc::clone(&self.network.times));
        let work = move |act| server.swap(act, times.now(), changes);
        self.network.call(self.node, true, work).await.map_err(|kind| error(kind, "swap"))
    }

    async fn delete(&self, key: Key<'_>) -> Result<(), StorageError> {
        let key = key.text().into_owned();
        let (server, times) = (Arc::clone(&self.server), Arc::clone(&self.network.times));
        let work = move |_| server.delete(times.now(), key);
        self.network.call(self.node, true, work).await.map_err(|kind| error(kind, "delete"))
    }

    fn bounds(&self) -> Bounds {
        Bounds { subjects: 2, ..Bounds::default() }
    }
}

impl fmt::Debug for RegisterClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RegisterClient({})", self.node)
    }
}
