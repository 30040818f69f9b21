//! What threads do to a memory storage at the same time: see `tests/loom`.
#![allow(clippy::unwrap_used)] // A model that cannot go on fails.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::algorithm::Algorithm;
use crate::attempt::{Mode, Subject};
use crate::clock::ManualClock;
use crate::identifier::Identifier;
use crate::key::{KeyFields, KeySpace};
use crate::limit::Limit;
use crate::rule::Rule;

/// The limit is so many per window; how long one takes to drain is a part of it.
const WINDOW: Duration = Duration::from_secs(60);

/// A storage whose clock stands still, and a limiter's way to it.
struct Stage {
    storage: MemoryStorage,
    clock: ManualClock,
    space: KeySpace,
    rule: Rule,
    prepared: Prepared,
}

impl Stage {
    fn new(amount: u64, max_keys: usize) -> Arc<Self> {
        let clock = ManualClock::new();
        let inner = Inner {
            shards: Shards([Shard::new(max_keys)].into()),
            seeds: Seeds::fixed(),
            classes: Classes::new(),
            clock: OwnClock::manual(clock.clone()),
            max_keys,
        };
        let storage = MemoryStorage { inner: Arc::new(inner) };
        let (space, rule) = (space(), rule(amount));
        let prepared = storage.prepare(&space, &rule).unwrap();
        Arc::new(Self { storage, clock, space, rule, prepared })
    }

    fn parts(name: &str) -> [Identifier<'_>; 1] {
        [Identifier::from(name)]
    }

    /// As a limiter decides: the short way, else the general one.
    fn spend(&self, parts: &[Identifier<'_>], cost: u64, mode: Mode) -> Result<Single, StorageError> {
        if let Some(answer) = self.storage.decide_prepared(&self.prepared, parts, cost, mode) {
            return Ok(self.storage.single(&self.prepared, answer));
        }
        let key = self.space.key(parts);
        let answer = self.storage.decide_single(key, &self.rule, cost, mode);
        self.storage.note_place(&self.prepared, key);
        answer
    }

    fn hit(&self, name: &str) -> bool {
        self.spend(&Self::parts(name), 1, Mode::Hit).unwrap().allowed
    }

    /// The same of two at once; whether both were allowed.
    fn hit_both(&self, names: &[String; 2]) -> bool {
        let both = names.each_ref().map(|name| Self::parts(name));
        let mut lookahead = Lookahead::new(&self.storage, &self.prepared, &both);
        let allowed = both.each_ref().map(|parts| {
            let general = || self.storage.decide_single(self.space.key(parts), &self.rule, 1, Mode::Hit);
            lookahead.decide_next().map_or_else(|| general().unwrap().allowed, |charged| charged.allowed)
        });
        allowed == [true; 2]
    }

    /// How many hits are still allowed, each of which is one.
    fn left(&self, name: &str) -> usize {
        (0..100).take_while(|_| self.hit(name)).count()
    }

    fn clear(&self, name: &str) {
        self.storage.clear_now(self.space.key(&Self::parts(name)));
    }

    fn lock(&self) -> Locked<'_> {
        self.storage.lock(&self.storage.inner.shards.0[0])
    }
}

fn space() -> KeySpace {
    KeySpace::new(&KeyFields { scope: "model", ..KeyFields::default() })
}

fn rule(amount: u64) -> Rule {
    Rule::new(Algorithm::Gcra, Limit::new(amount, WINDOW).unwrap()).unwrap()
}

/// Names of keys whose place is the same row as nobody's in particular, and after a doubling another one if they move.
fn names(moving: bool) -> impl Iterator<Item = String> {
    let (seeds, space) = (Seeds::fixed(), space());
    let nobody = seeds.fingerprint(space.key(&[]));
    let is_it = move |name: &String| {
        let fingerprint = seeds.fingerprint(space.key(&Stage::parts(name)));
        fingerprint.low % 8 == nobody.low % 8 && (fingerprint.low >> 63 == 1) == moving
    };
    (0..).map(|number: u32| number.to_string()).filter(is_it)
}

/// Two keys of one row, which stay there.
fn pair() -> (String, String) {
    let mut names = names(false);
    (names.next().unwrap(), names.next().unwrap())
}

fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> loom::thread::JoinHandle<T> {
    loom::thread::Builder::new().stack_size(1 << 15).spawn(work).unwrap()
}

/// Runs it in every order.
fn model(run: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.max_branches = 100_000;
    model.check(run);
}

#[test]
fn hits_that_race_for_a_new_key_admit_exactly_the_limit() {
    model(|| {
        let stage = Stage::new(1, 10);
        let other = Arc::clone(&stage);
        let other = spawn(move || other.hit("ada"));
        assert!(stage.hit("ada") != other.join().unwrap());
        assert_eq!((stage.left("ada"), stage.storage.len()), (0, 1));
    });
}

#[test]
fn hits_that_race_for_a_word_admit_exactly_the_limit() {
    model(|| {
        let stage = Stage::new(3, 10);
        assert!(stage.hit("ada"));
        let others = [(); 2].map(|()| {
            let stage = Arc::clone(&stage);
            spawn(move || stage.hit("ada"))
        });
        let own = stage.hit("ada");
        let allowed = others.map(|other| other.join().unwrap());
        assert_eq!(usize::from(own) + allowed.iter().filter(|allowed| **allowed).count(), 2);
    });
}

