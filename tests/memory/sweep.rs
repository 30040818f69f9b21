//! What has expired goes: as new keys come, or when it is told to.

use std::time::{Duration, SystemTime};

use limitra::{Algorithm, Limit, ManualClock, MemoryStorage, RateLimiter};

use crate::World;

const SECOND: Duration = Duration::from_secs(1);

/// A limiter whose hits happen at this instant.
fn limiter_at(
    storage: &MemoryStorage,
    algorithm: Algorithm,
    window: Duration,
    now: SystemTime,
) -> RateLimiter {
    let builder = RateLimiter::builder().algorithm(algorithm).limit(Limit::new(2, window).unwrap());
    builder.storage(storage).clock(ManualClock::at(now)).build().unwrap()
}

#[tokio::test]
async fn a_sweep_forgets_what_has_expired_and_says_how_much() {
    for &algorithm in Algorithm::ALL {
        let storage = MemoryStorage::new();
        let now = SystemTime::now();
        let expired = limiter_at(&storage, algorithm, SECOND, now - SECOND * 60);
        let live = limiter_at(&storage, algorithm, SECOND * 3600, now);
        for identifier in 1000..1300 {
            live.check(identifier).await.unwrap();
        }
        // By their clock none of these has expired yet, so they do not sweep each other away.
        for identifier in 0..1000 {
            expired.check(identifier).await.unwrap();
        }
        assert_eq!(storage.len(), 1300, "{algorithm}");
        assert_eq!(storage.sweep(), 1000, "{algorithm}");
        assert_eq!((storage.len(), storage.sweep()), (300, 0), "{algorithm}");
        assert_eq!(live.usage(1000).await.unwrap().count, 1, "{algorithm}");
    }
}

#[tokio::test]
async fn a_record_with_one_live_rule_is_not_swept() {
    let storage = MemoryStorage::new();
    let limits = [Limit::new(5, SECOND), Limit::new(5, SECOND * 3600)].map(Result::unwrap);
    let clock = ManualClock::at(SystemTime::now() - SECOND * 60);
    let limiter = RateLimiter::builder().limits(limits).storage(&storage).clock(clock).build().unwrap();
    limiter.check("ada").await.unwrap();
    assert_eq!((storage.sweep(), storage.len()), (0, 1));
}

#[tokio::test]
async fn new_keys_sweep_the_expired_ones_away() {
    for max_keys in [8000, 1_000_000] {
        let world = World::of(max_keys);
        let limiter = world.limiter(2, SECOND);
        for identifier in 0..4000 {
            limiter.check(identifier).await.unwrap();
        }
        assert_eq!(world.storage.len(), 4000);
        world.clock.advance(SECOND);
        for identifier in 4000..8000 {
            limiter.check(identifier).await.unwrap();
        }
        assert!(world.storage.len() < 4100, "{} of {max_keys}", world.storage.len());
        assert_eq!(limiter.usage(4000).await.unwrap().count, 1, "the new ones stay");
    }
}

#[tokio::test]
async fn a_sweep_of_nothing_is_nothing() {
    let storage = MemoryStorage::new();
    assert_eq!(storage.sweep(), 0);
    let live = limiter_at(&storage, Algorithm::FixedWindow, SECOND * 3600, SystemTime::now());
    live.test("ada").await.unwrap();
    assert_eq!((storage.len(), storage.sweep()), (0, 0));
}

#[tokio::test]
async fn a_reset_of_the_storage_forgets_everything() {
    let world = World::of(100_000);
    let limiter = world.limiter(1, SECOND);
    for identifier in 0..1000 {
        limiter.check(identifier).await.unwrap();
    }
    world.storage.reset();
    assert!(world.storage.is_empty());
    assert!(limiter.allow_request(0).await.unwrap());
    assert_eq!(world.storage.len(), 1);
}

#[tokio::test]
async fn clones_of_a_storage_are_one_storage() {
    let world = World::of(10);
    let other = World { storage: world.storage.clone(), ..world.clone() };
    assert!(world.limiter(1, SECOND).allow_request("ada").await.unwrap());
    assert!(!other.limiter(1, SECOND).allow_request("ada").await.unwrap());
    assert_eq!(other.storage.len(), 1);
}

#[tokio::test]
async fn the_storages_own_clock_is_the_systems() {
    let storage = MemoryStorage::new();
    let limiter =
        RateLimiter::builder().algorithm("fixed_window_aligned").requests(1).window(3600).storage(&storage);
    let limiter = limiter.build().unwrap();
    limiter.check("ada").await.unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let to_the_hour = 3600.0 - now.as_secs_f64() % 3600.0;
    let difference = (limiter.wait_time("ada").await.unwrap().as_secs_f64() - to_the_hour).abs();
    // Unless the hour struck in between.
    assert!(!(10.0..=3500.0).contains(&difference), "{difference}");
}
