//! What goes when there is no more room.

use std::collections::BTreeMap;
use std::time::Duration;

use limitra::{Algorithm, RateLimiter};
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::runtime::Runtime;

use crate::{World, is_full};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn an_expired_record_goes_before_a_live_one() {
    for max_keys in [2, 10, 100] {
        let world = World::of(max_keys);
        let (short, long) = (world.limiter(1, SECOND), world.limiter(5, SECOND * 3600));
        for identifier in 1..max_keys {
            long.check(identifier).await.unwrap();
        }
        short.check("exceeded for a second").await.unwrap();
        world.clock.advance(SECOND);
        long.check("new").await.unwrap();
        for identifier in 1..max_keys {
            assert_eq!(long.usage(identifier).await.unwrap().count, 1, "{identifier} of {max_keys}");
        }
    }
}

#[tokio::test]
async fn an_unexceeded_record_goes_before_an_exceeded_one_however_near_its_expiry() {
    for max_keys in [2, 10, 100] {
        let world = World::of(max_keys);
        let (short, long) = (world.limiter(1, SECOND), world.limiter(5, SECOND * 3600));
        for identifier in 1..max_keys {
            short.check(identifier).await.unwrap();
        }
        long.check("first").await.unwrap();
        for identifier in ["second", "third", "fourth"] {
            long.check(identifier).await.unwrap();
            assert_eq!(long.usage(identifier).await.unwrap().count, 1);
        }
        assert_eq!(long.usage("third").await.unwrap().count, 0);
        for identifier in 1..max_keys {
            assert!(!short.allow_request(identifier).await.unwrap(), "{identifier} of {max_keys}");
        }
    }
}

#[tokio::test]
async fn of_the_unexceeded_the_one_with_the_nearest_expiry_goes_first() {
    for max_keys in [3_u64, 10, 100] {
        let world = World::of(usize::try_from(max_keys).unwrap());
        let limiter = |seconds| world.limiter(5, SECOND * seconds);
        for seconds in (1..=max_keys).map(|number| 1000 + number * 7 % (max_keys + 1)) {
            limiter(u32::try_from(seconds).unwrap()).check(seconds).await.unwrap();
        }
        let mut left: Vec<u64> = (1..=max_keys).map(|number| 1000 + number * 7 % (max_keys + 1)).collect();
        left.sort_unstable();
        for new in 0..max_keys {
            limiter(2_000_000).check(format!("new {new}")).await.unwrap();
            left.remove(0);
            for &seconds in &left {
                let limiter = limiter(u32::try_from(seconds).unwrap());
                assert_eq!(
                    limiter.usage(seconds).await.unwrap().count,
                    1,
                    "{seconds} after {new} of {max_keys}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_flood_of_new_keys_cannot_flush_an_exceeded_one_out() {
    for &algorithm in Algorithm::ALL {
        let world = World::of(1000);
        let (victim, flood) =
            (world.limiter_of(algorithm, 5, SECOND * 3600), world.limiter_of(algorithm, 3, SECOND * 60));
        victim.check_cost("attacker", 5).await.unwrap();
        for identifier in 0..20_000 {
            assert!(flood.allow_request(identifier).await.unwrap(), "{algorithm}");
            world.clock.advance(Duration::from_micros(10));
        }
        assert!(!victim.allow_request("attacker").await.unwrap(), "{algorithm}");
        assert!(world.storage.len() <= 1000);
    }
}

#[tokio::test]
async fn a_flood_of_exceeded_keys_cannot_flush_an_exceeded_one_out() {
    let world = World::of(1000);
    let (victim, flood) = (world.limiter(5, SECOND * 3600), world.limiter(1, SECOND * 60));
    victim.check_cost("attacker", 5).await.unwrap();
    let mut full = 0;
    for identifier in 0..100_000 {
        match flood.allow_request(identifier).await {
            Ok(allowed) => assert!(allowed),
            Err(error) => {
                assert!(is_full(&error), "{error:?}");
                full += 1;
            }
        }
    }
    assert_eq!(full, 100_000 - 999);
    assert!(!victim.allow_request("attacker").await.unwrap());
}

/// One hit: by whom, and how long after the one before.
#[derive(Clone, Copy, Debug)]
struct Hit {
    identifier: usize,
    after: Duration,
}

fn hits() -> impl Strategy<Value = Vec<Hit>> {
    // More than the millisecond in which a shard is not looked through again.
    let after = prop_oneof![3 => 2_u64..50, 1 => 50_u64..20_000].prop_map(Duration::from_millis);
    let hit = (0..KEYS, after).prop_map(|(identifier, after)| Hit { identifier, after });
    vec(hit, 1..150)
}

const KEYS: usize = 40;

/// What should be held: the end, the count and the amount of each live record.
type Model = BTreeMap<usize, (Duration, u64, u64)>;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn records_go_in_the_documented_order_whatever_happens(max_keys in 1_usize..28, hits in hits()) {
        let world = World::of(max_keys);
        // Some are exceeded by their first hit, some never; their windows differ by far.
        let settings = |identifier: usize| {
            let amount = [1, 1, 2, 1000][identifier % 4];
            (amount, Duration::from_millis([700, 3000, 12_000, 60_000, 61_000][identifier % 5]))
        };
        let limiters: Vec<RateLimiter> = (0..KEYS)
            .map(settings)
            .map(|(amount, window)| world.limiter(amount, window))
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut model = Model::new();
        let mut now = Duration::ZERO;
        for hit in hits {
            // A microsecond more each time, so that no two records end at once.
            let after = hit.after + Duration::from_micros(1);
            world.clock.advance(after);
            now += after;
            model.retain(|_, (until, ..)| *until > now);
            let expected = hit_model(&mut model, max_keys, hit.identifier, settings(hit.identifier), now);
            let answer = runtime.block_on(limiters[hit.identifier].allow_request(hit.identifier));
            match (answer, expected) {
                (Ok(allowed), Some(expected)) => prop_assert_eq!(allowed, expected, "{:?}", hit),
                (Err(error), None) => prop_assert!(is_full(&error)),
                (answer, expected) => prop_assert!(false, "{:?} {:?} {:?}", hit, answer, expected),
            }
            let counts = counts(&runtime, &limiters);
            let expected: Vec<u64> =
                (0..KEYS).map(|identifier| model.get(&identifier).map_or(0, |(_, count, _)| *count)).collect();
            prop_assert_eq!(counts, expected, "after {:?}", hit);
        }
    }
}

/// Whether the hit is allowed; `None` if there is no room for it.
fn hit_model(
    model: &mut Model,
    max_keys: usize,
    identifier: usize,
    (amount, window): (u64, Duration),
    now: Duration,
) -> Option<bool> {
    if let Some((_, count, _)) = model.get_mut(&identifier) {
        let allowed = *count < amount;
        *count += u64::from(allowed);
        return Some(allowed);
    }
    if model.len() == max_keys {
        let unexceeded = model.iter().filter(|(_, (_, count, amount))| count < amount);
        let (&nearest, _) = unexceeded.min_by_key(|(_, (until, ..))| *until)?;
        model.remove(&nearest);
    }
    model.insert(identifier, (now + window, 1, amount));
    Some(true)
}

fn counts(runtime: &Runtime, limiters: &[RateLimiter]) -> Vec<u64> {
    let usage =
        |(identifier, limiter): (usize, &RateLimiter)| runtime.block_on(limiter.usage(identifier)).unwrap();
    limiters.iter().enumerate().map(usage).map(|usage| usage.count).collect()
}
