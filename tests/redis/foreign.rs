//! What stands under our key and is not ours is an error, and left alone.

use std::borrow::Cow;

use limitra::{Algorithm, Attempt, Clock, Key, Micros, Mode, Rule, StorageErrorKind, Subject};
use limitra_tests::{fresh_prefix, random_number, shared};

use crate::stage::{HOUR, Look, ask, rule, storage_at};

const NOW: Micros = Micros::new(1_700_000_000_000_000);
const WINDOW: u64 = 3_600_000_000;

/// A record of one entry, then what follows.
fn record(algorithm: u8, window: u64, numbers: [u64; 3], rest: &[u8]) -> Vec<u8> {
    let mut value = vec![b'L', b'R', 1, 1, algorithm];
    for number in [window].iter().chain(&numbers).chain(&[0]) {
        value.extend(&number.to_le_bytes()[..7]);
    }
    value.extend(rest);
    value
}

fn number(algorithm: Algorithm) -> u8 {
    let place = Algorithm::ALL.iter().position(|other| *other == algorithm).unwrap();
    u8::try_from(place + 1).unwrap()
}

/// One rule, several rules, and two subjects of which the other one is fresh: all with an error of this kind, and nothing
/// written. `key` is that of the value.
async fn is_left_alone(key: &str, algorithm: Algorithm, expected: StorageErrorKind, look: &mut Look) {
    let storage = storage_at(&shared().url()).shared();
    let before = (look.dump(key), look.pttl(key));
    let one = [rule(algorithm, 5, HOUR)];
    let two = [rule(Algorithm::Gcra, 5, HOUR * 2), rule(algorithm, 5, HOUR)];
    for rules in [&one[..], &two[..]] {
        for mode in [Mode::Hit, Mode::Peek] {
            for cost in [0, 1, 5] {
                let answer = ask(&*storage, key, rules, Clock::At(NOW), mode, cost).await;
                let found = answer.as_ref().err().map(limitra::StorageError::kind);
                assert_eq!(found, Some(expected), "{algorithm}, {rules:?}, {mode:?}, {cost}: {answer:?}");
            }
            let answer = ask(&*storage, key, rules, Clock::Storage, mode, 1).await;
            assert_eq!(answer.map_err(|error| error.kind()).err(), Some(expected));
        }
        let other = fresh_prefix();
        let subject = |key, rules: &[Rule]| Subject {
            key: Key::from_text(key),
            rules: Cow::Owned(rules.to_vec()),
            cost: 1,
        };
        for subjects in
            [[subject(&other, &one), subject(key, rules)], [subject(key, rules), subject(&other, &one)]]
        {
            let attempt = Attempt { subjects: &subjects, clock: Clock::At(NOW), mode: Mode::Hit };
            let answer = storage.decide(&attempt).await;
            assert_eq!(answer.map_err(|error| error.kind()).err(), Some(expected));
            assert!(!look.exists(&other), "{algorithm}: the other subject was charged");
        }
    }
    assert_eq!((look.dump(key), look.pttl(key)), before, "{algorithm}: the value was touched");
}

async fn value_is_left_alone(value: &[u8], expected: StorageErrorKind) {
    let (key, mut look) = (fresh_prefix(), Look::at(shared()));
    for algorithm in Algorithm::ALL {
        look.set(&key, value);
        is_left_alone(&key, *algorithm, expected, &mut look).await;
    }
}

#[tokio::test]
async fn a_value_of_another_type_is_an_error_and_left_alone() {
    let mut look = Look::at(shared());
    for command in [
        &["RPUSH", "KEY", "a", "b"][..],
        &["HSET", "KEY", "field", "value"],
        &["SADD", "KEY", "a"],
        &["ZADD", "KEY", "1", "a"],
        &["XADD", "KEY", "*", "a", "b"],
    ] {
        let key = fresh_prefix();
        let words: Vec<&str> = command.iter().map(|word| if *word == "KEY" { &key } else { *word }).collect();
        look.run::<redis::Value>(&words);
        for algorithm in Algorithm::ALL {
            is_left_alone(&key, *algorithm, StorageErrorKind::ForeignValue, &mut look).await;
        }
    }
}

