//! How many records it holds.

use std::time::Duration;

use limitra::{Algorithm, MemoryStorage, RateLimiter, check_all};

use crate::{World, is_full};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn no_more_records_are_held_than_max_keys() {
    for max_keys in [1, 2, 3, 7, 100, 4096, 8191, 8192, 8195, 9999, 16_390] {
        let world = World::of(max_keys);
        let limiter = world.limiter(2, MINUTE);
        for identifier in 0..2 * max_keys {
            assert!(limiter.allow_request(identifier).await.unwrap(), "{identifier} of {max_keys}");
            assert!(world.storage.len() <= max_keys, "{} of {max_keys}", world.storage.len());
        }
        assert!(world.storage.len() * 10 >= max_keys * 9, "{} of {max_keys}", world.storage.len());
        assert_eq!(world.storage.max_keys(), max_keys);
    }
}

#[test]
fn a_million_records_are_held_unless_said_otherwise() {
    assert_eq!(MemoryStorage::new().max_keys(), 1_000_000);
    assert_eq!(MemoryStorage::default().max_keys(), 1_000_000);
}

#[tokio::test]
async fn a_memory_full_of_exceeded_records_says_so_to_a_new_identifier() {
    let world = World::of(3);
    let limiter = world.limiter(1, MINUTE);
    for identifier in 0..3 {
        assert!(limiter.allow_request(identifier).await.unwrap());
    }
    for outages in 1..=2 {
        let error = limiter.check("new").await.unwrap_err();
        assert!(is_full(&error), "{error:?}");
        assert_eq!(
            error.to_string(),
            "memory: full (of exceeded records: raise max_keys; or of rules in one record: use fewer windows) while trying to decide"
        );
        assert_eq!(limiter.outages(), outages);
    }
    for identifier in 0..3 {
        assert!(!limiter.allow_request(identifier).await.unwrap(), "{identifier} is still exceeded");
    }
    assert_eq!(world.storage.len(), 3);
    // To look at a new identifier needs no room.
    assert!(limiter.test("new").await.unwrap().is_allowed());
    assert_eq!(limiter.usage("new").await.unwrap().count, 0);
    assert!(limiter.check_cost("new", 0).await.unwrap().is_allowed());
}

#[tokio::test]
async fn a_memory_full_of_exceeded_records_lets_a_new_identifier_in_where_it_fails_open() {
    let world = World::of(1);
    world.limiter(1, MINUTE).check("ada").await.unwrap();
    let builder =
        RateLimiter::builder().requests(1).window(60).storage(&world.storage).clock(world.clock.clone());
    let limiter = builder.algorithm("fixed_window").fail_open(true).build().unwrap();
    for _ in 0..3 {
        let decision = limiter.check("new").await.unwrap();
        assert!(decision.is_allowed() && decision.is_degraded());
    }
    let refused = limiter.check("ada").await.unwrap();
    assert!(!refused.is_allowed() && !refused.is_degraded());
}

#[tokio::test]
async fn a_full_memory_recovers_when_its_records_expire_or_are_reset() {
    for &algorithm in Algorithm::ALL {
        let world = World::of(3);
        let limiter = world.limiter_of(algorithm, 1, MINUTE);
        for identifier in 0..3 {
            limiter.check(identifier).await.unwrap();
        }
        assert!(is_full(&limiter.check("ada").await.unwrap_err()), "{algorithm}");
        limiter.reset(1).await.unwrap();
        assert!(limiter.allow_request("ada").await.unwrap(), "{algorithm}: one was reset");
        assert!(is_full(&limiter.check("bob").await.unwrap_err()), "{algorithm}");
        world.clock.advance(MINUTE * 2);
        for identifier in ["bob", "carol", "dave"] {
            assert!(limiter.allow_request(identifier).await.unwrap(), "{algorithm}: all have expired");
        }
        assert_eq!(world.storage.len(), 3, "{algorithm}");
    }
}

