//! Buckets of single rules, which memory keeps in a word each and charges without a lock. Their time is the storage's own.

use std::collections::HashMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use limitra::{
    Algorithm, ConfigurationError, Key, Limit, ManualClock, MemoryStorage, RateLimiter, RateLimiterBuilder,
    Storage as _, check_all,
};
use proptest::prelude::*;

use crate::is_full;
use crate::waiting::at_once;

const HOUR: Duration = Duration::from_secs(3600);

/// A memory whose own clock is set by hand.
pub(crate) fn world(max_keys: usize) -> (MemoryStorage, ManualClock) {
    let clock = ManualClock::new();
    let storage = MemoryStorage::builder().max_keys(max_keys).clock(clock.clone()).build().unwrap();
    (storage, clock)
}

pub(crate) fn gcra(amount: u64, window: Duration) -> RateLimiterBuilder {
    RateLimiter::builder().algorithm(Algorithm::Gcra).limit(Limit::new(amount, window).unwrap())
}

/// Runs this in so many threads at once.
pub(crate) fn in_threads(count: usize, run: impl Fn(usize) -> u64 + Sync) -> u64 {
    let start = Barrier::new(count);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|number| {
                let (start, run) = (&start, &run);
                scope.spawn(move || {
                    start.wait();
                    run(number)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

#[test]
fn racing_threads_admit_exactly_the_limit_of_one_word() {
    for cost in [1, 3] {
        let (storage, _) = world(10);
        let limiter = gcra(10_000, HOUR).storage(&storage).build().unwrap();
        let admitted = in_threads(4, |_| {
            (0..5_000)
                .map(|_| u64::from(at_once(limiter.check_cost("ada", cost)).unwrap().is_allowed()))
                .sum()
        });
        assert_eq!(admitted, 10_000 / cost);
        assert_eq!(at_once(limiter.usage("ada")).unwrap().remaining, 10_000 % cost);
    }
}

#[test]
fn keys_that_come_while_the_table_doubles_are_neither_lost_nor_found_twice() {
    let (storage, _) = world(1_000_000);
    let limiter = gcra(5, HOUR).storage(&storage).build().unwrap();
    let keys = 40_000_u64;
    let admitted = in_threads(4, |number| {
        // Each thread in another order, so that all of them insert and find.
        let steps = [1, 7919, 104_729, 1_299_709][number];
        let hit = |step: u64| at_once(limiter.allow_request(step * steps % keys)).unwrap();
        (0..3 * keys).map(|step| u64::from(hit(step))).sum()
    });
    assert_eq!(admitted, 5 * keys);
    assert_eq!(storage.len(), usize::try_from(keys).unwrap());
    for key in 0..keys {
        assert_eq!(at_once(limiter.usage(key)).unwrap().remaining, 0, "{key}");
    }
}

#[test]
fn several_rules_and_single_ones_race_for_the_same_units() {
    for _ in 0..20 {
        let (storage, _) = world(1000);
        let (user, tenant) = (
            gcra(300, HOUR).storage(&storage).scope("user").build().unwrap(),
            gcra(100_000, HOUR).storage(&storage).scope("tenant").build().unwrap(),
        );
        let admitted = in_threads(4, |number| {
            let both = || at_once(check_all([user.of("ada"), tenant.of("acme")]));
            let one = || at_once(user.check("ada"));
            (0..200)
                .map(|step| if (step + number) % 3 == 0 { both() } else { one() })
                .map(|decision| u64::from(decision.unwrap().is_allowed()))
                .sum()
        });
        assert_eq!(admitted, 300);
    }
}

#[test]
fn the_amount_may_change_while_others_are_counted_under_the_old_one() {
    let (storage, _) = world(1000);
    let limiter = |amount| gcra(amount, HOUR).storage(&storage).build().unwrap();
    let (small, large) = (limiter(100), limiter(400));
    let admitted = in_threads(4, |number| {
        let limiter = if number % 2 == 0 { &small } else { &large };
        (0..1000).map(|_| u64::from(at_once(limiter.allow_request("ada")).unwrap())).sum()
    });
    assert_eq!(admitted, 400, "the larger one is used up, and the smaller one's units count in it");
}

#[test]
fn a_key_is_removed_while_others_hit_it_and_begins_anew() {
    let (storage, _) = world(1000);
    let limiter = gcra(10, HOUR).storage(&storage).build().unwrap();
    let over = AtomicBool::new(false);
    let admitted = in_threads(3, |number| {
        if number == 0 {
            (0..2000).for_each(|_| at_once(limiter.reset("ada")).unwrap());
            over.store(true, Ordering::SeqCst);
            return 0;
        }
        let mut admitted = 0;
        while !over.load(Ordering::SeqCst) {
            admitted += u64::from(at_once(limiter.allow_request("ada")).unwrap());
        }
        admitted
    });
    assert!(admitted <= 10 * 2001, "{admitted}: at most the limit after each removal");
    at_once(limiter.reset("ada")).unwrap();
    assert!(storage.is_empty());
}

#[test]
fn exceeded_words_are_never_forgotten_for_new_keys() {
    let (storage, clock) = world(100);
    let limiter = gcra(1, HOUR).storage(&storage).build().unwrap();
    let full: usize =
        (0..1000).filter(|key| at_once(limiter.check(*key)).is_err_and(|e| is_full(&e))).count();
    assert_eq!((full, storage.len()), (900, 100));
    assert!((0..100).all(|key| !at_once(limiter.allow_request(key)).unwrap()));
    clock.advance(HOUR);
    assert!((5000..5100).all(|key| at_once(limiter.allow_request(key)).unwrap()));
    assert!(storage.len() <= 100);
}

#[test]
fn words_that_are_over_are_swept() {
    let (storage, clock) = world(10_000);
    let limiter = gcra(2, HOUR).storage(&storage).build().unwrap();
    (0..5000).for_each(|key| drop(at_once(limiter.check(key)).unwrap()));
    clock.advance(HOUR / 2);
    assert_eq!((storage.sweep(), storage.len()), (5000, 0));
    (0..5000).for_each(|key| drop(at_once(limiter.check(key)).unwrap()));
    assert_eq!((storage.sweep(), storage.reset(), storage.len()), (0, 5000, 0));
    assert!(at_once(limiter.check_cost(7, 2)).unwrap().is_allowed(), "a reset forgets every unit");
}

#[test]
fn a_flood_that_is_over_takes_no_more_room() {
    let (storage, clock) = world(10_000);
    let limiter = gcra(1, Duration::from_secs(1)).storage(&storage).build().unwrap();
    for round in 0..50 {
        (0..2_000).for_each(|key| assert!(at_once(limiter.allow_request(round * 2_000 + key)).unwrap()));
        clock.advance(Duration::from_secs(1));
    }
    assert!(storage.len() <= 10_000);
}

#[test]
fn a_look_at_a_new_key_keeps_nothing() {
    let (storage, _) = world(10);
    let limiter = gcra(3, HOUR).storage(&storage).build().unwrap();
    let seen = at_once(limiter.test_cost("ada", 2)).unwrap();
    assert!(seen.is_allowed() && seen.remaining() == 3 && storage.is_empty());
    at_once(limiter.check_cost("ada", 2)).unwrap();
    assert!(!at_once(limiter.test_cost("ada", 2)).unwrap().is_allowed());
    assert_eq!(at_once(limiter.test("ada")).unwrap().remaining(), 1);
}

#[test]
fn a_key_from_its_text_is_the_key() {
    let (storage, _) = world(1000);
    let limiter = gcra(1, HOUR).project("blog").suffix("v1").storage(&storage).build().unwrap();
    let hashed = gcra(1, HOUR).hash_identifiers(true).storage(&storage).build().unwrap();
    let long = "é".repeat(200);
    let texts = ["", "ada", "%", "%empty", "%41", "a:b", "a,b", "{x}", "\n", "ü", "%~", &long];
    let mut identifiers: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    identifiers.extend([41, 42, 43, 44, 128, 129].map(|length| vec![b'x'; length]));
    identifiers.extend([14, 15, 42, 43].map(|length| vec![b':'; length]));
    identifiers.push(vec![0xFF, 0xFE, b'a']);
    for (count, identifier) in identifiers.iter().enumerate() {
        assert!(at_once(limiter.allow_request(identifier)).unwrap(), "{identifier:?} is another's key");
        assert_eq!(storage.len(), count + 1);
    }
    for limiter in [&limiter, &hashed] {
        for identifier in &identifiers {
            at_once(limiter.check(identifier)).unwrap();
            let key = limiter.key(identifier);
            at_once(storage.clear(Key::from_text(&key))).unwrap();
            assert!(at_once(limiter.allow_request(identifier)).unwrap(), "{key} was not removed");
        }
    }
    at_once(limiter.check(())).unwrap();
    assert!(!at_once(limiter.allow_request(())).unwrap());
    at_once(storage.clear(Key::from_text(&limiter.key(())))).unwrap();
    assert!(at_once(limiter.allow_request(())).unwrap());
}

#[test]
fn rates_that_no_word_can_hold_are_decided_alike() {
    // 1/997 µs, and a bucket that takes 90 years to fill.
    for limit in [
        Limit::new(997, Duration::from_millis(1)).unwrap(),
        Limit::new(1, Duration::from_secs(3_155_700_000)).unwrap(),
    ] {
        let (storage, clock) = world(10);
        let builder = RateLimiter::builder().algorithm(Algorithm::TokenBucket).limit(limit);
        let limiter = builder.storage(&storage).build().unwrap();
        let amount = limit.amount();
        assert!(at_once(limiter.check_cost("ada", amount)).unwrap().is_allowed());
        let refused = at_once(limiter.check_cost("ada", amount)).unwrap();
        clock.advance(refused.retry_after().saturating_sub(Duration::from_micros(1)));
        assert!(!at_once(limiter.check_cost("ada", amount)).unwrap().is_allowed());
        clock.advance(Duration::from_micros(1));
        assert!(at_once(limiter.check_cost("ada", amount)).unwrap().is_allowed());
    }
}

#[test]
fn a_storages_clock_that_is_set_back_stands_still() {
    let (storage, clock) = world(10);
    let limiter = gcra(1, HOUR).storage(&storage).build().unwrap();
    clock.advance(HOUR);
    assert!(at_once(limiter.allow_request("ada")).unwrap());
    clock.step_back(HOUR);
    assert_eq!(at_once(limiter.wait_time("ada")).unwrap(), HOUR);
    clock.advance(HOUR + HOUR / 2);
    assert_eq!(at_once(limiter.wait_time("ada")).unwrap(), HOUR / 2);
}

#[test]
fn many_words_are_decided_as_one_after_the_other() {
    let (storage, _) = world(100_000);
    let (many, single) = (
        gcra(2, HOUR).storage(&storage).scope("many").build().unwrap(),
        gcra(2, HOUR).storage(&storage).scope("single").build().unwrap(),
    );
    let keys: Vec<u64> = (0..5000_u64).map(|step| step * step % 1777).collect();
    let decided = at_once(many.check_many(&keys));
    for (key, decision) in keys.iter().zip(decided) {
        assert_eq!(decision.unwrap().is_allowed(), at_once(single.allow_request(key)).unwrap(), "{key}");
    }
}

#[test]
fn each_of_many_is_told_its_own_answer_whichever_way_it_was_decided() {
    let (storage, _) = world(10_000);
    let limiter = gcra(10, HOUR).storage(&storage).build().unwrap();
    // Words that are there, words that are new, and names that are too long for the short way.
    let width = |number: usize| if number.is_multiple_of(3) { 60 } else { 4 };
    let name = |number: usize| format!("{number:->width$}", width = width(number));
    let names: Vec<String> = (0..100).map(name).collect();
    for (number, name) in names.iter().enumerate() {
        (0..number % 7).for_each(|_| assert!(at_once(limiter.allow_request(name)).unwrap()));
    }
    let told = at_once(limiter.check_many(&names)).into_iter().map(|decision| decision.unwrap().remaining());
    assert!(told.eq((0..100).map(|number| 9 - number % 7)));
}

#[test]
fn who_is_named_twice_in_one_question_is_charged_at_one_instant_or_later() {
    let storage = MemoryStorage::new();
    let limiter = gcra(2, HOUR).storage(&storage).build().unwrap();
    for number in 0..500 {
        let name = format!("user-{number}");
        let decided = at_once(limiter.check_many([&name, &name]));
        assert!(decided.into_iter().all(|decision| decision.unwrap().is_allowed()), "{name}");
    }
}

#[test]
fn nobody_is_refused_for_a_clock_that_another_thread_read_later() {
    let storage = MemoryStorage::new();
    let limiter = gcra(2, HOUR).storage(&storage).build().unwrap();
    let admitted = in_threads(2, |_| {
        (0..50_000_u64).map(|key| u64::from(at_once(limiter.allow_request(key)).unwrap())).sum()
    });
    assert_eq!(admitted, 100_000);
}

#[test]
fn an_exceeded_word_is_not_forgotten_though_it_was_filled_while_room_was_made() {
    let (storage, _) = world(64);
    let limiter = gcra(2, HOUR).storage(&storage).build().unwrap();
    let wrong = in_threads(4, |number| {
        if number > 1 {
            // A flood of new keys, each of which makes room for itself.
            for key in 0..20_000_u64 {
                drop(at_once(limiter.check(key * 4 + number as u64)));
            }
            return 0;
        }
        let name = format!("victim-{number}");
        let mut wrong = 0;
        for _ in 0..10_000 {
            at_once(limiter.reset(&name)).unwrap();
            let filled = (0..2).all(|_| at_once(limiter.check(&name)).is_ok_and(|one| one.is_allowed()));
            let remaining = at_once(limiter.usage(&name)).unwrap().remaining;
            if filled && remaining == 0 {
                wrong += u64::from(at_once(limiter.check(&name)).is_ok_and(|third| third.is_allowed()));
            }
        }
        wrong
    });
    assert_eq!(wrong, 0);
}

#[test]
fn a_coarse_clock_goes_on_by_itself_and_its_thread_ends_with_the_storage() {
    let clocks = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names.filter(|name| name.trim() == "limitra-clock").count()
    };
    let storage = MemoryStorage::builder().coarse_clock(Duration::from_millis(1)).build().unwrap();
    let limiter = gcra(1, Duration::from_millis(20)).storage(&storage).build().unwrap();
    assert!(at_once(limiter.allow_request("ada")).unwrap());
    while !at_once(limiter.allow_request("ada")).unwrap() {
        thread::yield_now();
    }
    if cfg!(target_os = "linux") {
        assert_eq!(clocks(), 1);
        drop((limiter, storage));
        while clocks() > 0 {
            thread::yield_now();
        }
    }
}

#[test]
fn a_clock_of_no_use_is_refused() {
    for (micros, is_fine) in [(0, false), (99, false), (100, true), (1_000_000, true), (1_000_001, false)] {
        let resolution = Duration::from_micros(micros);
        let built = MemoryStorage::builder().coarse_clock(resolution).build();
        match built {
            Ok(_) => assert!(is_fine, "{resolution:?}"),
            Err(mistake) => {
                assert!(!is_fine, "{mistake}");
                assert_eq!(mistake, ConfigurationError::ClockResolutionOutOfRange { resolution });
                assert!(mistake.to_string().contains("100 µs to 1 s"));
            }
        }
    }
    assert_eq!(MemoryStorage::builder().max_keys(0).build().unwrap_err(), ConfigurationError::ZeroMaxKeys);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// The same traffic, counted in words and in records: what is full, what goes and what is answered is the same.
    #[test]
    fn words_and_records_are_forgotten_in_the_same_order(
        max_keys in 1_usize..28,
        hits in proptest::collection::vec((0_usize..40, 2_u64..9000), 1..150),
    ) {
        let (words, clock) = world(max_keys);
        let records = MemoryStorage::with_max_keys(max_keys).unwrap();
        let limiters: HashMap<usize, [RateLimiter; 2]> = (0..40)
            .map(|key| {
                let amount = [1, 1, 2, 1000][key % 4];
                let window = Duration::from_millis([700, 3000, 12_000, 60_000, 61_000][key % 5]);
                let build = || gcra(amount, window).scope(key.to_string());
                let of_words = build().storage(&words).build().unwrap();
                (key, [of_words, build().storage(&records).clock(clock.clone()).build().unwrap()])
            })
            .collect();
        for (key, after) in hits {
            clock.advance(Duration::from_millis(after) + Duration::from_micros(1));
            let [word, record] = limiters[&key].each_ref().map(|limiter| at_once(limiter.check("x")));
            match (word, record) {
                (Ok(word), Ok(record)) => {
                    prop_assert_eq!(word.is_allowed(), record.is_allowed());
                    prop_assert_eq!(word.retry_after(), record.retry_after());
                }
                (Err(word), Err(record)) => prop_assert!(is_full(&word) && is_full(&record)),
                (word, record) => prop_assert!(false, "{word:?} {record:?}"),
            }
            for (key, both) in &limiters {
                let [word, record] = both.each_ref().map(|limiter| at_once(limiter.usage("x")).unwrap());
                prop_assert_eq!(word.remaining, record.remaining, "of {}", key);
            }
        }
    }
}