#[tokio::test]
async fn a_foreign_text_is_an_error_and_left_alone() {
    for value in
        [&b""[..], b"L", b"LR", b"7", b"hello", b"{\"count\": 3}", &[0; 40], &[b'x'; 40], &[0xff; 5000]]
    {
        value_is_left_alone(value, StorageErrorKind::ForeignValue).await;
    }
}

#[tokio::test]
async fn a_truncated_record_is_an_error_and_left_alone() {
    let whole = record(1, WINDOW, [NOW.get() + WINDOW, 3, 4], &[]);
    for length in [3, 4, 5, 20, 39] {
        value_is_left_alone(&whole[..length], StorageErrorKind::ForeignValue).await;
    }
    let slot = [[0; 8], [0; 8]].concat();
    for rest in [&slot[..15], &[slot.as_slice(), b"x"].concat()] {
        let moving = record(5, WINDOW, [NOW.get() + WINDOW, 1, 1 << 26], rest);
        value_is_left_alone(&moving, StorageErrorKind::ForeignValue).await;
    }
    let longer = [whole.as_slice(), b"rest"].concat();
    value_is_left_alone(&longer, StorageErrorKind::ForeignValue).await;
    let mut more = whole.clone();
    more[3] = 255;
    value_is_left_alone(&more, StorageErrorKind::ForeignValue).await;
    let mut none = whole;
    none[3] = 0;
    value_is_left_alone(&none[..4], StorageErrorKind::ForeignValue).await;
}

#[tokio::test]
async fn a_record_of_another_version_is_an_error_and_left_alone() {
    for version in [0, 3, 255] {
        let mut value = record(1, WINDOW, [NOW.get() + WINDOW, 0, 1], &[]);
        value[2] = version;
        value_is_left_alone(&value, StorageErrorKind::OtherVersion).await;
        value.extend([7; 3000]);
        value_is_left_alone(&value, StorageErrorKind::OtherVersion).await;
    }
}

#[tokio::test]
async fn a_small_record_that_is_cut_or_absurd_is_an_error_and_left_alone() {
    let mut small = b"LR\x02\x08".to_vec();
    small.extend(&WINDOW.to_le_bytes()[..6]);
    small.extend(&(NOW.get() + WINDOW).to_le_bytes()[..7]);
    small.extend([0, 0, 0, 5, 0, 0, 1, 0, 0, 0, 0]);
    for length in [4, 5, 27, 29, 40] {
        let mut value = small.clone();
        value.resize(length, 0);
        value_is_left_alone(&value, StorageErrorKind::ForeignValue).await;
    }
    let (mut log, mut late, mut before) = (small.clone(), small.clone(), small);
    // A moving window's log has no room in it.
    log[3] = 5;
    // Beyond 2^53, and charged before there was any time.
    late[16] = 0xff;
    before[10..17].fill(0);
    before[23] = 9;
    for value in [log, late, before] {
        value_is_left_alone(&value, StorageErrorKind::ForeignValue).await;
    }
}

#[tokio::test]
async fn numbers_that_no_record_can_hold_are_an_error_and_left_alone() {
    let mut look = Look::at(shared());
    for algorithm in Algorithm::ALL {
        for absurd in [(1 << 56) - 1, (1 << 56) - 2, 1 << 55, 1 << 53] {
            for place in 0..3 {
                let slots = u64::from(*algorithm == Algorithm::MovingWindow) << 26;
                let mut numbers = [NOW.get() + WINDOW, 1, slots.max(2)];
                numbers[place] = absurd;
                let slot =
                    if slots > 0 { [NOW.get() + 1, 0].map(u64::to_le_bytes).concat() } else { Vec::new() };
                let key = fresh_prefix();
                look.set(&key, &record(number(*algorithm), WINDOW, numbers, &slot));
                is_left_alone(&key, *algorithm, StorageErrorKind::ForeignValue, &mut look).await;
            }
        }
    }
}

