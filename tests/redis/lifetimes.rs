//! Every key goes by itself, and not before it is worth nothing.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use limitra::{
    Algorithm, AnyStorage, Attempt, Clock, Decision, Key, Limit, ManualClock, Mode, RateLimiter, Subject,
    check_all,
};
use limitra_tests::{fresh_prefix, shared};

use crate::stage::{HOUR, Look, SECOND, fresh, limit, rule, storage_at};

/// How long a record outlives its use at least, and by how much more at most.
const MARGIN: Duration = Duration::from_secs(1);
fn span(window: Duration) -> Duration {
    (window / 32).max(Duration::from_micros(1 << 22))
}

fn storage() -> AnyStorage {
    storage_at(&shared().url())
}

fn windows() -> [Duration; 6] {
    [
        Limit::MIN_WINDOW,
        Duration::from_micros(1500),
        Duration::from_millis(999),
        SECOND * 60,
        HOUR,
        Limit::MAX_WINDOW,
    ]
}

/// Asks, and holds the key's time to live against how long the decision says that something is left in the record.
async fn asked_and_mortal(limiter: &RateLimiter, cost: u64, look: &mut Look, longest: Duration) -> Decision {
    let asked = Instant::now();
    let decision = limiter.check_cost("ada", cost).await.unwrap();
    let pttl = look.pttl(&limiter.key("ada"));
    let passed = asked.elapsed();
    assert!(passed < MARGIN, "too slow to tell");
    assert!(pttl > 0, "{pttl} ms for {limiter:?}");
    let pttl = Duration::from_millis(pttl.unsigned_abs());
    assert!(pttl + passed >= decision.reset_after(), "{pttl:?} for {decision:?}");
    assert!(pttl + passed >= decision.retry_after(), "{pttl:?} for {decision:?}");
    // A sliding window looks back on one more.
    assert!(pttl <= longest * 2 + span(longest) + MARGIN + SECOND, "{pttl:?} for {decision:?}");
    decision
}

