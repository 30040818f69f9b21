//! A storage of a third party: built on records as bytes, held against the conformance suite, and read by Redis.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use limitra::{
    Algorithm, Attempt, Clock, Key, Limit, Micros, Mode, Outcome, Record, RedisStorage, Refund, Rule,
    Storage, StorageError, StorageErrorKind, Subject, conformance,
};
use limitra_tests::{fresh_id, shared};
use proptest::prelude::*;

/// How a storage may get it wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Defect {
    None,
    ChargesRefusedHits,
    WritesPeeks,
    IgnoresTheInstant,
    ClearsEverything,
    ChargesOnlyTheFirstSubject,
    ForgetsOtherRules,
    AnswersNothing,
    GivesBackByTheAmount,
    GivesNothingBack,
}

/// What anybody could write: values in a map, loaded, decided on and put back under one lock.
struct OwnStorage {
    values: Mutex<HashMap<String, Vec<u8>>>,
    defect: Defect,
}

impl OwnStorage {
    fn with(defect: Defect) -> Arc<Self> {
        Arc::new(Self { values: Mutex::default(), defect })
    }

    fn decide_now(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        let mut values = self.values.lock().unwrap();
        let foreign = |kind| StorageError::new(kind, "own", "decide");
        let mut records = Vec::new();
        for subject in attempt.subjects {
            let value = values.get(&*subject.key.text());
            let record =
                value.map_or(Ok(Record::default()), |value| Record::from_bytes(value)).map_err(foreign)?;
            records.push(record);
        }
        let now = match attempt.clock {
            Clock::At(instant) if self.defect != Defect::IgnoresTheInstant => instant,
            _ => std::time::SystemTime::now().into(),
        };
        let mode = if self.defect == Defect::WritesPeeks { Mode::Hit } else { attempt.mode };
        let decided = Attempt { mode, ..attempt.clone() }.decide(&mut records, now).map_err(foreign)?;
        if self.defect == Defect::ChargesRefusedHits && !decided.outcome.is_allowed() && mode == Mode::Hit {
            for record in &mut records {
                *record = spoiled(record);
            }
        }
        for (index, (subject, record)) in attempt.subjects.iter().zip(&records).enumerate() {
            let keeps = self.defect != Defect::ChargesOnlyTheFirstSubject || index == 0;
            let spoils = self.defect == Defect::ChargesRefusedHits;
            if keeps && (spoils || decided.changed[index]) {
                let mut bytes = record.to_bytes();
                if self.defect == Defect::ForgetsOtherRules && bytes[3] > 1 {
                    bytes = Record::default().to_bytes();
                }
                values.insert(subject.key.text().into_owned(), bytes);
            }
        }
        let mut outcome = decided.outcome;
        if self.defect == Defect::AnswersNothing {
            outcome.rules.clear();
        }
        Ok(outcome)
    }
}

impl OwnStorage {
    fn give_back_now(&self, refund: &Refund<'_>) -> Result<bool, StorageError> {
        let mut values = self.values.lock().unwrap();
        let foreign = |kind| StorageError::new(kind, "own", "give back");
        let mut records = Vec::new();
        for subject in refund.subjects {
            let value = values.get(&*subject.key.text());
            let record =
                value.map_or(Ok(Record::default()), |value| Record::from_bytes(value)).map_err(foreign)?;
            records.push(record);
        }
        let now = match refund.clock {
            Clock::At(instant) => instant,
            Clock::Storage => std::time::SystemTime::now().into(),
        };
        // Wherever it is by now, as if it had just been charged there.
        if self.defect == Defect::GivesBackByTheAmount {
            for (subject, record) in refund.subjects.iter().zip(&mut records) {
                let subjects = [subject.clone()];
                let attempt = Attempt { subjects: &subjects, clock: refund.clock, mode: Mode::Peek };
                let decided = attempt.decide(std::slice::from_mut(record), now).map_err(foreign)?;
                let receipts: Vec<_> = decided.outcome.rules.iter().map(|rule| rule.state).collect();
                Refund { subjects: &subjects, receipts: &receipts, clock: refund.clock }
                    .apply(std::slice::from_mut(record), now);
                values.insert(subject.key.text().into_owned(), record.to_bytes());
            }
            return Ok(true);
        }
        let changed = refund.apply(&mut records, now);
        for ((subject, record), changed) in refund.subjects.iter().zip(&records).zip(&changed) {
            if *changed {
                values.insert(subject.key.text().into_owned(), record.to_bytes());
            }
        }
        Ok(changed.contains(&true))
    }
}

