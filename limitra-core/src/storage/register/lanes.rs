//! A queue for each key: of one process only one decision at a time is about one record.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use smallvec::SmallVec;
use tokio::runtime::Handle;
use tokio::sync::OwnedMutexGuard;

use crate::error::StorageError;
use crate::key::Key;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};

/// The one in front that takes longer is not waited for: it may wait for those behind it, being a future that nobody polls
/// meanwhile, or a task of a thread that they block. With the default deadlines a decision ends sooner.
const PATIENCE: Duration = Duration::from_secs(3);

/// The queues that anybody stands in. They only save tries: whoever goes past one is still held to the version that it loaded.
#[derive(Default)]
pub(super) struct Lanes {
    lanes: Mutex<HashMap<String, Arc<Lane>>>,
}

#[derive(Default)]
struct Lane {
    turn: Arc<tokio::sync::Mutex<()>>,
    /// How many had their turn.
    begun: AtomicU64,
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
            while !turns.wait(&key, storage).await? {}
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

    fn leave(&self, mut held: Held) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        drop(held.guard.take());
        // The map's and this one: nobody else stands here, and nobody can enter while the map is locked.
        if Arc::strong_count(&held.lane) == 2 && Self::is_entered(&lanes, &held) {
            lanes.remove(&held.key);
        }
    }

    /// Leaves a queue that does not move: whoever comes from now on stands in another one.
    fn give_up(&self, held: &Held) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if Self::is_entered(&lanes, held) {
            lanes.remove(&held.key);
        }
    }

    /// Whether those who come now stand in the same queue.
    fn is_entered(lanes: &HashMap<String, Arc<Lane>>, held: &Held) -> bool {
        lanes.get(&held.key).is_some_and(|lane| Arc::ptr_eq(lane, &held.lane))
    }
}

impl Lane {
    /// The turn; none if the one in front stands still.
    async fn turn(&self) -> Option<OwnedMutexGuard<()>> {
        let mut turn = pin!(Arc::clone(&self.turn).lock_owned());
        // Outside of tokio there is no timer.
        if Handle::try_current().is_err() {
            return Some(turn.await);
        }
        loop {
            let begun = self.begun.load(Ordering::Acquire);
            match tokio::time::timeout(PATIENCE, turn.as_mut()).await {
                Ok(guard) => return Some(guard),
                Err(_) if self.begun.load(Ordering::Acquire) == begun => return None,
                Err(_) => {}
            }
        }
    }
}

impl Turns<'_> {
    /// Waits for the turn at one key; whether it came.
    async fn wait(&mut self, key: &str, storage: &'static str) -> Result<bool, StorageError> {
        let lane = self.lanes.enter(key);
        let seen = lane.failures.load(Ordering::Acquire);
        // Before the wait, so that the queue is left if the wait is given up.
        self.held.push(Held { key: key.to_owned(), lane: Arc::clone(&lane), guard: None });
        let guard = lane.turn().await;
        // Else it would count as somebody who stands there.
        drop(lane);
        let Some(held) = self.held.last_mut() else { return Ok(true) };
        let Some(guard) = guard else {
            if let Some(held) = self.held.pop() {
                self.lanes.give_up(&held);
            }
            return Ok(false);
        };
        held.guard = Some(guard);
        held.lane.begun.fetch_add(1, Ordering::AcqRel);
        if held.lane.failures.load(Ordering::Acquire) != seen {
            return Err(super::storage::no_answer_in_front(storage));
        }
        Ok(true)
    }

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

#[cfg(all(test, limitra_loom))]
#[path = "models.rs"]
mod models;