#[test]
fn a_hit_whose_clock_was_read_before_another_was_charged_is_not_refused_for_that() {
    model(|| {
        let stage = Stage::new(2, 10);
        assert!(stage.hit("ada"));
        // The bucket is empty again, and its word is still there.
        stage.clock.advance(WINDOW);
        let racing = Arc::clone(&stage);
        let racing = spawn(move || racing.hit("ada"));
        stage.clock.advance(Duration::from_micros(1));
        assert!(stage.hit("ada"));
        assert!(racing.join().unwrap(), "there is room for two");
        assert_eq!(stage.left("ada"), 0);
    });
}

#[test]
fn a_hit_that_races_a_removal_never_charges_who_takes_the_slot() {
    let (one, other) = pair();
    model(move || {
        let stage = Stage::new(2, 10);
        assert!(stage.hit(&one));
        let (racing, name) = (Arc::clone(&stage), one.clone());
        let racing = spawn(move || racing.hit(&name));
        stage.clear(&one);
        assert!(stage.hit(&other));
        assert!(racing.join().unwrap());
        assert_eq!(stage.left(&other), 1, "a hit of one was charged to the other");
        // Charged before the removal, or after it.
        assert!((1..=2).contains(&stage.left(&one)));
        assert_eq!(stage.storage.len(), 2);
    });
}

#[test]
fn a_hit_is_never_answered_by_the_word_of_who_takes_the_slot() {
    let (one, other) = pair();
    model(move || {
        let stage = Stage::new(2, 10);
        assert!(stage.hit(&one));
        let (racing, name) = (Arc::clone(&stage), one.clone());
        let racing = spawn(move || racing.hit(&name));
        stage.clear(&one);
        // Its arrival is later than the one that the slot remembers, so it takes that slot; and it is exceeded.
        assert!(stage.spend(&Stage::parts(&other), 2, Mode::Hit).unwrap().allowed);
        assert!(racing.join().unwrap(), "one was refused what the other has spent");
        assert_eq!(stage.left(&other), 0);
    });
}

#[test]
fn nobody_in_particular_is_never_answered_by_the_word_of_who_takes_the_slot() {
    let (one, other) = pair();
    model(move || {
        let stage = Stage::new(2, 10);
        let nobody = |stage: &Stage| stage.spend(&[], 1, Mode::Hit).unwrap().allowed;
        assert!(stage.hit(&one));
        assert!(nobody(&stage));
        let racing = Arc::clone(&stage);
        let racing = spawn(move || nobody(&racing));
        stage.storage.clear_now(stage.space.key(&[]));
        assert!(stage.spend(&Stage::parts(&other), 2, Mode::Hit).unwrap().allowed);
        assert!(racing.join().unwrap(), "nobody was refused what the other has spent");
        assert_eq!(stage.left(&other), 0);
        assert_eq!(stage.left(&one), 1);
    });
}

#[test]
fn a_hit_that_races_a_doubling_is_counted_once() {
    let (moves, stays) = (names(true).next().unwrap(), pair().0);
    model(move || {
        let stage = Stage::new(2, 4000);
        assert!(stage.hit(&moves));
        let (racing, name) = (Arc::clone(&stage), moves.clone());
        let racing = spawn(move || racing.hit(&name));
        assert!(stage.lock().grow(0));
        assert!(stage.hit(&stays));
        assert!(racing.join().unwrap());
        assert_eq!((stage.left(&moves), stage.left(&stays)), (0, 1));
        assert_eq!(stage.storage.len(), 2);
    });
}

#[test]
fn hits_at_once_that_race_a_doubling_are_counted_once_each() {
    let both = [names(true).next().unwrap(), pair().0];
    model(move || {
        let stage = Stage::new(2, 4000);
        assert!(stage.hit(&both[0]));
        let (racing, names) = (Arc::clone(&stage), both.clone());
        let racing = spawn(move || racing.hit_both(&names));
        assert!(stage.lock().grow(0));
        assert!(racing.join().unwrap());
        assert_eq!((stage.left(&both[0]), stage.left(&both[1])), (0, 1));
        assert_eq!(stage.storage.len(), 2);
    });
}

#[test]
fn hits_at_once_that_race_a_removal_never_charge_who_takes_the_slot() {
    let (one, other) = pair();
    model(move || {
        let stage = Stage::new(3, 10);
        assert!(stage.hit(&one));
        let (racing, names) = (Arc::clone(&stage), [one.clone(), one.clone()]);
        let racing = spawn(move || racing.hit_both(&names));
        stage.clear(&one);
        assert!(stage.hit(&other));
        assert!(racing.join().unwrap());
        assert_eq!(stage.left(&other), 2, "a hit of one was charged to the other");
        // Each was charged before the removal, or after it.
        assert!((1..=3).contains(&stage.left(&one)));
    });
}