/// The number of the moving window, whose log would not fit an end that was moved.
const MOVING_WINDOW: u8 = 5;

/// A record whose first rule ends a little later.
fn spoiled(record: &Record) -> Record {
    let mut bytes = record.to_bytes();
    let (count, first) = (bytes[3], bytes.get(4));
    if count == 0 || first == Some(&MOVING_WINDOW) {
        return record.clone();
    }
    bytes[12] = bytes[12].wrapping_add(1);
    Record::from_bytes(&bytes).unwrap()
}

impl fmt::Debug for OwnStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnStorage({:?})", self.defect)
    }
}

#[async_trait]
impl Storage for OwnStorage {
    fn name(&self) -> &'static str {
        "own"
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        self.decide_now(attempt)
    }

    async fn give_back(&self, refund: &Refund<'_>) -> Result<bool, StorageError> {
        if self.defect == Defect::GivesNothingBack {
            return Ok(true);
        }
        self.give_back_now(refund)
    }

    async fn clear(&self, key: Key<'_>) -> Result<(), StorageError> {
        let mut values = self.values.lock().unwrap();
        if self.defect == Defect::ClearsEverything {
            values.clear();
        }
        values.remove(&*key.text());
        Ok(())
    }

    async fn ping(&self) -> Result<(), StorageError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_storage_of_ones_own_keeps_every_promise() {
    conformance::check(OwnStorage::with(Defect::None)).await.unwrap();
}

#[tokio::test]
async fn an_answer_that_leaves_a_rule_out_is_no_decision() {
    let storage = OwnStorage::with(Defect::AnswersNothing);
    let limiter = limitra::RateLimiter::builder().requests(1).window(60).storage(storage).build().unwrap();
    let error = limiter.check("ada").await.unwrap_err();
    assert!(
        matches!(&error, limitra::Error::Storage(error) if error.kind() == StorageErrorKind::Malformed),
        "{error}"
    );
}

#[tokio::test]
async fn the_suite_names_the_promise_that_a_defect_breaks() {
    for (defect, promise) in [
        (Defect::ChargesRefusedHits, 3),
        (Defect::WritesPeeks, 3),
        (Defect::IgnoresTheInstant, 1),
        (Defect::ClearsEverything, 7),
        (Defect::ChargesOnlyTheFirstSubject, 2),
        (Defect::ForgetsOtherRules, 5),
        (Defect::GivesBackByTheAmount, 12),
        (Defect::GivesNothingBack, 12),
    ] {
        let violations = conformance::check(OwnStorage::with(defect)).await.unwrap_err();
        assert!(
            violations.iter().any(|violation| violation.promise == promise),
            "{defect:?}: {violations:?}"
        );
    }
}

fn rules() -> Vec<Rule> {
    let limit = |amount, micros| Limit::new(amount, Duration::from_micros(micros)).unwrap();
    [
        (Algorithm::MovingWindow, limit(40, 5_000)),
        (Algorithm::Gcra, limit(300, 100_000)),
        (Algorithm::MovingWindow, limit(90, 20_000)),
        (Algorithm::SlidingWindow, limit(500, 50_000)),
        (Algorithm::FixedWindowElasticExpiry, limit(1000, 3_000)),
    ]
    .map(|(algorithm, limit)| Rule::new(algorithm, limit).unwrap())
    .to_vec()
}

