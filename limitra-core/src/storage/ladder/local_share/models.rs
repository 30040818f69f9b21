//! What threads do to a local share at the same time: see `tests/loom`.
#![allow(clippy::unwrap_used)] // A model that cannot go on fails.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use loom::thread;

use super::*;
use crate::algorithm::Algorithm;
use crate::attempt::RuleOutcome;
use crate::error::StorageErrorKind;
use crate::limit::Limit;
use crate::rule::Rule;
use crate::state::State;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::time::{Clock, Micros};

/// A server that has room for everybody, and sums up what it is charged; or one that is away. What has counted in it is what it
/// is told in `used`.
#[derive(Debug, Default)]
struct Server {
    is_away: AtomicBool,
    used: u64,
    charged: AtomicU64,
}

#[async_trait]
impl Storage for Server {
    fn name(&self) -> &'static str {
        "server"
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        if self.is_away.load(Ordering::Relaxed) {
            return Err(StorageError::new(StorageErrorKind::Unavailable, "server", "decide"));
        }
        if attempt.mode == Mode::Hit {
            self.charged.fetch_add(attempt.subjects[0].cost, Ordering::Relaxed);
        }
        let state = State { until: Micros::MAX, a: self.used, ..State::default() };
        Ok(Outcome::new(
            Micros::MAX.minus(Micros::new(1)),
            [RuleOutcome { allowed: true, state }].into_iter().collect(),
        ))
    }

    async fn clear(&self, _key: Key<'_>) -> Result<(), StorageError> {
        Ok(())
    }

    async fn ping(&self) -> Result<(), StorageError> {
        Ok(())
    }
}

/// A share of one process over a server, whose fallback says that everything still counts.
fn stage() -> (Arc<Server>, LocalShare) {
    let server = Arc::new(Server::default());
    let fallback = Arc::new(Server { used: 50, ..Server::default() });
    (Arc::clone(&server), LocalShare::over(server, fallback, 1).unwrap())
}

/// Hits once; nothing here has to be waited for.
fn hit(share: &LocalShare, cost: u64) {
    let limit = Limit::new(100, std::time::Duration::from_secs(60)).unwrap();
    let rules = [Rule::new(Algorithm::FixedWindow, limit).unwrap()];
    let subjects = [Subject { key: Key::from_text("ada"), rules: rules[..].into(), cost }];
    let attempt = Attempt { subjects: &subjects, clock: Clock::Storage, mode: Mode::Hit };
    match pin!(share.decide(&attempt)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => assert!(answer.unwrap().is_allowed()),
        Poll::Pending => panic!("somebody waits"),
    }
}

#[test]
fn what_is_owed_is_charged_once_by_those_who_race() {
    loom::model(|| {
        let (server, share) = stage();
        server.is_away.store(true, Ordering::Relaxed);
        hit(&share, 3);
        server.is_away.store(false, Ordering::Relaxed);
        let other = share.clone();
        let other = thread::spawn(move || hit(&other, 1));
        hit(&share, 1);
        other.join().unwrap();
        assert_eq!((server.charged.load(Ordering::Relaxed), share.owing()), (5, 0));
    });
}

#[test]
fn what_is_owed_while_others_are_charged_is_kept() {
    loom::model(|| {
        let (server, share) = stage();
        server.is_away.store(true, Ordering::Relaxed);
        hit(&share, 3);
        let (other, back) = (share.clone(), Arc::clone(&server));
        let other = thread::spawn(move || {
            back.is_away.store(false, Ordering::Relaxed);
            hit(&other, 1);
        });
        // By the server or by the share.
        hit(&share, 2);
        other.join().unwrap();
        // Whatever was noted meanwhile goes with the next one.
        hit(&share, 1);
        assert_eq!((server.charged.load(Ordering::Relaxed), share.owing()), (7, 0));
    });
}