#[tokio::test]
async fn a_log_with_slots_that_cannot_be_is_no_decision_by_accident() {
    let storage = storage_at(&shared().url()).shared();
    let mut look = Look::at(shared());
    let rules = [rule(Algorithm::MovingWindow, 2, HOUR)];
    for slot in [[u64::MAX, 0], [NOW.get(), u64::MAX], [1 << 53, 1 << 53], [0, 0]] {
        let key = fresh_prefix();
        let log = [slot, slot].map(|slot| slot.map(u64::to_le_bytes).concat()).concat();
        let value = record(5, WINDOW, [NOW.get() + WINDOW, 3, 1 | 2 << 26], &log);
        look.set(&key, &value);
        // Either an error, or a decision that can be had of it: a value is never half of each.
        match ask(&*storage, &key, &rules, Clock::At(NOW), Mode::Hit, 1).await {
            Err(error) => {
                assert_eq!(error.kind(), StorageErrorKind::ForeignValue, "{error}");
                assert_eq!(look.value(&key), value);
            }
            Ok(outcome) if outcome.is_allowed() => assert_ne!(look.value(&key), value),
            Ok(_) => assert_eq!(look.value(&key), value),
        }
    }
}

#[tokio::test]
async fn random_bytes_behind_our_magic_never_panic_and_are_left_alone_where_they_are_an_error() {
    let storage = storage_at(&shared().url()).shared();
    let mut look = Look::at(shared());
    for round in 0..600_u64 {
        let algorithm = Algorithm::ALL[usize::try_from(round % 8).unwrap()];
        let key = fresh_prefix();
        let length = usize::try_from(random_number() % 120).unwrap();
        let mut value = b"LR\x01".to_vec();
        value.push(u8::try_from(random_number() % 4).unwrap());
        while value.len() < 4 + length {
            value.extend(random_number().to_le_bytes());
        }
        // A third with the right length and tag for one entry, and a third for one of small numbers.
        if round % 3 == 1 {
            value.resize(28, 0);
            value[2] = 2;
            value[3] = number(algorithm);
            value[4..10].copy_from_slice(&WINDOW.to_le_bytes()[..6]);
        } else if round % 3 == 0 {
            value.resize(40, 0);
            value[3] = 1;
            value[4] = number(algorithm);
            value[5..12].copy_from_slice(&WINDOW.to_le_bytes()[..7]);
        }
        look.set(&key, &value);
        look.run::<()>(&["PEXPIRE", &key, "1000000"]);
        for rules in
            [&[rule(algorithm, 5, HOUR)][..], &[rule(algorithm, 5, HOUR), rule(Algorithm::Gcra, 5, HOUR * 2)]]
        {
            let answer = ask(&*storage, &key, rules, Clock::At(NOW), Mode::Hit, 1).await;
            match answer {
                Err(error) => {
                    let kind = error.kind();
                    assert_eq!(kind, StorageErrorKind::ForeignValue, "{error} for {value:x?}");
                    assert_eq!(look.value(&key), value, "{error}");
                }
                Ok(_) => break,
            }
        }
    }
}

#[tokio::test]
async fn a_foreign_value_can_be_reset() {
    let storage = storage_at(&shared().url());
    let mut look = Look::at(shared());
    let limiter = crate::stage::limiter(&storage, Algorithm::Gcra, 1);
    let key = limiter.key("ada");
    look.run::<()>(&["RPUSH", &key, "a"]);
    assert_eq!(crate::stage::kind(limiter.check("ada").await), StorageErrorKind::ForeignValue);
    limiter.reset("ada").await.unwrap();
    assert!(limiter.allow_request("ada").await.unwrap());
}
