//! The layer over memory, by a clock that both share and that the way to the storage takes its time of.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

use std::borrow::Cow;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;

use super::DenyCache;
use super::layer::Layer;
use crate::algorithm::Algorithm;
use crate::attempt::{Attempt, Mode, Outcome, RuleOutcome, Subject};
use crate::clock::ManualClock;
use crate::error::StorageError;
use crate::key::Key;
use crate::limit::Limit;
use crate::rule::Rule;
use crate::state::State;
use crate::storage::Storage;
use crate::storage::memory::MemoryStorage;
use crate::time::{Clock, Micros};

const SECOND: u64 = 1_000_000;

/// Memory, some time away.
#[derive(Debug)]
struct Distant {
    memory: MemoryStorage,
    clock: ManualClock,
    /// How long a question takes there, and an answer back, in microseconds.
    there: AtomicU64,
    back: AtomicU64,
    asked: AtomicU64,
}

#[async_trait]
impl Storage for Distant {
    fn name(&self) -> &'static str {
        "distant"
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.clock.advance(Duration::from_micros(self.there.load(Ordering::Relaxed)));
        let outcome = self.memory.decide(&Attempt { clock: Clock::At(self.clock.now()), ..*attempt }).await;
        self.clock.advance(Duration::from_micros(self.back.load(Ordering::Relaxed)));
        outcome
    }

    async fn clear(&self, key: Key<'_>) -> Result<(), StorageError> {
        self.memory.clear(key).await
    }

    async fn ping(&self) -> Result<(), StorageError> {
        Ok(())
    }
}

/// Refuses everybody for a window.
#[derive(Debug)]
struct Refusing(ManualClock);

#[async_trait]
impl Storage for Refusing {
    fn name(&self) -> &'static str {
        "refusing"
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        let now = self.0.now();
        let rules = attempt.subjects.iter().flat_map(|subject| subject.rules.iter());
        let refused = rules.map(|rule| {
            let state = State { until: now.plus(rule.window()), a: rule.amount(), b: 0, c: 0 };
            RuleOutcome { allowed: false, state }
        });
        Ok(Outcome::new(now, refused.collect()))
    }

    async fn clear(&self, _key: Key<'_>) -> Result<(), StorageError> {
        Ok(())
    }

    async fn ping(&self) -> Result<(), StorageError> {
        Ok(())
    }
}

/// A cache over a distant memory.
struct Stage {
    distant: Arc<Distant>,
    cache: DenyCache,
}

impl Stage {
    fn new(max_age: u64, max_keys: usize) -> Self {
        let clock = ManualClock::new();
        let distant = Arc::new(Distant {
            memory: MemoryStorage::new(),
            clock: clock.clone(),
            there: AtomicU64::new(0),
            back: AtomicU64::new(0),
            asked: AtomicU64::new(0),
        });
        let start = clock.now();
        let elapsed = Box::new(move || clock.now().minus(start));
        let layer = Layer::new(distant.clone(), Micros::new(max_age), max_keys, elapsed);
        Self { distant, cache: DenyCache { layer: Arc::new(layer) } }
    }

    fn advance(&self, micros: u64) {
        self.distant.clock.advance(Duration::from_micros(micros));
    }

    fn hit(&self, key: &str, rules: &[Rule], cost: u64) -> Outcome {
        let subjects = [Subject { key: Key::from_text(key), rules: Cow::Borrowed(rules), cost }];
        let attempt = Attempt { subjects: &subjects, clock: Clock::Storage, mode: Mode::Hit };
        now(self.cache.decide(&attempt)).unwrap()
    }

    /// What the storage would say this very moment.
    fn truth(&self, key: &str, rules: &[Rule], cost: u64) -> Outcome {
        let subjects = [Subject { key: Key::from_text(key), rules: Cow::Borrowed(rules), cost }];
        let clock = Clock::At(self.distant.clock.now());
        now(self.distant.memory.decide(&Attempt { subjects: &subjects, clock, mode: Mode::Peek })).unwrap()
    }
}

fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("nothing here waits"),
    }
}