#[tokio::test]
async fn every_hit_leaves_a_time_to_live_whatever_the_algorithm_and_window() {
    let (storage, mut look) = (storage(), Look::at(shared()));
    for algorithm in Algorithm::ALL {
        for window in windows() {
            for amount in [1, 3, Limit::MAX_AMOUNT] {
                let limiter =
                    fresh(&storage).algorithm(*algorithm).limit(limit(amount, window)).build().unwrap();
                for cost in [1, 1, amount, 1] {
                    asked_and_mortal(&limiter, cost, &mut look, window).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_record_whose_end_moves_on_little_by_little_lives_as_long_as_it_is_worth_something() {
    let (storage, mut look) = (storage(), Look::at(shared()));
    for algorithm in Algorithm::ALL.iter().filter(|algorithm| algorithm.is_bucket()) {
        // Each hit moves the end by 0.7 s, and then by 18 s, so that most stay in a span and some do not.
        for (amount, window) in [(85, SECOND * 60), (200, HOUR)] {
            let limiter = fresh(&storage).algorithm(*algorithm).limit(limit(amount, window)).build().unwrap();
            for _ in 0..80 {
                let decision = asked_and_mortal(&limiter, 1, &mut look, window).await;
                let pttl = Duration::from_millis(look.pttl(&limiter.key("ada")).unsigned_abs());
                let longest = decision.reset_after() + span(window) + MARGIN + SECOND;
                assert!(pttl <= longest, "{pttl:?} for {decision:?}");
            }
        }
    }
}

#[tokio::test]
async fn of_records_that_are_decided_together_each_lives_by_its_own_window() {
    let (storage, mut look) = (storage().shared(), Look::at(shared()));
    // Both ends are a second from now.
    let rules =
        [(3600, HOUR), (86_400, HOUR * 24)].map(|(amount, window)| rule(Algorithm::Gcra, amount, window));
    let names = ["hour", "day"].map(|name| format!("{}{name}", fresh_prefix()));
    let subjects = [0, 1].map(|place| {
        let rules = Cow::Borrowed(&rules[place..=place]);
        [Subject { key: Key::from_text(&names[place]), rules, cost: 1 }]
    });
    let attempts =
        subjects.each_ref().map(|subjects| Attempt { subjects, clock: Clock::Storage, mode: Mode::Hit });
    for outcome in storage.decide_many(&attempts).await {
        assert!(outcome.unwrap().is_allowed());
    }
    for (name, window) in names.iter().zip([HOUR, HOUR * 24]) {
        let pttl = Duration::from_millis(look.pttl(name).unsigned_abs());
        assert!(pttl > span(window) && pttl <= SECOND + span(window) + MARGIN + SECOND, "{name}: {pttl:?}");
    }
}

#[tokio::test]
async fn a_record_of_several_rules_lives_as_long_as_the_longest() {
    let (storage, mut look) = (storage(), Look::at(shared()));
    for algorithm in Algorithm::ALL {
        let limits = windows().map(|window| limit(2, window));
        let limiter = fresh(&storage).algorithm(*algorithm).limits(limits).build().unwrap();
        for _ in 0..4 {
            asked_and_mortal(&limiter, 1, &mut look, Limit::MAX_WINDOW).await;
        }
        // An aligned window of a century is over when the clock's century is.
        assert!(look.pttl(&limiter.key("ada")) > 365 * 86_400_000, "{algorithm}");
    }
}

#[tokio::test]
async fn all_subjects_of_one_decision_are_mortal() {
    let (storage, mut look) = (storage(), Look::at(shared()));
    for algorithm in Algorithm::ALL {
        let of = |window| fresh(&storage).algorithm(*algorithm).limit(limit(1, window)).build().unwrap();
        let (user, tenant) = (of(HOUR), of(SECOND * 60));
        for _ in 0..2 {
            check_all([user.of("ada"), tenant.of("acme")]).await.unwrap();
            assert!(look.pttl(&user.key("ada")) > 0, "{algorithm}");
            assert!(look.pttl(&tenant.key("acme")) > 0, "{algorithm}");
        }
    }
}

#[tokio::test]
async fn a_large_log_edited_in_place_lives_on_with_every_hit() {
    let (storage, mut look) = (storage(), Look::at(shared()));
    let clock = ManualClock::new();
    let limiter = fresh(&storage)
        .algorithm(Algorithm::MovingWindow)
        .limit(limit(200, SECOND * 200))
        .clock(clock.clone())
        .build()
        .unwrap();
    let key = limiter.key("ada");
    for hit in 0..600 {
        assert!(limiter.allow_request("ada").await.unwrap());
        clock.advance(SECOND);
        if hit > 350 {
            // As if it were about to go: the next hit has to prolong its life.
            look.run::<()>(&["PEXPIRE", &key, "60000"]);
            assert!(limiter.allow_request("ada").await.is_ok());
            assert!(look.pttl(&key) > 200_000, "hit {hit}");
            clock.advance(SECOND);
        }
    }
    // 200 instants had to be kept at most.
    assert_eq!(look.value(&key).len(), 4 + 36 + 16 * 200);
}

#[tokio::test]
async fn a_refused_hit_on_an_elastic_window_prolongs_its_life() {
    let (storage, mut look) = (storage(), Look::at(shared()));
    for limits in [vec![limit(1, HOUR)], vec![limit(1, HOUR), limit(5, SECOND * 60)]] {
        let elastic = Algorithm::FixedWindowElasticExpiry;
        let limiter = fresh(&storage).algorithm(elastic).limits(limits).build().unwrap();
        let key = limiter.key("ada");
        assert!(limiter.allow_request("ada").await.unwrap());
        let before = look.value(&key);
        look.run::<()>(&["PEXPIRE", &key, "60000"]);
        assert!(!limiter.allow_request("ada").await.unwrap());
        assert!(look.pttl(&key) > 3_500_000);
        let after = look.value(&key);
        assert_eq!(before.len(), after.len());
        assert_ne!(before, after);
    }
}

#[tokio::test]
async fn a_record_without_a_time_to_live_is_healed_by_a_hit_that_is_refused_or_moves_its_end() {
    let (storage, mut look) = (storage(), Look::at(shared()));
    for algorithm in Algorithm::ALL {
        for limits in [vec![limit(2, HOUR)], vec![limit(2, HOUR), limit(5, HOUR * 2)]] {
            let limiter = fresh(&storage).algorithm(*algorithm).limits(limits.clone()).build().unwrap();
            let key = limiter.key("ada");
            for allowed in [true, true, false, false] {
                let is_new = !look.exists(&key);
                if !is_new {
                    look.run::<()>(&["PERSIST", &key]);
                    limiter.test("ada").await.unwrap();
                    assert_eq!(look.pttl(&key), -1, "a peek wrote");
                }
                assert_eq!(limiter.allow_request("ada").await.unwrap(), allowed, "{algorithm}");
                let pttl = look.pttl(&key);
                if allowed && !is_new && limits.len() == 1 && !algorithm.is_bucket() {
                    // The end of these windows stays where it is, or nearly so.
                    continue;
                }
                assert!(
                    (0..=HOUR.as_millis() * 4 + 6000).contains(&pttl.unsigned_abs().into()),
                    "{algorithm}"
                );
                assert!(pttl > 0, "{algorithm}: {pttl}");
            }
        }
    }
}

#[tokio::test]
async fn by_a_clock_that_is_set_by_hand_every_hit_sets_the_time_to_live_anew() {
    let (storage, mut look) = (storage(), Look::at(shared()));
    for algorithm in Algorithm::ALL {
        let clock = ManualClock::new();
        let limiter =
            fresh(&storage).algorithm(*algorithm).limit(limit(5, HOUR)).clock(clock.clone()).build().unwrap();
        let key = limiter.key("ada");
        for _ in 0..5 {
            assert!(limiter.allow_request("ada").await.unwrap());
            // Its end is as far away as before, for the clock stands still.
            assert!(look.pttl(&key) > 3_600_000, "{algorithm}");
            look.run::<()>(&["PEXPIRE", &key, "60000"]);
        }
    }
}

#[tokio::test]
async fn a_large_log_without_a_time_to_live_is_healed_by_a_refused_hit() {
    let (storage, mut look) = (storage(), Look::at(shared()));
    let clock = ManualClock::new();
    let limiter = fresh(&storage)
        .algorithm(Algorithm::MovingWindow)
        .limit(limit(200, HOUR))
        .clock(clock.clone())
        .build()
        .unwrap();
    let key = limiter.key("ada");
    for _ in 0..200 {
        assert!(limiter.allow_request("ada").await.unwrap());
        clock.advance(SECOND);
    }
    look.run::<()>(&["PERSIST", &key]);
    let before = look.value(&key);
    assert!(!limiter.allow_request("ada").await.unwrap());
    assert_eq!(look.value(&key), before);
    assert!(look.pttl(&key) > 3_500_000);
}

#[tokio::test]
async fn a_refused_hit_leaves_value_and_time_to_live_as_they_were() {
    let (storage, mut look) = (storage(), Look::at(shared()));
    let elastic = Algorithm::FixedWindowElasticExpiry;
    for algorithm in Algorithm::ALL.iter().filter(|algorithm| **algorithm != elastic) {
        for limits in [vec![limit(2, HOUR)], vec![limit(2, HOUR), limit(5, HOUR * 2), limit(1000, SECOND)]] {
            let limiter = fresh(&storage).algorithm(*algorithm).limits(limits).build().unwrap();
            let key = limiter.key("ada");
            assert!(limiter.check_cost("ada", 2).await.unwrap().is_allowed());
            // A time to live that nobody else would give it.
            look.run::<()>(&["PEXPIRE", &key, "123456789"]);
            let before = look.dump(&key);
            for cost in [1, 2, 1] {
                assert!(!limiter.check_cost("ada", cost).await.unwrap().is_allowed());
                assert!(!limiter.test_cost("ada", cost).await.unwrap().is_allowed());
                limiter.check_cost("ada", 0).await.unwrap();
            }
            assert_eq!(look.dump(&key), before, "{algorithm}");
            assert!((123_400_000..=123_456_789).contains(&look.pttl(&key)), "{algorithm}");
        }
    }
}

#[tokio::test]
async fn nothing_is_stored_for_what_was_never_charged() {
    let (storage, mut look) = (storage(), Look::at(shared()));
    for algorithm in Algorithm::ALL {
        let limiter = fresh(&storage).algorithm(*algorithm).limit(limit(1, HOUR)).build().unwrap();
        limiter.check_cost("ada", 0).await.unwrap();
        limiter.test("ada").await.unwrap();
        assert!(limiter.check_cost("ada", 2).await.is_err());
        // The refusal of one subject stores nothing for the other.
        let full = fresh(&storage).algorithm(*algorithm).limit(limit(1, HOUR)).build().unwrap();
        full.check("acme").await.unwrap();
        assert!(!check_all([limiter.of("ada"), full.of("acme")]).await.unwrap().is_allowed());
        assert!(!look.exists(&limiter.key("ada")), "{algorithm}");
    }
}

#[tokio::test]
async fn reset_removes_the_key() {
    let (storage, mut look) = (storage(), Look::at(shared()));
    let limiter = fresh(&storage).limit(limit(1, HOUR)).build().unwrap();
    limiter.check("ada").await.unwrap();
    limiter.check("bob").await.unwrap();
    limiter.reset("ada").await.unwrap();
    limiter.reset("nobody").await.unwrap();
    assert!(!look.exists(&limiter.key("ada")) && look.exists(&limiter.key("bob")));
}
