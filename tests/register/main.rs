//! Registers: all algorithms over anything that loads and swaps values.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod drawer;
mod many;
mod queue;

use std::sync::Arc;
use std::time::Duration;

use drawer::{Behaviour, Drawer};
use limitra::{
    Algorithm, AnyStorage, ConfigurationError, Error, Limit, Limitra, LimitraConfig, ManualClock,
    RateLimiter, RegisterStorage, StorageErrorKind, check_all, conformance, rate_limit,
};
use limitra_tests::{oracle, race};

fn storage(drawer: &Arc<Drawer>) -> AnyStorage {
    RegisterStorage::new(drawer.clone()).into()
}

fn limiter(storage: &AnyStorage, requests: u64) -> RateLimiter {
    RateLimiter::builder().requests(requests).window(60).storage(storage).build().unwrap()
}

#[tokio::test]
async fn a_register_keeps_every_promise_of_a_storage() {
    for subjects in [1, 8] {
        let drawer = Drawer::of(Behaviour { subjects, ..Behaviour::default() });
        conformance::check(storage(&drawer)).await.unwrap();
    }
}

#[tokio::test]
async fn a_register_agrees_with_every_recorded_decision() {
    oracle::replay(storage(&Drawer::new()), "a register").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_tasks_admit_exactly_the_limit() {
    let drawer = Drawer::of(Behaviour { subjects: 8, yields: true, ..Behaviour::default() });
    race::racing_tasks_admit_exactly_the_limit(storage(&drawer)).await;
    race::racing_tasks_with_costs_spend_no_more_than_the_limit(storage(&drawer)).await;
    race::racing_tasks_charge_every_limit_or_none(storage(&drawer)).await;
    race::racing_tasks_charge_every_subject_or_none(storage(&drawer)).await;
    race::a_refused_subject_charges_no_other(storage(&drawer)).await;
    race::dropped_tasks_leave_all_limits_with_one_count(storage(&drawer)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_storages_do_not_run_out_of_retries() {
    let drawer = Drawer::of(Behaviour { yields: true, ..Behaviour::default() });
    race::racing_storages_do_not_run_out_of_retries(|| storage(&drawer)).await;
}

#[tokio::test]
async fn an_allowed_hit_is_a_load_and_a_swap_and_anything_else_is_a_load() {
    let drawer = Drawer::new();
    let limiter = limiter(&storage(&drawer), 1);
    assert!(limiter.allow_request("ada").await.unwrap());
    assert_eq!(drawer.calls(), (1, 1));
    assert!(!limiter.allow_request("ada").await.unwrap());
    assert_eq!(drawer.calls(), (2, 1));
    limiter.test("ada").await.unwrap();
    assert_eq!(drawer.calls(), (3, 1));
}

#[tokio::test]
async fn a_value_is_kept_a_minute_longer_than_it_is_of_use() {
    let drawer = Drawer::new();
    let limiter = limiter(&storage(&drawer), 1);
    limiter.allow_request("ada").await.unwrap();
    let keep = drawer.last_keep();
    assert!(keep > Duration::from_secs(60) && keep <= Duration::from_secs(120 + 60), "{keep:?}");
}

#[tokio::test]
async fn contention_ends_in_a_concurrent_update_error_that_names_key_and_attempts() {
    let drawer = Drawer::of(Behaviour { others_are_faster: u32::MAX, ..Behaviour::default() });
    for (attempts, storage) in [
        (64, RegisterStorage::new(drawer.clone())),
        (3, RegisterStorage::new(drawer.clone()).max_retries(3).unwrap()),
        (1, RegisterStorage::new(drawer.clone()).max_retries(1).unwrap()),
    ] {
        let before = drawer.calls().1;
        let limiter = limiter(&storage.into(), 5);
        let error = limiter.allow_request("ada").await.unwrap_err();
        let Error::Storage(error) = &error else { panic!("{error}") };
        assert_eq!(error.kind(), StorageErrorKind::ConcurrentUpdate);
        let contention = error.concurrent_update().unwrap();
        assert_eq!((contention.key.as_str(), contention.attempts), ("limitra:::user:ada:", attempts));
        // Who was asking is in the key, for those who look; messages end in logs.
        assert!(error.to_string().contains("unable to update Key(limitra:::user) after"), "{error}");
        assert!(!format!("{error} {error:?}").contains("ada"), "{error:?}");
        assert_eq!(drawer.calls().1 - before, attempts);
        assert_eq!(limiter.outages(), 1);
    }
    assert_eq!(RegisterStorage::new(drawer).max_retries(0).unwrap_err(), ConfigurationError::ZeroRetries);
}

#[tokio::test]
async fn a_few_who_are_faster_delay_a_decision_but_do_not_change_it() {
    let drawer = Drawer::of(Behaviour { others_are_faster: 20, ..Behaviour::default() });
    let limiter = limiter(&storage(&drawer), 1);
    assert!(limiter.allow_request("ada").await.unwrap());
    assert!(!limiter.allow_request("ada").await.unwrap());
}

#[tokio::test]
async fn a_swap_of_unknown_outcome_is_not_repeated() {
    let drawer = Drawer::of(Behaviour { loses_replies: true, ..Behaviour::default() });
    let limiter = limiter(&storage(&drawer), 5);
    let error = limiter.allow_request("ada").await.unwrap_err();
    assert!(matches!(&error, Error::Storage(error) if error.kind() == StorageErrorKind::Timeout), "{error}");
    assert_eq!(drawer.calls(), (1, 1));
    assert_eq!(limiter.usage("ada").await.unwrap().count, 1);
}

#[tokio::test]
async fn somebody_elses_value_is_left_alone() {
    let drawer = Drawer::new();
    let limiter = limiter(&storage(&drawer), 5);
    for (bytes, kind) in [
        (b"not ours".as_slice(), StorageErrorKind::ForeignValue),
        (b"LR\x09\x01".as_slice(), StorageErrorKind::OtherVersion),
    ] {
        drawer.put("limitra:::user:ada:", bytes);
        let error = limiter.allow_request("ada").await.unwrap_err();
        assert!(matches!(&error, Error::Storage(error) if error.kind() == kind), "{error}");
        assert_eq!(drawer.get("limitra:::user:ada:").unwrap(), bytes);
    }
}

#[tokio::test]
async fn the_registers_own_clock_decides_where_it_has_one() {
    let drawer = Drawer::of(Behaviour { now: Some(1_000_000_000_000_000), ..Behaviour::default() });
    let limiter = limiter(&storage(&drawer), 1);
    assert!(limiter.allow_request("ada").await.unwrap());
    assert!(!limiter.allow_request("ada").await.unwrap());
    drawer.set_now(1_000_000_120_000_000);
    assert!(limiter.allow_request("ada").await.unwrap());
}

#[tokio::test]
async fn more_subjects_or_bytes_than_a_register_carries_are_a_mistake_whatever_the_policy_is() {
    let drawer = Drawer::of(Behaviour { bytes: 4 + 2 * 36 + 10 * 16, ..Behaviour::default() });
    let storage = storage(&drawer);
    let moving = |amounts: &[u64]| {
        let limits = amounts.iter().zip([60, 3600]);
        let limits = limits.map(|(amount, window)| Limit::new(*amount, Duration::from_secs(window)).unwrap());
        let builder = RateLimiter::builder().algorithm(Algorithm::MovingWindow).limits(limits);
        builder.storage(&storage).clock(ManualClock::new()).fail_open(true).build()
    };
    // Two rules' heads, and ten slots beside them.
    moving(&[5, 5]).unwrap();
    moving(&[12]).unwrap();
    let error = moving(&[5, 6]).unwrap_err();
    assert_eq!(error, ConfigurationError::RecordTooLarge { storage: "drawer", amount: 11, most: 10 });
    assert!(error.to_string().contains("a moving window of 11 is too large for drawer, which carries 10"));
    assert!(matches!(moving(&[13]), Err(ConfigurationError::RecordTooLarge { most: 12, .. })));

    let (user, tenant) = (limiter(&storage, 5), moving(&[5, 5]).unwrap());
    let error = check_all([user.of("ada"), user.of("bob")]).await.unwrap_err();
    assert!(error.to_string().contains("2 subjects in one decision are too many for drawer"), "{error}");
    assert!(tenant.allow_request("acme").await.unwrap());
}

/// Which of several attributes take part is known only at a call; that they are too many is known before.
#[tokio::test]
async fn stacked_attributes_on_a_register_of_one_subject_are_a_mistake_that_names_the_function() {
    #[rate_limit(requests = 5, window = 60, key = "user", limitra = limits)]
    #[rate_limit(requests = 9, window = 60, scope = "tenant", exempt_when = |_, _| true)]
    async fn post(user: &str, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    #[rate_limit(requests = 11, window = 60, algorithm = "moving_window", fail_open = true, limitra = limits)]
    async fn search(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let drawer = Drawer::of(Behaviour { bytes: 4 + 36 + 10 * 16, ..Behaviour::default() });
    let limits = LimitraConfig::new().storage(storage(&drawer)).build().unwrap();
    let error = post("ada", &limits).await.unwrap_err().to_string();
    assert!(error.contains("post`: 2 subjects in one decision are too many for drawer"), "{error}");
    let error = search(&limits).await.unwrap_err().to_string();
    assert!(error.contains("search`: a moving window of 11 is too large for drawer"), "{error}");
    assert_eq!(drawer.calls(), (0, 0));
}

#[tokio::test]
async fn a_record_that_other_rules_filled_is_an_error_and_stays_as_it_is() {
    let drawer = Drawer::of(Behaviour { bytes: 4 + 36, ..Behaviour::default() });
    let storage = storage(&drawer);
    let fixed = RateLimiter::builder().algorithm(Algorithm::FixedWindow).requests(5).window(60);
    assert!(fixed.storage(&storage).build().unwrap().allow_request("ada").await.unwrap());
    let before = drawer.get("limitra:::user:ada:").unwrap();
    let gcra = RateLimiter::builder().algorithm(Algorithm::Gcra).requests(5).window(60).storage(&storage);
    let error = gcra.build().unwrap().allow_request("ada").await.unwrap_err();
    assert!(matches!(&error, Error::Storage(error) if error.kind() == StorageErrorKind::Full), "{error}");
    assert_eq!(drawer.get("limitra:::user:ada:").unwrap(), before);
}

#[tokio::test]
async fn what_a_register_does_not_offer_is_unsupported() {
    let storage = storage(&Drawer::new());
    assert_eq!(storage.reset().await.unwrap_err().kind(), StorageErrorKind::Unsupported);
    storage.ping().await.unwrap();
    assert!(format!("{storage:?}").contains("Drawer"));
}