#[tokio::test]
async fn redis_and_rust_read_what_the_other_wrote_and_go_on_alike() {
    let redis = RedisStorage::from_url(&shared().url()).unwrap();
    let mut raw =
        redis::Client::open(shared().url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    let (rules, name) = (rules(), format!("limitra:{}", fresh_id()));
    let mut record = Record::default();
    let mut now = 1_700_000_000_000_000;
    let mut shuffle = 1_u64;
    for step in 0..600 {
        shuffle = shuffle.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        now += (shuffle >> 33) % 400;
        let subjects = [Subject {
            key: Key::from_text(&name),
            rules: (&rules[..]).into(),
            cost: 1 + (shuffle >> 60) % 3,
        }];
        let clock = Clock::At(Micros::new(now));
        let attempt = Attempt { subjects: &subjects, clock, mode: Mode::Hit };
        let found = redis.decide(&attempt).await.unwrap();
        let expected = attempt.decide(std::slice::from_mut(&mut record), Micros::new(now)).unwrap().outcome;
        assert_eq!(format!("{found:?}"), format!("{expected:?}"), "step {step}");
        if step % 3 == 0 && found.is_allowed() {
            let receipts: Vec<_> = found.rules.iter().map(|rule| rule.state).collect();
            now += (shuffle >> 40) % 3_000;
            let clock = Clock::At(Micros::new(now));
            let refund = Refund { subjects: &subjects, receipts: &receipts, clock };
            let changed = refund.apply(std::slice::from_mut(&mut record), Micros::new(now));
            assert_eq!(redis.give_back(&refund).await.unwrap(), changed[0], "step {step}");
        }
        if step % 7 == 0 {
            // Rust goes on with what Redis wrote.
            let bytes: Option<Vec<u8>> = redis::cmd("GET").arg(&name).query_async(&mut raw).await.unwrap();
            record = bytes.map_or_else(Record::default, |bytes| Record::from_bytes(&bytes).unwrap());
        } else if step % 11 == 0 {
            // Redis goes on with what Rust wrote.
            let bytes = record.to_bytes();
            let _: () = redis::cmd("SET")
                .arg(&name)
                .arg(bytes)
                .arg("PX")
                .arg(60_000)
                .query_async(&mut raw)
                .await
                .unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bytes_make_a_record_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), real in any::<bool>(), step in 0_u64..1_000_000) {
        if real {
            bytes.splice(0..bytes.len().min(3), *b"LR\x01");
        }
        let Ok(record) = Record::from_bytes(&bytes) else { return Ok(()) };
        let rules = rules();
        let subjects = [Subject { key: Key::from_text("k"), rules: (&rules[..]).into(), cost: 1 }];
        let now = Micros::new(1_700_000_000_000_000 + step);
        let attempt = Attempt { subjects: &subjects, clock: Clock::At(now), mode: Mode::Hit };
        let mut records = [record];
        let Ok(decided) = attempt.decide(&mut records, now) else { return Ok(()) };
        if decided.changed[0] {
            prop_assert!(Record::from_bytes(&records[0].to_bytes()).is_ok());
        }
        let receipts: Vec<_> = decided.outcome.rules.iter().map(|rule| rule.state).collect();
        let refund = Refund { subjects: &subjects, receipts: &receipts, clock: Clock::At(now) };
        if refund.apply(&mut records, now)[0] {
            prop_assert!(Record::from_bytes(&records[0].to_bytes()).is_ok());
        }
    }

    #[test]
    fn a_record_that_lost_or_gained_bytes_is_foreign(cut in 0_usize..400, tail in 1_usize..4) {
        let rules = rules();
        let subjects = [Subject { key: Key::from_text("k"), rules: (&rules[..]).into(), cost: 1 }];
        let mut records = [Record::default()];
        for step in 0..10 {
            let now = Micros::new(1_700_000_000_000_000 + step * 100);
            Attempt { subjects: &subjects, clock: Clock::At(now), mode: Mode::Hit }.decide(&mut records, now).unwrap();
        }
        let mut bytes = records[0].to_bytes();
        if cut < bytes.len() {
            prop_assert!(matches!(Record::from_bytes(&bytes[..cut]), Err(StorageErrorKind::ForeignValue)));
        }
        bytes.extend(std::iter::repeat_n(0, tail));
        prop_assert!(matches!(Record::from_bytes(&bytes), Err(StorageErrorKind::ForeignValue)));
    }
}

#[test]
fn what_redis_calls_foreign_is_foreign_in_rust() {
    let rules =
        [Rule::new(Algorithm::MovingWindow, Limit::new(9, Duration::from_secs(60)).unwrap()).unwrap()];
    let subjects = [Subject { key: Key::from_text("k"), rules: (&rules[..]).into(), cost: 1 }];
    let now = Micros::new(1_700_000_000_000_000);
    let mut records = [Record::default()];
    Attempt { subjects: &subjects, clock: Clock::At(now), mode: Mode::Hit }
        .decide(&mut records, now)
        .unwrap();
    let sound = records[0].to_bytes();
    assert!(Record::from_bytes(&sound).is_ok());

    let foreign = |bytes: &[u8]| matches!(Record::from_bytes(bytes), Err(StorageErrorKind::ForeignValue));
    assert!(foreign(b"LR\x01\x00"), "a record that holds nothing");
    // The highest byte of window, until, a, b and c, then of both numbers of a slot: beyond 2^53 each.
    for place in [11, 18, 25, 32, 39, 47, 55] {
        let mut bytes = sound.clone();
        bytes[place] = 0xff;
        assert!(foreign(&bytes), "byte {place}");
    }
    // A newest entry that is not what the record says that it matters by.
    let mut bytes = sound.clone();
    bytes[40] = bytes[40].wrapping_add(1);
    assert!(foreign(&bytes));
}
