//! The limiter and the storage, without any runtime.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use limitra::{Algorithm, ConfigurationError, Error, ManualClock, Status, blocking};
use limitra_tests::RedisServer;

use crate::stage::{fresh, limiter, redis, storages};

#[test]
fn every_method_answers_as_the_awaited_one_does() {
    for storage in storages() {
        let clock = ManualClock::new();
        let awaited = fresh(&storage, 5).clock(clock.clone()).build().unwrap();
        let limiter: blocking::RateLimiter = (&awaited).into();
        assert!(limiter.allow_request("ada").unwrap());
        let decision = limiter.check("ada").unwrap();
        assert!(decision.is_allowed());
        assert_eq!(decision.remaining(), 3);
        assert!(limiter.check_cost("ada", 2).unwrap().is_allowed());
        assert!(limiter.test("ada").unwrap().is_allowed());
        assert!(!limiter.test_cost("ada", 2).unwrap().is_allowed());
        let usage = limiter.usage("ada").unwrap();
        assert_eq!((usage.count, usage.limit, usage.remaining, usage.limited), (4, 5, 1, false));
        let status = limiter.status("ada").unwrap();
        assert!(
            matches!(status, Some(Status::Window { count: 4, capacity: 5, available: 1, .. })),
            "{status:?}"
        );
        assert!(limiter.wait_time("ada").unwrap().is_zero());
        assert!(limiter.allow_request("ada").unwrap());
        assert_eq!(limiter.wait_time("ada").unwrap(), Duration::from_secs(3600));
        let refusal = limiter.check("ada").unwrap();
        assert_eq!(refusal.exceeded().unwrap().scope, "user");
        assert!(matches!(limiter.check_cost("ada", 6), Err(Error::CostAboveLimit { cost: 6, .. })));
        assert_eq!(limiter.key("ada"), awaited.key("ada"));
        assert_eq!(limiter.config(), awaited.config());
        assert_eq!(limiter.awaited().config(), awaited.config());
        assert_eq!(format!("{limiter:?}"), format!("{awaited:?}"));
        limiter.reset("ada").unwrap();
        assert_eq!(limiter.usage("ada").unwrap().count, 0);
        assert_eq!(limiter.outages(), 0);
        clock.advance(Duration::from_secs(1));
        assert!(limiter.clone().allow_request(7).unwrap());
        assert_eq!(limiter.usage("7").unwrap().count, 1);
    }
}

#[test]
fn several_subjects_are_decided_at_once_all_or_none() {
    for storage in storages() {
        let user = limiter(&storage, 10);
        let tenant =
            fresh(&storage, 2).scope("tenant").algorithm(Algorithm::TokenBucket).build().unwrap().blocking();
        let both = || blocking::check_all([user.of("ada"), tenant.of("acme").cost(2)]).unwrap();
        assert!(both().is_allowed());
        let refusal = both();
        assert!(!refusal.is_allowed());
        assert_eq!(refusal.exceeded().unwrap().scope, "tenant");
        assert_eq!(user.usage("ada").unwrap().count, 1);
        let twice = blocking::check_all([user.of("ada"), user.of("ada")]);
        assert!(matches!(twice, Err(Error::Configuration(ConfigurationError::SubjectTwice))));
        assert!(matches!(blocking::check_all([]), Err(Error::Configuration(ConfigurationError::NoSubject))));
    }
}

#[test]
fn a_storage_is_checked_and_reset_without_a_runtime() {
    let memory: limitra::AnyStorage = limitra::MemoryStorage::new().into();
    let storage = blocking::Storage::new(&memory);
    let limiter = limiter(&memory, 1);
    assert!(limiter.allow_request("ada").unwrap() && limiter.allow_request("bob").unwrap());
    assert!(storage.check());
    storage.ping().unwrap();
    assert_eq!(storage.reset().unwrap(), 2);
    assert!(limiter.allow_request("ada").unwrap());

    let redis = blocking::Storage::new(redis());
    assert!(redis.check());
    redis.ping().unwrap();
    assert_eq!(redis.awaited().name(), "redis");
}

#[test]
fn sixteen_threads_that_race_admit_exactly_the_limit() {
    for storage in storages() {
        let limiter = limiter(&storage, 100);
        let allowed = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let one = limiter.allow_request("ada").unwrap();
                        allowed.fetch_add(u64::from(one), Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(allowed.into_inner(), 100);
    }
}

#[test]
fn all_threads_share_one_connection() {
    let server = RedisServer::start();
    let storage = limitra_tests::patient_storage(&server.url()).into();
    let limiter = limiter(&storage, 1000);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| limiter.allow_request("ada").unwrap());
        }
    });
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_connection().unwrap();
    let clients: String = redis::cmd("CLIENT").arg("LIST").query(&mut connection).unwrap();
    assert_eq!(clients.lines().count(), 2, "one is this test's own: {clients}");
}

#[test]
fn what_was_charged_is_given_back() {
    for storage in storages() {
        let (user, tenant) =
            (limiter(&storage, 5), fresh(&storage, 5).scope("tenant").build().unwrap().blocking());
        let decision = user.check("ada").unwrap();
        assert!(user.give_back("ada", decision.clone()).unwrap());
        assert!(!user.give_back("ada", decision).unwrap());
        let tested = user.test("ada").unwrap();
        user.check("ada").unwrap();
        assert!(!user.give_back("ada", tested).unwrap());
        let charges = || [user.of("ada"), tenant.of("acme").cost(3)];
        let decision = blocking::check_all(charges()).unwrap();
        assert!(blocking::give_back_all(charges(), decision.clone()).unwrap());
        assert_eq!([user.usage("ada").unwrap().count, tenant.usage("acme").unwrap().count], [1, 0]);
        let error = tenant.give_back("acme", decision).unwrap_err();
        assert!(matches!(error, Error::Configuration(ConfigurationError::OtherDecision)), "{error}");
    }
}
