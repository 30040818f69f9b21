//! `test`, `window_stats` and `hit` agree, whatever was asked before.

use std::time::Duration;

use limitra::strategies::{Strategy, WindowStats};
use limitra::{Algorithm, AnyStorage, ManualClock, Micros, RateLimit};
use proptest::prelude::{Just, Strategy as Given, prop};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use proptest::{prop_assert, prop_assert_eq, prop_oneof};

use crate::stage::{at_once, limit, redis, stopped};

#[derive(Clone, Debug)]
struct Traffic {
    algorithm: Algorithm,
    amount: u64,
    seconds: u64,
    burst: Option<u64>,
    /// Waits in parts of the window (of 1,000,000), and costs in parts of what may be had at once (of 100).
    steps: Vec<(u64, u64)>,
}

fn traffic() -> impl Given<Value = Traffic> {
    let amount = prop_oneof![1_u64..10, 10_u64..2000];
    let wait = prop_oneof![Just(0_u64), 1_u64..1000, 1000_u64..2_500_000];
    let cost = prop_oneof![3 => Just(1_u64), 1 => 0_u64..=100];
    let steps = prop::collection::vec((wait, cost), 1..30);
    let algorithm = prop::sample::select(Algorithm::ALL.to_vec());
    (algorithm, amount, 1_u64..5000, prop::option::of(1_u64..3000), steps).prop_map(
        |(algorithm, amount, seconds, burst, steps)| {
            let burst = burst.filter(|_| algorithm.is_bucket());
            Traffic { algorithm, amount, seconds, burst, steps }
        },
    )
}

impl Traffic {
    fn limit(&self) -> RateLimit {
        let limit = limit(&format!("{}/{} seconds", self.amount, self.seconds));
        match self.burst {
            Some(burst) => limit.with_burst(burst).unwrap(),
            None => limit,
        }
    }

    fn capacity(&self) -> u64 {
        self.burst.unwrap_or(self.amount)
    }
}

async fn stats(strategy: &Strategy, limit: &RateLimit) -> WindowStats {
    strategy.window_stats(limit, "ada").await.unwrap()
}

/// Everything that can be known without a hit agrees: what remains may be had, and one more from the reset on, not before.
async fn agrees(
    strategy: &Strategy,
    clock: &ManualClock,
    limit: &RateLimit,
    capacity: u64,
) -> Result<WindowStats, TestCaseError> {
    let now = clock.now();
    let seen = stats(strategy, limit).await;
    prop_assert!(strategy.test_cost(limit, "ada", seen.remaining).await.unwrap());
    prop_assert_eq!(strategy.test(limit, "ada").await.unwrap(), seen.remaining > 0);
    if seen.remaining == capacity {
        prop_assert_eq!(seen.reset_time, now.to_system_time());
        return Ok(seen);
    }
    prop_assert!(!strategy.test_cost(limit, "ada", seen.remaining + 1).await.unwrap());
    prop_assert!(seen.reset_time > now.to_system_time());
    clock.set(Micros::from(seen.reset_time).minus(Micros::new(1)));
    prop_assert!(stats(strategy, limit).await.remaining <= seen.remaining, "a microsecond before its reset");
    clock.set(seen.reset_time);
    let then = stats(strategy, limit).await;
    prop_assert!(then.remaining > seen.remaining, "{:?} at the reset of {:?}", then, seen);
    clock.set(now);
    prop_assert_eq!(stats(strategy, limit).await, seen, "nothing was written by looking");
    Ok(seen)
}

async fn plays(traffic: &Traffic, storage: &AnyStorage) -> Result<(), TestCaseError> {
    let (strategy, clock) = stopped(traffic.algorithm, storage);
    let (limit, capacity) = (traffic.limit(), traffic.capacity());
    for (wait, cost) in &traffic.steps {
        clock.advance(Duration::from_micros(wait * traffic.seconds));
        let cost = (cost * capacity / 100).max(u64::from(*cost > 0));
        let before = agrees(&strategy, &clock, &limit, capacity).await?;
        let predicted = strategy.test_cost(&limit, "ada", cost).await.unwrap();
        prop_assert_eq!(predicted, cost <= before.remaining);
        prop_assert_eq!(strategy.hit_cost(&limit, "ada", cost).await.unwrap(), predicted);
        let after = agrees(&strategy, &clock, &limit, capacity).await?;
        prop_assert_eq!(after.remaining, before.remaining - if predicted { cost } else { 0 });
    }
    Ok(())
}

#[test]
fn test_window_stats_and_hit_agree_on_memory() {
    let memory: AnyStorage = limitra::MemoryStorage::new().into();
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(400) });
    runner.run(&traffic(), |traffic| at_once(plays(&traffic, &memory))).unwrap();
}

#[test]
fn test_window_stats_and_hit_agree_on_redis() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let redis = redis();
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(64) });
    runner.run(&traffic(), |traffic| runtime.block_on(plays(&traffic, &redis))).unwrap();
}
