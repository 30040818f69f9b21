//! Several nodes, clones and tasks.

use limitra::{Algorithm, DenyCache, RateLimiter, check_all};
use limitra_tests::{fresh_prefix, patient_storage, shared};
use tokio::task::JoinSet;

/// In seconds: no slot of the clock ends while a test runs.
const FORTY_YEARS: u64 = 1_262_304_000;

#[tokio::test]
async fn a_node_that_has_asked_nothing_yet_sees_by_a_look_what_others_have_spent() {
    let prefix = fresh_prefix();
    for &algorithm in Algorithm::ALL {
        let node = || {
            let cache = DenyCache::over(patient_storage(&shared().url())).build().unwrap();
            let builder = RateLimiter::builder().algorithm(algorithm).requests(3).window(FORTY_YEARS);
            builder.storage(&cache).prefix(&prefix).scope(algorithm.name()).build().unwrap()
        };
        let (busy, cold) = (node(), node());
        busy.check_cost("ada", 3).await.unwrap();
        let seen = cold.test("ada").await.unwrap();
        assert!(!seen.is_allowed() && seen.remaining() == 0, "{algorithm}");
        assert!(cold.usage("ada").await.unwrap().limited, "{algorithm}");
        assert!(!cold.allow_request("ada").await.unwrap(), "{algorithm}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifteen_hundred_calls_by_clones_of_a_limiter_and_of_its_handle_admit_exactly_the_limit() {
    for &algorithm in Algorithm::ALL {
        let limits = limitra::LimitraConfig::new().build().unwrap();
        let mut calls = JoinSet::new();
        for call in 0..1500 {
            let limits = limits.clone();
            calls.spawn(async move {
                // Each of the clones its own limiter, as each connection of a service might have it.
                let builder = limits.clone().limiter().algorithm(algorithm).requests(100).window(FORTY_YEARS);
                let limiter = builder.build().unwrap();
                let limiter = if call % 2 == 0 { limiter.clone() } else { limiter };
                limiter.allow_request("ada").await.unwrap()
            });
        }
        let allowed = calls.join_all().await.into_iter().filter(|allowed| *allowed).count();
        assert_eq!(allowed, 100, "{algorithm}");
    }
}

#[tokio::test]
async fn two_thousand_subjects_in_one_question_are_charged_all_or_none() {
    let redis = patient_storage(&shared().url());
    let (memory, prefix) = (limitra::MemoryStorage::new(), fresh_prefix());
    for storage in [limitra::AnyStorage::from(redis), memory.into()] {
        let builder = RateLimiter::builder().algorithm(Algorithm::FixedWindow).requests(1).window(3600);
        let limiter = builder.storage(&storage).prefix(&prefix).build().unwrap();
        let subjects = || (0..2_000).map(|identifier| limiter.of(identifier));
        assert!(check_all(subjects()).await.unwrap().is_allowed());
        assert!(!check_all(subjects().chain([limiter.of("new")])).await.unwrap().is_allowed());
        assert!(limiter.allow_request("new").await.unwrap(), "it was charged though another one refused");
        assert!(!limiter.allow_request(1_999).await.unwrap());
    }
}
