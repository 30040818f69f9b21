//! What stands in a record, and what becomes of it when the rules change.

use std::borrow::Cow;
use std::time::Duration;

use limitra::{
    Algorithm, AnyStorage, Attempt, Clock, Key, ManualClock, MemoryStorage, Micros, Mode, Outcome,
    RateLimiter, Rule, Storage, Subject,
};
use limitra_tests::{RedisServer, fresh_prefix, random_number, shared};

use crate::monitor::Monitor;
use crate::stage::{HOUR, Look, SECOND, ask, fresh, limit, rule, storage_at};

const SMALL: usize = 28;
const HEADER: usize = 4;
const ENTRY: usize = 36;
const SLOT: usize = 16;

fn storage() -> AnyStorage {
    storage_at(&shared().url())
}

/// The entries of a record: algorithm, window, end, and three numbers.
fn entries(value: &[u8]) -> Vec<[u64; 6]> {
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    if value.starts_with(b"LR\x02") {
        assert_eq!(value.len(), SMALL);
        let (until, c) = (number(&value[10..17]), number(&value[23..28]));
        let c = if c > 0 { until + 1 - c } else { 0 };
        return vec![[
            value[3].into(),
            number(&value[4..10]),
            until,
            number(&value[17..20]),
            number(&value[20..23]),
            c,
        ]];
    }
    assert_eq!(&value[..3], b"LR\x01");
    let entries = value[HEADER..].chunks_exact(ENTRY).take(value[3].into());
    entries
        .map(|entry| {
            [
                entry[0].into(),
                number(&entry[1..8]),
                number(&entry[8..15]),
                number(&entry[15..22]),
                number(&entry[22..29]),
                number(&entry[29..36]),
            ]
        })
        .collect()
}

fn is_alike(one: &Outcome, other: &Outcome) -> bool {
    let rules =
        |outcome: &Outcome| outcome.rules.iter().map(|rule| (rule.allowed, rule.state)).collect::<Vec<_>>();
    one.now == other.now && rules(one) == rules(other)
}

#[tokio::test]
async fn a_record_of_one_rule_is_28_bytes_and_of_several_36_each() {
    let (storage, mut look) = (storage(), Look::at(shared()));
    for algorithm in Algorithm::ALL {
        let log = if *algorithm == Algorithm::MovingWindow { SLOT } else { 0 };
        for rules in 1..=5_u32 {
            let limits = (1..=rules).map(|rule| limit(9, HOUR * rule));
            let limiter = fresh(&storage).algorithm(*algorithm).limits(limits).build().unwrap();
            limiter.check_cost("ada", 7).await.unwrap();
            let is_small = rules == 1 && log == 0;
            let expected =
                if is_small { SMALL } else { HEADER + (ENTRY + log) * usize::try_from(rules).unwrap() };
            assert_eq!(look.value(&limiter.key("ada")).len(), expected, "{algorithm}");
        }
    }
}

/// The same record in the form that holds any numbers.
fn longer(value: &[u8]) -> Vec<u8> {
    let mut longer = b"LR\x01\x01".to_vec();
    let [entry] = entries(value)[..] else { panic!("one entry") };
    longer.push(u8::try_from(entry[0]).unwrap());
    longer.extend(entry[1..].iter().flat_map(|number| number.to_le_bytes().into_iter().take(7)));
    longer
}

#[tokio::test]
async fn a_record_in_the_longer_form_counts_on_and_is_written_small() {
    let (storage, mut look) = (storage(), Look::at(shared()));
    for algorithm in Algorithm::ALL.iter().filter(|algorithm| **algorithm != Algorithm::MovingWindow) {
        let (clock, memory) = (ManualClock::new(), AnyStorage::from(MemoryStorage::new()));
        let on = |storage| {
            fresh(storage).algorithm(*algorithm).limit(limit(3, HOUR)).clock(clock.clone()).build().unwrap()
        };
        let one = on(&storage);
        one.check("ada").await.unwrap();
        let (key, small) = (one.key("ada"), look.value(&one.key("ada")));
        let long = longer(&small);
        assert_eq!((small.len(), long.len()), (SMALL, HEADER + ENTRY), "{algorithm}");
        assert_eq!(entries(&long), entries(&small), "{algorithm}");
        look.set(&key, &long);
        assert_eq!(one.usage("ada").await.unwrap().count, 1, "{algorithm}");
        assert!(one.allow_request("ada").await.unwrap(), "{algorithm}");
        assert_eq!(look.value(&key).len(), SMALL, "{algorithm}");
        assert!(one.allow_request("ada").await.unwrap() && !one.allow_request("ada").await.unwrap());
        let same = on(&memory);
        for _ in 0..4 {
            same.check("ada").await.unwrap();
        }
        let (ours, theirs) = (one.check("ada").await.unwrap(), same.check("ada").await.unwrap());
        assert_eq!(ours.retry_after(), theirs.retry_after(), "{algorithm}");
    }
}