#[tokio::test]
async fn a_record_that_is_no_longer_exceeded_makes_room() {
    let world = World::of(2);
    let limiter = world.limiter_of(Algorithm::TokenBucket, 2, MINUTE);
    for identifier in ["ada", "bob"] {
        limiter.check_cost(identifier, 2).await.unwrap();
    }
    assert!(is_full(&limiter.check("carol").await.unwrap_err()));
    world.clock.advance(MINUTE / 2);
    assert!(limiter.allow_request("carol").await.unwrap(), "the buckets have a token again");
}

#[tokio::test]
async fn subjects_that_do_not_all_find_room_are_not_charged_at_all() {
    let world = World::of(2);
    let (user, tenant) = (world.limiter(1, MINUTE), world.limiter(5, MINUTE));
    user.check("exceeded").await.unwrap();
    tenant.check("acme").await.unwrap();
    let error = check_all([tenant.of("acme"), user.of("ada"), user.of("bob")]).await.unwrap_err();
    assert!(is_full(&error), "{error:?}");
    assert_eq!(tenant.usage("acme").await.unwrap().count, 1);
    assert!(user.usage("exceeded").await.unwrap().limited);
    assert_eq!(world.storage.len(), 2);
}

#[tokio::test]
async fn subjects_that_are_too_many_for_the_memory_forget_nothing_and_spoil_nothing() {
    let world = World::of(2);
    let limiter = world.limiter(5, MINUTE);
    limiter.check("ada").await.unwrap();
    let subjects = ["x", "y", "z"].map(|identifier| limiter.of(identifier));
    assert!(is_full(&check_all(subjects).await.unwrap_err()));
    assert_eq!(limiter.usage("ada").await.unwrap().count, 1, "nothing had to go");
    for identifier in ["bob", "carol", "dave"] {
        assert!(limiter.allow_request(identifier).await.unwrap(), "there is something that can go");
    }
}

#[tokio::test]
async fn subjects_make_no_room_at_the_cost_of_each_other() {
    let world = World::of(2);
    let limiter = world.limiter(5, MINUTE);
    for _ in 0..3 {
        assert!(check_all([limiter.of("ada"), limiter.of("bob")]).await.unwrap().is_allowed());
    }
    // Each of these pairs keeps one of the last and needs room for another.
    for pair in [["bob", "carol"], ["carol", "dave"], ["dave", "ada"]] {
        assert!(check_all(pair.map(|identifier| limiter.of(identifier))).await.unwrap().is_allowed());
        assert!(limiter.usage(pair[0]).await.unwrap().count >= 2, "{pair:?}");
        assert_eq!(limiter.usage(pair[1]).await.unwrap().count, 1, "{pair:?}");
    }
    assert_eq!(world.storage.len(), 2);
}

#[tokio::test]
async fn a_subject_that_costs_nothing_needs_no_room() {
    let world = World::of(1);
    let limiter = world.limiter(2, MINUTE);
    limiter.check("ada").await.unwrap();
    assert!(check_all([limiter.of("ada"), limiter.of("bob").cost(0)]).await.unwrap().is_allowed());
    assert_eq!(limiter.usage("ada").await.unwrap().count, 2);
}

#[tokio::test]
async fn a_million_identifiers_that_come_once_stay_bounded_without_a_sweep() {
    let world = World::of(1_000_000);
    let limiter = world.limiter(5, Duration::from_secs(1));
    let mut most = 0;
    for identifier in 0..1_000_000_u32 {
        assert!(limiter.allow_request(identifier).await.unwrap());
        world.clock.advance(Duration::from_micros(50));
        if identifier % 10_000 == 0 {
            most = most.max(world.storage.len());
        }
    }
    // 20,000 of them are alive at any time.
    assert!(most < 60_000, "{most}");
    let left = world.storage.len();
    // The sweep goes by the storage's own clock, by which all that happened in 2023 is over.
    assert_eq!(world.storage.sweep(), left);
    assert!(world.storage.is_empty());
}