fn rule(algorithm: Algorithm, amount: u64, micros: u64) -> Rule {
    Rule::new(algorithm, Limit::new(amount, Duration::from_micros(micros)).unwrap()).unwrap()
}

fn wait(rules: &[Rule], outcome: &Outcome, cost: u64) -> u64 {
    let refused = rules.iter().zip(&outcome.rules).filter(|(_, found)| !found.allowed);
    let waits = refused.map(|(rule, found)| {
        rule.algorithm().allowed_at(&rule.limit(), &found.state, outcome.now, cost).minus(outcome.now)
    });
    waits.max().unwrap_or_default().get()
}

/// A generator of numbers that look random (Knuth's MMIX).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[test]
fn an_answer_of_its_own_is_always_a_refusal_that_the_storage_would_give_and_its_wait_is_long_enough() {
    let mut answered = 0;
    for (seed, algorithm) in (0..).zip(Algorithm::ALL.iter().cycle().take(64)) {
        let mut numbers = Numbers(seed);
        let stage = Stage::new(1 + numbers.below(3 * SECOND), 100);
        // One rule, two, the same counter by another amount, and a mixture.
        let asked = [
            vec![rule(*algorithm, 3, 2 * SECOND)],
            vec![rule(*algorithm, 3, 2 * SECOND), rule(Algorithm::Gcra, 7, 9 * SECOND)],
            vec![rule(*algorithm, 9, 2 * SECOND)],
            vec![rule(Algorithm::MovingWindow, 4, SECOND), rule(*algorithm, 6, 5 * SECOND)],
        ];
        for _ in 0..3000 {
            stage.advance(numbers.below(4) * numbers.below(SECOND / 4));
            let trip = numbers.below(3) * numbers.below(20_000);
            stage.distant.there.store(numbers.below(trip + 1), Ordering::Relaxed);
            stage.distant.back.store(numbers.below(trip + 1), Ordering::Relaxed);
            let rules = &asked[usize::try_from(numbers.below(4)).unwrap()];
            let (cost, key) = (1 + numbers.below(3), ["ada", "bob"][usize::from(numbers.below(2) == 0)]);
            let (truth, hits) = (stage.truth(key, rules, cost), stage.cache.hits());
            let told = stage.hit(key, rules, cost);
            if stage.cache.hits() == hits {
                continue;
            }
            answered += 1;
            assert!(!told.is_allowed(), "{rules:?}");
            assert!(!truth.is_allowed(), "{rules:?} at {told:?}, not {truth:?}");
            assert!(told.now <= truth.now);
            assert!(!rules.iter().any(|rule| rule.algorithm() == Algorithm::FixedWindowElasticExpiry));
            // Nobody else writes, but for the lower costs that were allowed since: those make it longer.
            let (told_wait, true_wait) = (wait(rules, &told, cost), wait(rules, &truth, cost));
            assert!(told_wait <= true_wait + 80_000, "{told_wait} {true_wait}");
        }
    }
    assert!(answered > 5_000, "{answered}");
}

#[test]
fn who_waits_what_is_told_is_allowed_and_a_round_trip_earlier_is_refused() {
    for algorithm in Algorithm::ALL {
        if *algorithm == Algorithm::FixedWindowElasticExpiry {
            continue;
        }
        for (there, back) in [(0, 0), (700, 0), (0, 900), (5_000, 3_000)] {
            let stage = Stage::new(60 * SECOND, 10);
            let rules = [rule(*algorithm, 2, 10 * SECOND)];
            stage.hit("ada", &rules, 2);
            stage.distant.there.store(there, Ordering::Relaxed);
            stage.distant.back.store(back, Ordering::Relaxed);
            assert!(!stage.hit("ada", &rules, 2).is_allowed());
            let asked = stage.distant.asked.load(Ordering::Relaxed);
            for pause in [1, 1_000, 777_777] {
                stage.advance(pause);
                let told = stage.hit("ada", &rules, 2);
                let (told_wait, truth) = (wait(&rules, &told, 2), stage.truth("ada", &rules, 2));
                let true_wait = wait(&rules, &truth, 2);
                assert!(told_wait >= true_wait, "{algorithm}: {told_wait} {true_wait}");
                assert!(told_wait <= true_wait + there + back + 1, "{algorithm}: {told_wait} {true_wait}");
            }
            assert_eq!(stage.distant.asked.load(Ordering::Relaxed), asked, "{algorithm}");
            stage.advance(wait(&rules, &stage.hit("ada", &rules, 2), 2));
            assert!(stage.hit("ada", &rules, 2).is_allowed(), "{algorithm}");
        }
    }
}