#[tokio::test]
async fn numbers_that_are_not_small_take_40_bytes_and_decide_alike() {
    let (storage, mut look) = (storage(), Look::at(shared()));
    let day = HOUR * 24;
    let large = |algorithm: Algorithm| {
        let long_in_use = algorithm.is_bucket().then_some((100, day * 100, 50));
        [(3, day * 365 * 9, 1), (1 << 25, HOUR, 1 << 24)].into_iter().chain(long_in_use)
    };
    for algorithm in Algorithm::ALL.iter().filter(|algorithm| **algorithm != Algorithm::MovingWindow) {
        for (amount, window, cost) in large(*algorithm) {
            let (clock, memory) = (ManualClock::new(), AnyStorage::from(MemoryStorage::new()));
            let on = |storage| {
                let limiter = fresh(storage).algorithm(*algorithm).limit(limit(amount, window));
                limiter.clock(clock.clone()).build().unwrap()
            };
            let (ours, theirs) = (on(&storage), on(&memory));
            for step in 0..4 {
                let (one, other) = (
                    ours.check_cost("ada", cost).await.unwrap(),
                    theirs.check_cost("ada", cost).await.unwrap(),
                );
                let told = |decision: &limitra::Decision| {
                    (
                        decision.is_allowed(),
                        decision.remaining(),
                        decision.retry_after(),
                        decision.reset_after(),
                    )
                };
                assert_eq!(told(&one), told(&other), "{algorithm} {amount} {step}");
                assert_eq!(look.value(&ours.key("ada")).len(), HEADER + ENTRY, "{algorithm} {amount}");
                clock.advance(SECOND);
            }
        }
    }
}

#[tokio::test]
async fn a_moving_window_of_5000_takes_16_bytes_a_slot_and_is_edited_in_place() {
    const AMOUNT: u64 = 5000;
    // Of its own, as every command on it is counted.
    let server = RedisServer::start();
    let (storage, mut look) = (storage_at(&server.url()), Look::at(&server));
    let clock = ManualClock::new();
    let limiter = fresh(&storage)
        .algorithm(Algorithm::MovingWindow)
        .limit(limit(AMOUNT, SECOND * 5000))
        .clock(clock.clone())
        .build()
        .unwrap();
    let key = limiter.key("ada");
    for _ in 0..AMOUNT {
        assert!(limiter.allow_request("ada").await.unwrap());
        clock.advance(Duration::from_millis(999));
    }
    let full = HEADER + ENTRY + SLOT * 5000;
    assert_eq!(look.value(&key).len(), full);
    // Full: the oldest entry is 4995 seconds old.
    let refused = limiter.check("ada").await.unwrap();
    assert!(!refused.is_allowed());
    assert_eq!(refused.retry_after(), SECOND * 5);
    assert_eq!(limiter.test("ada").await.unwrap().remaining(), 0);
    // As one leaves another one comes, where the old one stood.
    clock.advance(SECOND * 5);
    let mut monitor = Monitor::start(&server);
    for _ in 0..200 {
        assert!(limiter.allow_request("ada").await.unwrap());
        assert!(!limiter.allow_request("ada").await.unwrap());
        clock.advance(Duration::from_millis(999));
    }
    let seen = monitor.look().called;
    assert!(!seen.iter().any(|name| name == "set" || name == "get"), "a whole log travelled");
    // Reads in the order of log2(5000) for a decision, not of 5000.
    assert!(seen.len() < 400 * 40, "{} commands for 400 decisions", seen.len());
    assert_eq!(look.value(&key).len(), full);
    clock.advance(SECOND * 5000);
    assert_eq!(limiter.test("ada").await.unwrap().remaining(), AMOUNT);
}

#[tokio::test]
async fn a_run_of_units_at_one_instant_is_one_slot() {
    let (storage, mut look) = (storage(), Look::at(shared()));
    let clock = ManualClock::new();
    let limiter = fresh(&storage)
        .algorithm(Algorithm::MovingWindow)
        .limit(limit(1_000_000_000, HOUR))
        .clock(clock.clone())
        .build()
        .unwrap();
    for _ in 0..20 {
        limiter.check_cost("ada", 40_000_000).await.unwrap();
    }
    assert_eq!(limiter.usage("ada").await.unwrap().count, 800_000_000);
    assert_eq!(look.value(&limiter.key("ada")).len(), HEADER + ENTRY + SLOT);
}

