//! The conformance suite, as somebody sees it who brings a storage of their own.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use limitra::{Attempt, Clock, Key, Mode, Outcome, RedisStorage, Refund, Storage, StorageError, conformance};
use limitra_tests::{RedisServer, shared};

use crate::stage::redis_at;

/// A storage around another one, with a fault.
struct Around {
    server: Arc<RedisServer>,
    inner: RedisStorage,
    fault: Fault,
    /// What each key was last asked for.
    rules: Mutex<HashMap<String, String>>,
}

impl Around {
    fn new(server: &Arc<RedisServer>, fault: Fault) -> Arc<Self> {
        let inner = redis_at(&server.url());
        Arc::new(Self { server: server.clone(), inner, fault, rules: Mutex::default() })
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    PeeksCount,
    NothingIsRefused,
    SubjectsOneByOne,
    ClearDoesNothing,
    ClearsEverything,
    OwnClockAlways,
    ForgetsOtherRules,
    AlwaysFails,
    GivesBackTwice,
}

impl fmt::Debug for Around {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Around({:?})", self.fault)
    }
}

#[async_trait]
impl Storage for Around {
    fn name(&self) -> &'static str {
        "around"
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        let keys: Vec<String> =
            attempt.subjects.iter().map(|subject| subject.key.text().into_owned()).collect();
        let mut changed = attempt.clone();
        let subjects = attempt.subjects;
        match self.fault {
            Fault::AlwaysFails => {
                return Err(StorageError::new(limitra::StorageErrorKind::Unavailable, "around", "decide"));
            }
            Fault::PeeksCount => changed.mode = Mode::Hit,
            Fault::OwnClockAlways => changed.clock = Clock::Storage,
            Fault::ForgetsOtherRules => {
                for (subject, key) in subjects.iter().zip(keys) {
                    let rules = format!("{:?}", subject.rules);
                    let before = self.rules.lock().unwrap().insert(key, rules.clone());
                    if before.is_some_and(|before| before != rules) {
                        self.inner.clear(subject.key).await?;
                    }
                }
            }
            Fault::SubjectsOneByOne if subjects.len() > 1 => {
                let mut all: Option<Outcome> = None;
                for subject in subjects {
                    let one = [subject.clone()];
                    let found = self.inner.decide(&Attempt { subjects: &one, ..*attempt }).await?;
                    match &mut all {
                        Some(all) => all.rules.extend(found.rules),
                        None => all = Some(found),
                    }
                }
                return Ok(all.unwrap());
            }
            _ => {}
        }
        let mut outcome = self.inner.decide(&changed).await?;
        if self.fault == Fault::NothingIsRefused {
            outcome.rules.iter_mut().for_each(|rule| rule.allowed = true);
        }
        Ok(outcome)
    }

    async fn give_back(&self, refund: &Refund<'_>) -> Result<bool, StorageError> {
        if self.fault == Fault::AlwaysFails {
            return Err(StorageError::new(limitra::StorageErrorKind::Unavailable, "around", "give back"));
        }
        let is_undone = self.inner.give_back(refund).await?;
        if self.fault == Fault::GivesBackTwice {
            self.inner.give_back(refund).await?;
        }
        Ok(is_undone)
    }

    async fn clear(&self, key: Key<'_>) -> Result<(), StorageError> {
        match self.fault {
            Fault::ClearDoesNothing => Ok(()),
            Fault::ClearsEverything => {
                self.server.cli(&["FLUSHDB"]);
                Ok(())
            }
            _ => self.inner.clear(key).await,
        }
    }

    async fn ping(&self) -> Result<(), StorageError> {
        self.inner.ping().await
    }
}

#[tokio::test]
async fn redis_keeps_every_promise() {
    conformance::check(redis_at(&shared().url())).await.unwrap();
}

#[tokio::test]
async fn a_storage_around_redis_keeps_every_promise() {
    let server = Arc::new(RedisServer::start());
    conformance::check(Around::new(&server, Fault::None)).await.unwrap();
}

#[tokio::test]
async fn a_broken_storage_is_caught_at_the_promise_that_it_breaks() {
    let server = Arc::new(RedisServer::start());
    for (fault, promise) in [
        (Fault::PeeksCount, 3),
        (Fault::NothingIsRefused, 2),
        (Fault::SubjectsOneByOne, 2),
        (Fault::ClearDoesNothing, 7),
        (Fault::ClearsEverything, 7),
        (Fault::OwnClockAlways, 1),
        (Fault::ForgetsOtherRules, 5),
        (Fault::GivesBackTwice, 12),
        (Fault::AlwaysFails, 9),
    ] {
        let violations = conformance::check(Around::new(&server, fault)).await.unwrap_err();
        let promises: Vec<u8> = violations.iter().map(|violation| violation.promise).collect();
        if fault == Fault::AlwaysFails {
            assert_eq!(promises.len(), 12, "{fault:?}: {violations:?}");
        } else {
            assert!(promises.contains(&promise), "{fault:?}: {promises:?}");
        }
    }
}