#[test]
fn a_hit_that_races_its_word_becoming_a_record_is_counted_once() {
    model(|| {
        let stage = Stage::new(3, 10);
        assert!(stage.hit("ada"));
        let racing = Arc::clone(&stage);
        let racing = spawn(move || racing.hit("ada"));
        let parts = Stage::parts("ada");
        let subjects = [Subject {
            key: stage.space.key(&parts),
            rules: std::slice::from_ref(&stage.rule).into(),
            cost: 1,
        }];
        let clock = Clock::At(stage.clock.now());
        let by_hand = stage.storage.decide_now(&Attempt { subjects: &subjects, clock, mode: Mode::Hit });
        assert!(by_hand.unwrap().is_allowed());
        assert!(racing.join().unwrap());
        assert_eq!((stage.left("ada"), stage.storage.len()), (0, 1));
    });
}

#[test]
fn a_key_that_was_just_exceeded_is_not_forgotten_for_a_new_one() {
    let (one, other) = pair();
    model(move || {
        let stage = Stage::new(2, 1);
        assert!(stage.hit(&one));
        let (racing, name) = (Arc::clone(&stage), one.clone());
        let racing = spawn(move || racing.spend(&Stage::parts(&name), 1, Mode::Hit).unwrap());
        let newcomer = stage.spend(&Stage::parts(&other), 1, Mode::Hit);
        let racing = racing.join().unwrap();
        let is_exceeded = racing.state.until == stage.clock.now().plus(Micros::from_duration(WINDOW));
        assert!(racing.allowed);
        assert!(is_exceeded || newcomer.is_ok());
        if is_exceeded {
            assert!(!stage.spend(&Stage::parts(&one), 1, Mode::Peek).unwrap().allowed, "it was forgotten");
            assert!(newcomer.is_err());
        }
        assert_eq!(stage.storage.len(), 1);
    });
}

#[test]
fn who_comes_back_while_its_slot_is_taken_is_not_forgotten() {
    let (one, other) = pair();
    model(move || {
        let stage = Stage::new(1, 1);
        assert!(stage.hit(&one));
        stage.clock.advance(WINDOW);
        let (racing, name) = (Arc::clone(&stage), one.clone());
        let racing = spawn(move || racing.spend(&Stage::parts(&name), 1, Mode::Hit).is_ok());
        let newcomer = stage.spend(&Stage::parts(&other), 1, Mode::Hit).is_ok();
        // There is room for one that is exceeded.
        let racing = racing.join().unwrap();
        assert!(racing != newcomer);
        let winner = if racing { &one } else { &other };
        assert!(!stage.spend(&Stage::parts(winner), 1, Mode::Peek).unwrap().allowed);
        assert_eq!(stage.storage.len(), 1);
    });
}

#[test]
fn a_hit_that_races_a_sweep_is_not_forgotten() {
    model(|| {
        let stage = Stage::new(1, 10);
        assert!(stage.hit("ada"));
        stage.clock.advance(WINDOW);
        let racing = Arc::clone(&stage);
        let racing = spawn(move || racing.hit("ada"));
        stage.storage.sweep();
        assert!(racing.join().unwrap());
        assert_eq!((stage.left("ada"), stage.storage.len()), (0, 1));
    });
}

#[test]
fn rules_that_race_for_a_place_have_a_number_each() {
    let rule =
        |seconds| Rule::new(Algorithm::Gcra, Limit::new(1, Duration::from_secs(seconds)).unwrap()).unwrap();
    // Two rules that are looked for at the same place first.
    let first = class::first_place(&rule(1));
    let alike = (2..100_000).find(|seconds| class::first_place(&rule(*seconds)) == first).unwrap();
    model(move || {
        let classes = Arc::new(Classes::new());
        let number = move |classes: &Classes, seconds: u64| classes.of(&rule(seconds)).unwrap().0;
        let others = [1, alike].map(|seconds| {
            let classes = Arc::clone(&classes);
            spawn(move || number(&classes, seconds))
        });
        let own = number(&classes, 1);
        let [one, other] = others.map(|other| other.join().unwrap());
        assert_eq!(own, one);
        assert_ne!(own, other);
        let kept = [own, other].map(|number| *classes.numbered(number.into()).unwrap().rule());
        assert_eq!(kept.map(|kept| kept.window()), [1, alike].map(|seconds| rule(seconds).window()));
    });
}

#[test]
fn a_clock_that_is_set_back_never_goes_back_between_threads() {
    model(|| {
        let by_hand = ManualClock::new();
        let clock = Arc::new(OwnClock::manual(by_hand.clone()));
        by_hand.advance(Duration::from_secs(2));
        let (seen, reading) = (Arc::new(crate::sync::Mutex::new(0)), Arc::clone(&clock));
        let last = Arc::clone(&seen);
        let reading = spawn(move || {
            // Both in one: what is told to others is what was shown until then.
            *last.lock().unwrap() = reading.elapsed();
        });
        by_hand.step_back(Duration::from_secs(1));
        let before = *seen.lock().unwrap();
        assert!(clock.elapsed() >= before);
        reading.join().unwrap();
        assert!(clock.elapsed() >= *seen.lock().unwrap());
    });
}