/// Small numbers that look random.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Decides a long run on Redis and in memory, both alike; returns how long the record became.
async fn decides_like_memory(rule_sets: &[&[Rule]], steps: u64, leap: bool) -> usize {
    let (redis, mut look) = (storage().shared(), Look::at(shared()));
    let memory = MemoryStorage::new();
    let seed = random_number() | 1;
    let (key, mut numbers) = (fresh_prefix(), Numbers(seed));
    let mut now = Micros::new(1_700_000_000_000_000);
    let mut longest = 0;
    for step in 0..steps {
        let rules = rule_sets[usize::try_from(numbers.below(rule_sets.len() as u64)).unwrap()];
        let (mut step_by, back) = (numbers.below(20_000), numbers.below(400) == 0);
        if numbers.below(3) == 0 {
            step_by = 0;
        }
        now = now.plus(Micros::new(step_by));
        if leap && back {
            now = now.minus(Micros::new(numbers.below(30_000_000)));
        }
        let mode = if numbers.below(10) == 0 { Mode::Peek } else { Mode::Hit };
        let cost = numbers.below(3) + u64::from(numbers.below(5) > 0);
        let (clock, subject) =
            (Clock::At(now), Subject { key: Key::from_text(&key), rules: Cow::Borrowed(rules), cost });
        let attempt = Attempt { subjects: &[subject], clock, mode };
        let found = redis.decide(&attempt).await.unwrap();
        let expected = memory.decide(&attempt).await.unwrap();
        assert!(
            is_alike(&found, &expected),
            "seed {seed}, step {step}, {rules:?}, cost {cost}, {mode:?}: found {found:?}, expected {expected:?}"
        );
        if step % 50 == 0 && look.exists(&key) {
            longest = longest.max(look.value(&key).len());
        }
    }
    longest
}

#[tokio::test]
async fn two_large_moving_windows_in_one_record_decide_like_memory() {
    let moving = |amount, window| rule(Algorithm::MovingWindow, amount, window);
    // The first is full and edited in place while the second grows; then both are full.
    let rules = [moving(90, SECOND), moving(1500, SECOND * 20)];
    let longest = decides_like_memory(&[&rules], 3000, false).await;
    assert!(longest > HEADER + 2 * ENTRY + SLOT * 1000, "{longest}");
    let reversed = [rules[1], rules[0]];
    decides_like_memory(&[&reversed], 3000, false).await;
}

#[tokio::test]
async fn large_moving_windows_decide_like_memory_when_the_clock_steps_back() {
    let moving = |amount, window| rule(Algorithm::MovingWindow, amount, window);
    decides_like_memory(&[&[moving(90, SECOND), moving(800, SECOND * 10)]], 3000, true).await;
}

#[tokio::test]
async fn a_small_moving_window_alone_decides_like_memory() {
    // Up to a log that one look no longer shows.
    for amount in [1, 3, 8, 61, 125, 300] {
        let alone = [rule(Algorithm::MovingWindow, amount, Duration::from_millis(10 * amount))];
        let longest = decides_like_memory(&[&alone], 2000, false).await;
        assert!(longest > HEADER + ENTRY + SLOT * usize::try_from(amount / 4).unwrap(), "{longest}");
        decides_like_memory(&[&alone], 2000, true).await;
    }
    // Written by turns as a record of its own and beside another rule, with an amount that changes.
    let (few, more) = (rule(Algorithm::MovingWindow, 20, SECOND), rule(Algorithm::MovingWindow, 30, SECOND));
    let gcra = rule(Algorithm::Gcra, 200, SECOND);
    decides_like_memory(&[&[few], &[few, gcra], &[more], &[few]], 3000, true).await;
}

#[tokio::test]
async fn rules_that_come_and_go_decide_like_memory_beside_large_moving_windows() {
    let moving = |amount, window| rule(Algorithm::MovingWindow, amount, window);
    let (small, large) = (moving(90, SECOND), moving(1200, SECOND * 15));
    let gcra = rule(Algorithm::Gcra, 200, SECOND);
    let elastic = rule(Algorithm::FixedWindowElasticExpiry, 3000, SECOND * 2);
    let raised = moving(1600, SECOND * 15);
    let sets: [&[Rule]; 6] =
        [&[small, large], &[large, gcra, small], &[large], &[elastic, small], &[raised, small], &[small]];
    decides_like_memory(&sets, 4000, false).await;
    decides_like_memory(&sets, 2000, true).await;
}

