//! A queue for each key: of one process only one decision at a time is about one record.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use smallvec::SmallVec;
use tokio::sync::OwnedMutexGuard;

use crate::error::{StorageError, StorageErrorKind};
use crate::key::Key;

/// The queues that anybody stands in.
#[derive(Default)]
pub(super) struct Lanes {
    lanes: Mutex<HashMap<String, Arc<Lane>>>,
}

#[derive(Default)]
struct Lane {
    turn: Arc<tokio::sync::Mutex<()>>,
    /// How often the one in front could not reach the register.
    failures: AtomicU64,
}

/// The turn at each of some keys, until it is dropped.
pub(super) struct Turns<'a> {
    lanes: &'a Lanes,
    held: SmallVec<[Held; 1]>,
}

struct Held {
    key: String,
    lane: Arc<Lane>,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Lanes {
    /// Waits for the turn at each of these keys.
    pub(super) async fn turns(
        &self,
        keys: &[Key<'_>],
        storage: &'static str,
    ) -> Result<Turns<'_>, StorageError> {
        let mut texts: SmallVec<[String; 1]> = keys.iter().map(|key| key.text().into_owned()).collect();
        // All take them in one order, so nobody waits for somebody who waits for him.
        texts.sort_unstable();
        let mut turns = Turns { lanes: self, held: SmallVec::new() };
        for key in texts {
            let lane = self.enter(&key);
            let seen = lane.failures.load(Ordering::Acquire);
            let turn = Arc::clone(&lane.turn);
            // Before the wait, so that the queue is left if the wait is given up.
            turns.held.push(Held { key, lane, guard: None });
            let guard = turn.lock_owned().await;
            let Some(held) = turns.held.last_mut() else { continue };
            held.guard = Some(guard);
            if held.lane.failures.load(Ordering::Acquire) != seen {
                return Err(StorageError::new(StorageErrorKind::Unavailable, storage, "decide")
                    .with_source("the decision in front of this one got no answer"));
            }
        }
        Ok(turns)
    }

    fn enter(&self, key: &str) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get(key) {
            return Arc::clone(lane);
        }
        let lane = Arc::<Lane>::default();
        lanes.insert(key.to_owned(), Arc::clone(&lane));
        lane
    }

    fn leave(&self, held: Held) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        drop(held.guard);
        // The map's and this one: nobody else stands here, and nobody can enter while the map is locked.
        if Arc::strong_count(&held.lane) == 2 {
            lanes.remove(&held.key);
        }
    }
}

impl Turns<'_> {
    /// Tells those who wait behind that the register could not be reached.
    pub(super) fn fail(&self) {
        for held in &self.held {
            held.lane.failures.fetch_add(1, Ordering::AcqRel);
        }
    }
}

impl Drop for Turns<'_> {
    fn drop(&mut self) {
        for held in self.held.drain(..) {
            self.lanes.leave(held);
        }
    }
}
