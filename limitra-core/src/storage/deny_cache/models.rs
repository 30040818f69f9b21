//! What threads do to a deny cache at the same time: see `tests/loom`.
#![allow(clippy::unwrap_used)] // A model that cannot go on fails.

use std::borrow::Cow;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use loom::thread;

use super::DenyCache;
use super::layer::Layer;
use crate::algorithm::Algorithm;
use crate::attempt::{Attempt, Mode, Outcome, RuleOutcome, Subject};
use crate::error::StorageError;
use crate::key::Key;
use crate::limit::Limit;
use crate::rule::Rule;
use crate::state::State;
use crate::storage::Storage;
use crate::sync::Mutex;
use crate::time::{Clock, Micros};

const WINDOW: Duration = Duration::from_secs(60);
/// The amount by which everybody is refused until somebody changes that.
const LITTLE: u64 = 1;
/// The amount that changes it.
const MUCH: u64 = 1000;

/// One key that is exceeded for those who ask with a little amount, until a hit with much of it or a removal.
#[derive(Debug)]
struct Account {
    is_free: Mutex<bool>,
    /// Whether it never answers who asks with much, although it has charged it.
    is_silent: bool,
}

#[async_trait]
impl Storage for Account {
    fn name(&self) -> &'static str {
        "account"
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        let rule = attempt.subjects[0].rules[0];
        let is_much = rule.amount() == MUCH;
        let allowed = {
            let mut is_free = self.is_free.lock().unwrap();
            *is_free |= is_much;
            *is_free
        };
        if is_much && self.is_silent {
            pending::<()>().await;
        }
        let state = State { until: rule.window(), a: 0, b: rule.amount(), c: 0 };
        Ok(Outcome::new(Micros::ZERO, [RuleOutcome { allowed, state }].into_iter().collect()))
    }

    async fn clear(&self, _key: Key<'_>) -> Result<(), StorageError> {
        *self.is_free.lock().unwrap() = true;
        Ok(())
    }

    async fn ping(&self) -> Result<(), StorageError> {
        Ok(())
    }

    async fn reset(&self) -> Result<u64, StorageError> {
        *self.is_free.lock().unwrap() = true;
        Ok(1)
    }
}

fn cache(is_silent: bool) -> DenyCache {
    let account = Arc::new(Account { is_free: Mutex::new(false), is_silent });
    let layer = Layer::new(account, Micros::from_duration(WINDOW), 10, Box::new(|| Micros::ZERO));
    DenyCache { layer: Arc::new(layer) }
}

/// Whether a hit is allowed; none if there is no answer.
fn hit(cache: &DenyCache, amount: u64) -> Option<bool> {
    let rules = [Rule::new(Algorithm::Gcra, Limit::new(amount, WINDOW).unwrap()).unwrap()];
    let subjects = [Subject { key: Key::from_text("ada"), rules: Cow::Borrowed(&rules), cost: 1 }];
    let attempt = Attempt { subjects: &subjects, clock: Clock::Storage, mode: Mode::Hit };
    // Whose answer does not come gives up.
    match pin!(cache.decide(&attempt)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer.unwrap().is_allowed()),
        Poll::Pending => None,
    }
}

fn end<T>(removal: impl Future<Output = Result<T, StorageError>>) {
    let Poll::Ready(Ok(_)) = pin!(removal).poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("nothing here waits");
    };
}

/// While one is refused, something else makes room: who asks after both is asked of the storage.
fn refused_while(is_silent: bool, makes_room: impl Fn(&DenyCache) + Send + Sync + 'static) {
    loom::model(move || {
        let cache = cache(is_silent);
        let refused = cache.clone();
        let refused = thread::spawn(move || hit(&refused, LITTLE));
        makes_room(&cache);
        assert!(refused.join().unwrap().is_some());
        assert_eq!(hit(&cache, LITTLE), Some(true), "a refusal was kept that is none any more");
    });
}

#[test]
fn a_refusal_that_an_allowed_hit_overtook_is_not_kept() {
    refused_while(false, |cache| assert_eq!(hit(cache, MUCH), Some(true)));
}

#[test]
fn a_refusal_that_a_hit_overtook_whose_answer_nobody_waited_for_is_not_kept() {
    refused_while(true, |cache| assert_eq!(hit(cache, MUCH), None));
}

#[test]
fn a_refusal_that_a_removal_overtook_is_not_kept() {
    refused_while(false, |cache| end(cache.clear(Key::from_text("ada"))));
}

#[test]
fn a_refusal_that_a_reset_overtook_is_not_kept() {
    refused_while(false, |cache| end(cache.reset()));
}

#[test]
fn a_refusal_that_nothing_overtook_is_kept() {
    loom::model(|| {
        let cache = cache(false);
        let other = cache.clone();
        let other = thread::spawn(move || hit(&other, LITTLE));
        assert_eq!(hit(&cache, LITTLE), Some(false));
        assert_eq!(other.join().unwrap(), Some(false));
        let hits = cache.hits();
        assert_eq!(hit(&cache, LITTLE), Some(false));
        assert_eq!(cache.hits(), hits + 1);
    });
}