fn counts(decision: &limitra::Decision) -> Vec<(u64, u64)> {
    let count = |rule: &limitra::RuleDecision| {
        let limit = rule.limit();
        (limit.window().as_secs() / 3600, limit.capacity() - rule.remaining())
    };
    decision.rules().iter().map(count).collect()
}

/// A limiter over the keys of this prefix, with limits of an amount in so many hours.
fn over(prefix: &str, algorithm: Algorithm, limits: &[(u64, u32)], clock: &ManualClock) -> RateLimiter {
    RateLimiter::builder()
        .storage(storage())
        .prefix(prefix)
        .algorithm(algorithm)
        .limits(limits.iter().map(|(amount, hours)| limit(*amount, HOUR * *hours)))
        .clock(clock.clone())
        .build()
        .unwrap()
}

#[tokio::test]
async fn reordering_rules_keeps_every_count() {
    for algorithm in Algorithm::ALL {
        let (prefix, clock) = (fresh_prefix(), ManualClock::new());
        let one = over(&prefix, *algorithm, &[(10, 1), (20, 2), (30, 3)], &clock);
        one.check_cost("ada", 4).await.unwrap();
        let other = over(&prefix, *algorithm, &[(30, 3), (10, 1), (20, 2)], &clock);
        assert_eq!(counts(&other.test("ada").await.unwrap()), [(3, 4), (1, 4), (2, 4)], "{algorithm}");
        other.check_cost("ada", 2).await.unwrap();
        assert_eq!(counts(&one.test("ada").await.unwrap()), [(1, 6), (2, 6), (3, 6)], "{algorithm}");
    }
}

#[tokio::test]
async fn a_rule_that_is_added_starts_afresh_and_one_that_is_not_asked_stays() {
    for algorithm in Algorithm::ALL {
        let (prefix, clock) = (fresh_prefix(), ManualClock::new());
        let one = over(&prefix, *algorithm, &[(10, 1)], &clock);
        let both = over(&prefix, *algorithm, &[(10, 1), (20, 2)], &clock);
        one.check_cost("ada", 3).await.unwrap();
        both.check_cost("ada", 2).await.unwrap();
        assert_eq!(counts(&both.test("ada").await.unwrap()), [(1, 5), (2, 2)], "{algorithm}");
        // Two versions of a program in a rolling deploy: the older one does not make the record forget.
        one.check("ada").await.unwrap();
        assert_eq!(counts(&both.test("ada").await.unwrap()), [(1, 6), (2, 2)], "{algorithm}");
    }
}

#[tokio::test]
async fn a_raised_or_lowered_amount_keeps_the_count() {
    for algorithm in Algorithm::ALL {
        let (prefix, clock) = (fresh_prefix(), ManualClock::new());
        let of = |amount| over(&prefix, *algorithm, &[(amount, 1)], &clock);
        of(10).check_cost("ada", 5).await.unwrap();
        let count = of(20).usage("ada").await.unwrap().count;
        assert_eq!(count, 5, "{algorithm}: raised");
        assert!(of(20).check_cost("ada", 15).await.unwrap().is_allowed(), "{algorithm}");
        assert!(!of(20).allow_request("ada").await.unwrap(), "{algorithm}");
        let lowered = of(10).check("ada").await.unwrap();
        assert!(!lowered.is_allowed() && lowered.remaining() == 0, "{algorithm}: {lowered:?}");
        assert!(of(25).check_cost("ada", 5).await.unwrap().is_allowed(), "{algorithm}: raised again");
    }
}

#[tokio::test]
async fn a_lowered_amount_of_a_large_log_keeps_the_count() {
    let (prefix, clock) = (fresh_prefix(), ManualClock::new());
    let of = |amount| over(&prefix, Algorithm::MovingWindow, &[(amount, 1)], &clock);
    for _ in 0..300 {
        assert!(of(300).allow_request("ada").await.unwrap());
        clock.advance(SECOND);
    }
    assert!(!of(100).allow_request("ada").await.unwrap());
    // 101 have to leave of the 300, the first of which is 300 seconds old.
    assert_eq!(of(200).wait_time("ada").await.unwrap(), SECOND * 3400);
    assert!(of(400).check_cost("ada", 100).await.unwrap().is_allowed());
    clock.advance(SECOND * 3400);
    assert!(of(300).allow_request("ada").await.unwrap());
}

