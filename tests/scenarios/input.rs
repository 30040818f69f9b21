//! Numbers and texts from strangers.

use std::time::{Duration, Instant};

use limitra::{Algorithm, Backend, Error, Limit, Limitra, LimitraConfig, ManualClock, rate_limit};

#[tokio::test]
async fn numbers_from_a_client_overflow_nothing() {
    #[rate_limit(
        requests = |requests, _, _, _| *requests,
        window = |_, window, _, _| *window,
        cost = |_, _, cost, _| *cost,
        algorithm = "gcra",
        key = "window",
        limitra = limits,
    )]
    async fn create_post(requests: u64, window: u64, cost: u64, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let limits = LimitraConfig::new().clock(ManualClock::new()).build().unwrap();
    let numbers =
        [0, 1, 2, 1000, u64::from(u32::MAX), 3_155_760_000, 1 << 53, i64::MAX.unsigned_abs(), u64::MAX];
    for requests in numbers {
        for window in numbers {
            for cost in numbers {
                let answer = create_post(requests, window, cost, &limits).await;
                let place = format!("{requests} {window} {cost}: {answer:?}");
                if window == 0 || window > 3_155_760_000 {
                    assert!(matches!(answer, Err(Error::Function { .. })), "{place}");
                } else if requests == 0 && cost > 0 {
                    assert!(matches!(answer, Err(Error::RateLimitExceeded(_))), "{place}");
                } else if cost > requests.min(Limit::MAX_AMOUNT) {
                    assert!(matches!(answer, Err(Error::CostAboveLimit { .. })), "{place}");
                } else {
                    assert!(matches!(answer, Ok(()) | Err(Error::RateLimitExceeded(_))), "{place}");
                }
            }
        }
    }
}

#[test]
fn a_megabyte_of_nonsense_is_refused_at_once() {
    let started = Instant::now();
    for piece in ["a", "_-", "sliding_window", "１", "1/0 second ", "\0", "://", "@", "%", "é"] {
        let nonsense = piece.repeat((1 << 20) / piece.len());
        assert!(nonsense.parse::<Algorithm>().is_err());
        assert!(nonsense.parse::<Backend>().is_err());
        assert!(LimitraConfig::new().redis_url(&nonsense).build().is_err());
        assert!(LimitraConfig::new().redis_url(format!("redis://{nonsense}:{nonsense}")).build().is_err());
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn a_megabyte_as_a_url_of_any_scheme_is_read_in_linear_time() {
    for scheme in [
        "memory",
        "redis",
        "redis+cluster",
        "redis+sentinel",
        "memcached",
        "mongodb",
        "etcd",
        "postgres",
        "?",
    ] {
        for piece in ["a", ",h:1", "@", ":", "%", "&a=b", "/", "[", "é"] {
            let url = format!("{scheme}://{}", piece.repeat((1 << 20) / piece.len()));
            let started = Instant::now();
            let _opened_or_not = limitra::storage::from_url(&url, ());
            assert!(started.elapsed() < Duration::from_secs(10), "{scheme} {piece}: {:?}", started.elapsed());
        }
    }
}