#[test]
fn the_storage_is_asked_again_at_the_earlier_of_the_wait_and_the_age() {
    let rules = [rule(Algorithm::FixedWindow, 1, 10 * SECOND)];
    for (max_age, end) in [(3 * SECOND, 3 * SECOND), (100 * SECOND, 10 * SECOND)] {
        let stage = Stage::new(max_age, 10);
        stage.hit("ada", &rules, 1);
        stage.hit("ada", &rules, 1);
        // The last microsecond is the storage's, whose instants are rounded.
        stage.advance(end - 2 - u64::from(max_age > end));
        stage.hit("ada", &rules, 1);
        assert_eq!((stage.cache.hits(), stage.distant.asked.load(Ordering::Relaxed)), (1, 2));
        stage.advance(2);
        stage.hit("ada", &rules, 1);
        assert_eq!((stage.cache.hits(), stage.distant.asked.load(Ordering::Relaxed)), (1, 3));
    }
}

#[test]
fn with_a_moving_window_only_the_same_cost_is_answered() {
    let stage = Stage::new(60 * SECOND, 10);
    let rules = [rule(Algorithm::MovingWindow, 3, 10 * SECOND)];
    stage.hit("ada", &rules, 1);
    stage.advance(SECOND);
    stage.hit("ada", &rules, 2);
    assert!(!stage.hit("ada", &rules, 1).is_allowed());
    assert_eq!(wait(&rules, &stage.hit("ada", &rules, 3), 3), 10 * SECOND);
    assert_eq!(stage.cache.hits(), 0);
    // Each is known by now, with its own wait.
    stage.advance(2);
    assert!(wait(&rules, &stage.hit("ada", &rules, 3), 3) >= 10 * SECOND - 2);
    assert!(wait(&rules, &stage.hit("ada", &rules, 1), 1) <= 9 * SECOND);
    assert_eq!(stage.cache.hits(), 2);
}

#[test]
fn a_rule_that_is_free_again_before_the_others_is_told_as_free() {
    let stage = Stage::new(60 * SECOND, 10);
    let rules =
        [rule(Algorithm::FixedWindow, 1, SECOND), rule(Algorithm::FixedWindowAligned, 1, 100 * SECOND)];
    stage.hit("ada", &rules, 1);
    assert!(stage.hit("ada", &rules, 1).rules.iter().all(|found| !found.allowed));
    stage.advance(2 * SECOND);
    let told = stage.hit("ada", &rules, 1);
    assert_eq!(told.rules.iter().map(|found| found.allowed).collect::<Vec<_>>(), [true, false]);
    assert_eq!(stage.cache.hits(), 1);
}

#[test]
fn an_allowed_hit_by_another_rate_forgets_what_it_may_have_shortened() {
    let stage = Stage::new(60 * SECOND, 10);
    let (slow, fast) =
        ([rule(Algorithm::Gcra, 2, 100 * SECOND)], [rule(Algorithm::Gcra, 1000, 100 * SECOND)]);
    stage.hit("ada", &slow, 2);
    assert!(!stage.hit("ada", &slow, 2).is_allowed());
    stage.advance(2);
    assert!(!stage.hit("ada", &slow, 2).is_allowed());
    assert_eq!(stage.cache.hits(), 1);
    assert!(stage.hit("ada", &fast, 1).is_allowed());
    stage.advance(SECOND);
    assert!(stage.hit("ada", &slow, 2).is_allowed());
    assert_eq!(stage.cache.hits(), 1);
}

