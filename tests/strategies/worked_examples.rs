//! What the documentation of Python `limits` shows, step by step; where an answer is another one, it says so.

use std::time::Duration;

use limitra::strategies::Strategy;
use limitra::{Algorithm, ManualClock, Micros, RateLimit};

use crate::stage::{limit, stopped, storages};

/// Half past some full minute, which no example depends on but those of the aligned windows.
const START: u64 = 1_700_000_000_000_000 + 70_000_000;

fn at(tenths: u64) -> Micros {
    Micros::new(START + tenths * 100_000)
}

/// Hits at this many tenths of a second: whether it is allowed, what remains, and when the window is reset.
async fn hits(strategy: &Strategy, clock: &ManualClock, limit: &RateLimit, trace: &[(u64, bool, u64, u64)]) {
    for (tenths, allowed, remaining, reset) in trace {
        clock.set(at(*tenths));
        assert_eq!(strategy.test(limit, "ada").await.unwrap(), *allowed, "test at {tenths}");
        assert_eq!(strategy.hit(limit, "ada").await.unwrap(), *allowed, "hit at {tenths}");
        let stats = strategy.window_stats(limit, "ada").await.unwrap();
        assert_eq!(stats.remaining, *remaining, "at {tenths}");
        assert_eq!(stats.reset_time, at(*reset).to_system_time(), "at {tenths}");
    }
}

#[tokio::test]
async fn a_fixed_window_opens_at_the_first_hit_and_ends_exactly_a_window_later() {
    for storage in storages() {
        let (strategy, clock) = stopped(Algorithm::FixedWindow, &storage);
        let limit = limit("3 per 10 seconds");
        let trace = [
            (5, true, 2, 105),
            (40, true, 1, 105),
            (99, true, 0, 105),
            (104, false, 0, 105),
            (105, true, 2, 205),
        ];
        hits(&strategy, &clock, &limit, &trace).await;
    }
}

#[tokio::test]
async fn every_hit_moves_the_end_of_an_elastic_window_refused_ones_too_but_no_test() {
    for storage in storages() {
        let (strategy, clock) = stopped(Algorithm::FixedWindowElasticExpiry, &storage);
        let limit = limit("3 per 10 seconds");
        let trace = [
            (5, true, 2, 105),
            (55, true, 1, 155),
            (125, true, 0, 225),
            (205, false, 0, 305),
            (304, false, 0, 404),
            (404, true, 2, 504),
        ];
        hits(&strategy, &clock, &limit, &trace).await;
    }
}

#[tokio::test]
async fn a_moving_window_takes_a_cost_whole_when_all_of_its_slots_are_free() {
    for storage in storages() {
        let (strategy, clock) = stopped(Algorithm::MovingWindow, &storage);
        let limit = limit("3 per 10 seconds");
        clock.set(at(5));
        assert!(strategy.hit(&limit, "ada").await.unwrap());
        clock.set(at(40));
        assert!(strategy.hit_cost(&limit, "ada", 2).await.unwrap());
        // There the entry that is exactly a window old still blocks; here it has left.
        clock.set(at(105));
        assert!(strategy.test(&limit, "ada").await.unwrap());
        assert!(!strategy.test_cost(&limit, "ada", 2).await.unwrap());
        assert!(!strategy.hit_cost(&limit, "ada", 2).await.unwrap());
        let stats = strategy.window_stats(&limit, "ada").await.unwrap();
        assert_eq!((stats.remaining, stats.reset_time), (1, at(140).to_system_time()));
        assert!(strategy.hit(&limit, "ada").await.unwrap());
    }
}

#[tokio::test]
async fn a_moving_window_is_reset_when_its_oldest_hit_leaves() {
    for storage in storages() {
        let (strategy, clock) = stopped(Algorithm::MovingWindow, &storage);
        let limit = limit("3 per 10 seconds");
        let trace = [
            (5, true, 2, 105),
            (20, true, 1, 105),
            (30, true, 0, 105),
            (104, false, 0, 105),
            (105, true, 0, 120),
            (119, false, 0, 120),
            (130, true, 1, 205),
        ];
        hits(&strategy, &clock, &limit, &trace).await;
    }
}

#[tokio::test]
async fn a_sliding_window_weighs_the_previous_one_by_what_is_left_of_it() {
    for storage in storages() {
        let (strategy, clock) = stopped(Algorithm::SlidingWindow, &storage);
        let limit = limit("100/minute");
        let minute = 1_700_000_040_000_000;
        let at = |seconds: u64| Micros::new(minute + seconds * 1_000_000);
        clock.set(at(0));
        assert!(strategy.hit_cost(&limit, "ada", 40).await.unwrap());
        clock.set(at(60));
        // 40 of the previous minute, all of which counts at its end.
        assert!(strategy.hit_cost(&limit, "ada", 60).await.unwrap());
        clock.set(at(90));
        assert!(strategy.hit_cost(&limit, "ada", 20).await.unwrap());
        assert!(!strategy.hit(&limit, "ada").await.unwrap(), "half of 40, and 80, is 100");
        let stats = strategy.window_stats(&limit, "ada").await.unwrap();
        let next_unit = at(90).to_system_time() + Duration::from_micros(1);
        assert_eq!((stats.remaining, stats.reset_time), (0, next_unit));
        clock.set(at(100));
        let stats = strategy.window_stats(&limit, "ada").await.unwrap();
        assert_eq!(stats.remaining, 7, "a third of 40, rounded down, and 80");
        assert!(strategy.hit(&limit, "ada").await.unwrap());
    }
}
