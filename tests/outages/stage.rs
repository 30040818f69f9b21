//! What the tests act on: a storage that behaves as it is told.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use limitra::{
    Algorithm, Attempt, Error, Key, Limit, MemoryStorage, Mode, Outcome, RateLimiter, RateLimiterBuilder,
    Refund, Storage, StorageError, StorageErrorKind,
};

/// Longer than any test.
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// How a storage behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Works,
    /// No answer ever, and nothing is done.
    Hangs,
    /// The same, but peeks are answered.
    HangsOnHits,
    /// Nothing is done.
    Fails(StorageErrorKind),
    /// The same, by word of the server.
    Answers(StorageErrorKind),
    /// It is lost for keys with this in them, and works for others.
    SilentAbout(&'static str),
    /// It is done, and the answer is lost.
    ForgetsAnswers,
    /// The same, but peeks are answered.
    ForgetsAnswersToHits,
}

/// A storage over memory that behaves as it is told, and counts what it is asked.
pub(crate) struct Shaky {
    memory: Arc<dyn Storage>,
    mood: Mutex<Mood>,
    asked: AtomicU64,
}

impl Shaky {
    pub(crate) fn new(mood: Mood) -> Arc<Self> {
        Self::over(&MemoryStorage::new(), mood)
    }

    /// One of several ways to the same storage.
    pub(crate) fn over(memory: &MemoryStorage, mood: Mood) -> Arc<Self> {
        Arc::new(Self { memory: Arc::new(memory.clone()), mood: Mutex::new(mood), asked: AtomicU64::new(0) })
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// How many decisions it was asked for.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    fn mood(&self) -> Mood {
        *self.mood.lock().unwrap()
    }
}

#[async_trait]
impl Storage for Shaky {
    fn name(&self) -> &'static str {
        "shaky"
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let error = |kind| StorageError::new(kind, "shaky", "decide");
        let is_hit = attempt.mode == Mode::Hit;
        match self.mood() {
            Mood::Hangs => std::future::pending().await,
            Mood::HangsOnHits if is_hit => std::future::pending().await,
            Mood::Fails(kind) => Err(error(kind)),
            Mood::Answers(kind) => Err(error(kind).answered()),
            Mood::ForgetsAnswers => {
                self.memory.decide(attempt).await?;
                Err(error(StorageErrorKind::Timeout))
            }
            Mood::ForgetsAnswersToHits if is_hit => {
                self.memory.decide(attempt).await?;
                Err(error(StorageErrorKind::Timeout))
            }
            Mood::SilentAbout(text)
                if attempt.subjects.iter().any(|subject| subject.key.text().contains(text)) =>
            {
                Err(error(StorageErrorKind::Unavailable))
            }
            Mood::Works | Mood::HangsOnHits | Mood::SilentAbout(_) | Mood::ForgetsAnswersToHits => {
                self.memory.decide(attempt).await
            }
        }
    }

    async fn give_back(&self, refund: &Refund<'_>) -> Result<bool, StorageError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let error = |kind| StorageError::new(kind, "shaky", "give back");
        match self.mood() {
            Mood::Hangs | Mood::HangsOnHits => std::future::pending().await,
            Mood::Fails(kind) => Err(error(kind)),
            Mood::Answers(kind) => Err(error(kind).answered()),
            Mood::ForgetsAnswers | Mood::ForgetsAnswersToHits => {
                self.memory.give_back(refund).await?;
                Err(error(StorageErrorKind::Timeout))
            }
            Mood::SilentAbout(text)
                if refund.subjects.iter().any(|subject| subject.key.text().contains(text)) =>
            {
                Err(error(StorageErrorKind::Unavailable))
            }
            Mood::Works | Mood::SilentAbout(_) => self.memory.give_back(refund).await,
        }
    }

    async fn clear(&self, key: Key<'_>) -> Result<(), StorageError> {
        self.memory.clear(key).await
    }

    async fn ping(&self) -> Result<(), StorageError> {
        match self.mood() {
            Mood::Works => Ok(()),
            Mood::Hangs => std::future::pending().await,
            _ => Err(StorageError::new(StorageErrorKind::Unavailable, "shaky", "ping")),
        }
    }

    async fn reset(&self) -> Result<u64, StorageError> {
        self.memory.reset().await.map(|_| 0)
    }
}

impl fmt::Debug for Shaky {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shaky({:?})", self.mood())
    }
}

pub(crate) const LOST: Mood = Mood::Fails(StorageErrorKind::Unavailable);

pub(crate) fn limit(amount: u64) -> Limit {
    Limit::new(amount, HOUR).unwrap()
}

pub(crate) fn builder() -> RateLimiterBuilder {
    RateLimiter::builder().algorithm(Algorithm::FixedWindow)
}

/// Why there was no decision.
pub(crate) fn kind<T: fmt::Debug>(answer: Result<T, Error>) -> StorageErrorKind {
    match answer {
        Err(Error::Storage(error)) => error.kind(),
        other => panic!("{other:?}"),
    }
}