#[test]
fn a_refusal_from_before_a_reset_is_not_kept() {
    let stage = Stage::new(60 * SECOND, 10);
    let rules = [rule(Algorithm::FixedWindow, 1, 10 * SECOND)];
    let subjects = [Subject { key: Key::from_text("ada"), rules: Cow::Borrowed(&rules), cost: 1 }];
    let attempt = Attempt { subjects: &subjects, clock: Clock::Storage, mode: Mode::Hit };
    stage.hit("ada", &rules, 1);
    let passing = stage.cache.layer.ask(&attempt).unwrap_err();
    let answer = now(stage.distant.decide(&attempt));
    now(stage.cache.clear(Key::from_text("ada"))).unwrap();
    passing.end(&answer);
    assert!(stage.cache.is_empty());
    assert!(stage.hit("ada", &rules, 1).is_allowed());
}

#[test]
fn a_refusal_of_a_lower_cost_is_not_replaced_by_one_of_a_higher() {
    let stage = Stage::new(60 * SECOND, 10);
    let rules = [rule(Algorithm::FixedWindow, 5, 10 * SECOND)];
    stage.hit("ada", &rules, 5);
    let of = |cost| [Subject { key: Key::from_text("ada"), rules: Cow::Borrowed(&rules), cost }];
    let (low, high) = (of(1), of(5));
    let attempts = [&low, &high].map(|subjects| Attempt { subjects, clock: Clock::Storage, mode: Mode::Hit });
    let passing = attempts.each_ref().map(|attempt| stage.cache.layer.ask(attempt).unwrap_err());
    for (passing, attempt) in passing.into_iter().zip(&attempts) {
        passing.end(&now(stage.distant.decide(attempt)));
    }
    stage.advance(2);
    assert!(!stage.hit("ada", &rules, 1).is_allowed());
    assert_eq!((stage.cache.hits(), stage.cache.len()), (1, 1));
}

#[test]
fn a_million_refused_identifiers_take_no_more_room_than_there_is() {
    let clock = ManualClock::new();
    let (start, shown) = (clock.now(), clock.clone());
    let elapsed = Box::new(move || shown.now().minus(start));
    let layer = Layer::new(Arc::new(Refusing(clock.clone())), Micros::new(SECOND), 1000, elapsed);
    let cache = DenyCache { layer: Arc::new(layer) };
    let rules = [rule(Algorithm::FixedWindow, 1, 10 * SECOND)];
    for who in 0..1_000_000_u64 {
        let key = who.to_string();
        let subjects = [Subject { key: Key::from_text(&key), rules: Cow::Borrowed(&rules), cost: 1 }];
        let attempt = Attempt { subjects: &subjects, clock: Clock::Storage, mode: Mode::Hit };
        assert!(!now(cache.decide(&attempt)).unwrap().is_allowed());
        // At first they end before there is no more room, then they do not.
        clock.advance(Duration::from_micros(if who < 10_000 { 1_100 } else { 1 }));
        if who % 1000 == 999 {
            // In a second there come 909, and few outstay their end.
            let most = if who < 10_000 { 930 } else { 1000 };
            assert!((900..=most).contains(&cache.len()), "{}", cache.len());
        }
    }
    assert_eq!((cache.hits(), cache.len()), (0, 1000));
}

#[test]
fn when_it_is_full_the_nearest_to_its_end_goes() {
    let stage = Stage::new(60 * SECOND, 2);
    let rules = |seconds| [rule(Algorithm::FixedWindow, 1, seconds * SECOND)];
    for (key, seconds) in [("ada", 30), ("bob", 10), ("eve", 20)] {
        stage.hit(key, &rules(seconds), 1);
        stage.hit(key, &rules(seconds), 1);
    }
    assert_eq!(stage.cache.len(), 2);
    stage.advance(2);
    let asked = stage.distant.asked.load(Ordering::Relaxed);
    stage.hit("ada", &rules(30), 1);
    stage.hit("eve", &rules(20), 1);
    assert_eq!(stage.distant.asked.load(Ordering::Relaxed), asked);
    stage.hit("bob", &rules(10), 1);
    assert_eq!(stage.distant.asked.load(Ordering::Relaxed), asked + 1);
}