#[tokio::test]
async fn another_algorithm_starts_afresh() {
    for algorithm in Algorithm::ALL {
        for other in Algorithm::ALL.iter().filter(|other| *other != algorithm) {
            let (prefix, clock) = (fresh_prefix(), ManualClock::new());
            over(&prefix, *algorithm, &[(10, 1)], &clock).check_cost("ada", 10).await.unwrap();
            let afresh = over(&prefix, *other, &[(10, 1)], &clock);
            assert!(afresh.check_cost("ada", 10).await.unwrap().is_allowed(), "{algorithm}, then {other}");
            let before = over(&prefix, *algorithm, &[(10, 1)], &clock);
            assert!(!before.allow_request("ada").await.unwrap(), "{algorithm}, then {other}");
        }
    }
}

#[tokio::test]
async fn entries_of_rules_that_are_not_asked_stay_until_they_expire() {
    let mut look = Look::at(shared());
    for algorithm in Algorithm::ALL {
        let (prefix, clock) = (fresh_prefix(), ManualClock::new());
        let old = over(&prefix, *algorithm, &[(1000, 1), (10, 3)], &clock);
        old.check("ada").await.unwrap();
        let key = old.key("ada");
        let new = over(&prefix, *algorithm, &[(1000, 2)], &clock);
        new.check("ada").await.unwrap();
        assert_eq!(entries(&look.value(&key)).len(), 3, "{algorithm}");
        // Every record of hours is over, but for the sliding window, which looks back on one more.
        clock.advance(HOUR * 6);
        new.check("ada").await.unwrap();
        assert_eq!(entries(&look.value(&key)).len(), 1, "{algorithm}");
        assert_eq!(counts(&new.test("ada").await.unwrap()), [(2, 1)], "{algorithm}");
    }
}

#[tokio::test]
async fn an_entry_of_an_algorithm_that_is_not_known_yet_stays_as_it_is() {
    let (storage, mut look) = (storage().shared(), Look::at(shared()));
    let (key, now) = (fresh_prefix(), Micros::new(1_700_000_000_000_000));
    let rules = [rule(Algorithm::FixedWindow, 2, HOUR)];
    let mut value = b"LR\x01\x01\x63".to_vec();
    for number in [3_600_000_000_u64, now.get() + 5_000_000, 77, 88, 99] {
        value.extend(&number.to_le_bytes()[..7]);
    }
    look.set(&key, &value);
    for allowed in [true, true, false] {
        let outcome = ask(&*storage, &key, &rules, Clock::At(now), Mode::Hit, 1).await.unwrap();
        assert_eq!(outcome.is_allowed(), allowed);
    }
    let found = entries(&look.value(&key));
    assert_eq!(found.len(), 2);
    assert_eq!(found[0], [0x63, 3_600_000_000, now.get() + 5_000_000, 77, 88, 99]);
}

#[tokio::test]
async fn more_entries_than_a_record_holds_are_an_error_that_charges_nobody() {
    let (storage, mut look) = (storage().shared(), Look::at(shared()));
    let (first, second, now) = (fresh_prefix(), fresh_prefix(), Micros::new(1_700_000_000_000_000));
    let alone = [rule(Algorithm::Gcra, 5, HOUR)];
    let mut refused = None;
    for round in 0..20_u32 {
        let rules: Vec<Rule> = (0..30)
            .map(|index| rule(Algorithm::FixedWindow, 5, HOUR + SECOND * (round * 30 + index)))
            .collect();
        let subjects = [
            Subject { key: Key::from_text(&first), rules: Cow::Borrowed(&alone), cost: 1 },
            Subject { key: Key::from_text(&second), rules: Cow::Borrowed(&rules), cost: 1 },
        ];
        if round < 5 {
            ask(&*storage, &second, &rules, Clock::At(now), Mode::Hit, 1).await.unwrap();
            continue;
        }
        let before = (look.exists(&first), look.value(&second));
        let attempt = Attempt { subjects: &subjects, clock: Clock::At(now), mode: Mode::Hit };
        match storage.decide(&attempt).await {
            Ok(outcome) => {
                assert!(outcome.is_allowed());
                storage.clear(Key::from_text(&first)).await.unwrap();
            }
            Err(error) => {
                assert_eq!((look.exists(&first), look.value(&second)), before, "half-written: {error}");
                refused = Some(error.kind());
            }
        }
    }
    assert_eq!(refused, Some(limitra::StorageErrorKind::Full));
    assert_eq!(entries(&look.value(&second)).len(), 240);
    // They go as they expire.
    let later = Clock::At(now.plus(Micros::from_duration(HOUR * 3)));
    let rules = [rule(Algorithm::FixedWindow, 5, HOUR * 2)];
    assert!(ask(&*storage, &second, &rules, later, Mode::Hit, 1).await.unwrap().is_allowed());
    assert_eq!(entries(&look.value(&second)).len(), 1);
}
