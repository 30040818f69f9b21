//! A storage that remembers what it was asked, one that is down, and handles on them.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use limitra::{
    Attempt, Key, Limitra, LimitraConfig, ManualClock, MemoryStorage, Outcome, Rule, Storage, StorageError,
    StorageErrorKind,
};

/// What one subject of an attempt was.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) key: String,
    pub(crate) rules: Vec<Rule>,
    pub(crate) cost: u64,
}

/// Memory, with a memory of what it was asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Witness {
    memory: MemoryStorage,
    seen: Arc<Mutex<Vec<Vec<Seen>>>>,
}

impl Witness {
    /// A witness and a handle on it.
    pub(crate) fn with_handle() -> (Self, Limitra) {
        let witness = Self::default();
        let limits = LimitraConfig::new()
            .storage(Arc::new(witness.clone()) as Arc<dyn Storage>)
            .clock(ManualClock::new())
            .build()
            .expect("a storage and a clock are all right");
        (witness, limits)
    }

    /// The subjects of every attempt so far.
    pub(crate) fn attempts(&self) -> Vec<Vec<Seen>> {
        self.seen.lock().expect("no test panics with it").clone()
    }

    /// The keys of every attempt so far.
    pub(crate) fn keys(&self) -> Vec<Vec<String>> {
        let keys = |attempt: Vec<Seen>| attempt.into_iter().map(|seen| seen.key).collect();
        self.attempts().into_iter().map(keys).collect()
    }

    /// The identifier in the key of the only subject of the last attempt.
    pub(crate) fn identifier(&self) -> String {
        let attempts = self.attempts();
        let [seen] = &attempts.last().expect("there was an attempt")[..] else {
            panic!("one subject was expected: {attempts:?}");
        };
        let fields: Vec<&str> = seen.key.split(':').collect();
        fields[fields.len() - 2].to_owned()
    }
}

#[async_trait]
impl Storage for Witness {
    fn name(&self) -> &'static str {
        "witness"
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        let subjects = attempt.subjects.iter().map(|subject| Seen {
            key: subject.key.text().into_owned(),
            rules: subject.rules.to_vec(),
            cost: subject.cost,
        });
        self.seen.lock().expect("no test panics with it").push(subjects.collect());
        // Somebody else may run before the answer is there.
        tokio::task::yield_now().await;
        self.memory.decide(attempt).await
    }

    async fn clear(&self, key: Key<'_>) -> Result<(), StorageError> {
        self.memory.clear(key).await
    }

    async fn ping(&self) -> Result<(), StorageError> {
        Ok(())
    }
}

/// A storage that never answers anything but an error.
#[derive(Debug)]
struct Down;

#[async_trait]
impl Storage for Down {
    fn name(&self) -> &'static str {
        "down"
    }

    async fn decide(&self, _attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        Err(StorageError::new(StorageErrorKind::Unavailable, "down", "decide"))
    }

    async fn clear(&self, _key: Key<'_>) -> Result<(), StorageError> {
        Err(StorageError::new(StorageErrorKind::Unavailable, "down", "clear"))
    }

    async fn ping(&self) -> Result<(), StorageError> {
        Err(StorageError::new(StorageErrorKind::Unavailable, "down", "check"))
    }
}

/// A handle on memory with a clock of its own, which stands still.
pub(crate) fn limits() -> (Limitra, ManualClock) {
    let clock = ManualClock::new();
    let limits = LimitraConfig::new().clock(clock.clone()).build();
    (limits.expect("a clock is all right"), clock)
}

/// A handle on a storage that is down.
pub(crate) fn outage() -> Limitra {
    let limits = LimitraConfig::new().storage(Arc::new(Down) as Arc<dyn Storage>).build();
    limits.expect("a storage is all right")
}
