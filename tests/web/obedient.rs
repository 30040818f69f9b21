//! A client that does what the headers say, under every algorithm.

use std::time::Duration;

use axum::Router;
use limitra::web::Headers;
use limitra::{Algorithm, ManualClock, MemoryStorage, RateLimiter};
use limitra_tests::random_number;

use crate::service::{behind, for_each_user, request, send, value};

/// What a response says: its status, `Retry-After`, and `r` and `t` of each limit.
struct Told {
    status: u16,
    retry_after: Option<u64>,
    limits: Vec<(u64, u64)>,
}

async fn ask(router: &Router) -> Told {
    let response = send(router, request("/", &[("x-user", "ada")])).await;
    let number = |item: &str, name: &str| -> u64 {
        item.split(';').find_map(|part| part.strip_prefix(name)).unwrap().parse().unwrap()
    };
    let limits = value(response.headers(), "ratelimit").unwrap().split(", ");
    Told {
        status: response.status().as_u16(),
        retry_after: value(response.headers(), "retry-after").map(|wait| wait.parse().unwrap()),
        limits: limits.map(|item| (number(item, "r="), number(item, "t="))).collect(),
    }
}

/// A service under this algorithm with random limits, at a random instant.
fn service(algorithm: Algorithm, seed: u64) -> (ManualClock, RateLimiter, Router) {
    let pick = |nth: u64, most: u64| random_number_of(seed, nth) % most + 1;
    let clock = ManualClock::default();
    clock.advance(Duration::from_micros(pick(0, 100_000_000)));
    let notation = match pick(1, 3) {
        1 => format!("{} per {} seconds", pick(2, 12), pick(3, 90)),
        2 => format!(
            "{} per {} seconds; {} per {} seconds",
            pick(2, 5),
            pick(3, 7),
            pick(4, 20) + 5,
            pick(5, 90) + 7
        ),
        _ => format!("{}/second", pick(2, 4)),
    };
    let limiter = RateLimiter::builder()
        .algorithm(algorithm)
        .notation(&notation)
        .clock(clock.clone())
        .storage(MemoryStorage::new())
        .build()
        .unwrap();
    let all = Headers::default().on_allowed(true);
    let (router, _) = behind(&for_each_user(&limiter).headers(all).build().unwrap());
    (clock, limiter, router)
}

/// The same numbers for the same seed.
fn random_number_of(seed: u64, nth: u64) -> u64 {
    // SplitMix64.
    let mut number = seed.wrapping_add(nth.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[tokio::test]
async fn whoever_waits_retry_after_is_let_in_and_waits_less_than_a_second_too_long() {
    for &algorithm in Algorithm::ALL {
        for _ in 0..40 {
            let seed = random_number();
            let (clock, limiter, router) = service(algorithm, seed);
            for round in 0..12 {
                let mut told = ask(&router).await;
                while told.status == 200 {
                    told = ask(&router).await;
                }
                let exact = limiter.wait_time("ada").await.unwrap();
                let wait = Duration::from_secs(told.retry_after.unwrap());
                let context = format!("{algorithm}, round {round}, seed {seed}");
                assert!(wait >= Duration::from_secs(1), "{context}");
                assert!(
                    wait >= exact && wait < exact + Duration::from_secs(1),
                    "{context}: {wait:?} for {exact:?}"
                );
                clock.advance(wait);
                assert_eq!(ask(&router).await.status, 200, "{context}: a second refusal");
            }
        }
    }
}

#[tokio::test]
async fn whoever_spends_what_remains_and_then_waits_t_is_never_refused_nor_waits_a_second_too_long() {
    for &algorithm in Algorithm::ALL {
        for _ in 0..40 {
            let seed = random_number();
            let (clock, limiter, router) = service(algorithm, seed);
            for round in 0..60 {
                let context = format!("{algorithm}, round {round}, seed {seed}");
                let told = ask(&router).await;
                assert_eq!(told.status, 200, "{context}");
                // The limits of which nothing is left, the longest of them.
                let wait = told.limits.iter().filter(|(left, _)| *left == 0).map(|(_, wait)| *wait).max();
                let exact = limiter.wait_time("ada").await.unwrap();
                match wait.map(Duration::from_secs) {
                    Some(wait) => {
                        assert!(
                            wait >= exact && wait < exact + Duration::from_secs(1),
                            "{context}: {wait:?} for {exact:?}"
                        );
                        clock.advance(wait);
                    }
                    None => assert_eq!(exact, Duration::ZERO, "{context}"),
                }
            }
        }
    }
}
