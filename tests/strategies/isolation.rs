//! Who shares a counter: nobody who differs in anything.

use limitra::strategies::Strategy;
use limitra::{Algorithm, AnyStorage, Identifier, ManualClock, MemoryStorage, RateLimit};

use crate::stage::{limit, stopped, storages};

async fn spend(strategy: &Strategy, limit: &RateLimit, who: Vec<Identifier<'_>>) -> bool {
    strategy.hit(limit, who).await.unwrap()
}

#[tokio::test]
async fn what_differs_in_limit_namespace_identifiers_or_strategy_never_shares_a_counter() {
    for storage in storages() {
        let limits = [
            limit("1/minute"),
            limit("1/minute"),
            limit("1/60 seconds"),
            limit("1/2 minutes"),
            limit("1/hour"),
        ];
        let burst = limits[0].clone().with_burst(1).unwrap();
        let who: Vec<Vec<Identifier<'_>>> = vec![
            vec![],
            vec!["".into()],
            vec!["".into(), "".into()],
            vec!["a".into()],
            vec!["a".into(), "b".into()],
            vec!["b".into(), "a".into()],
            vec!["a/b".into()],
            vec!["a%2Fb".into()],
            vec!["a".into(), "".into()],
            vec!["1".into(), "1".into(), "minute".into()],
            vec!["burst".into(), "1".into()],
            vec!["x".repeat(2000).into()],
            vec!["x".repeat(2001).into()],
            (0..200).map(Identifier::from).collect(),
            (0..201).map(Identifier::from).collect(),
        ];
        for algorithm in Algorithm::ALL {
            let (strategy, _clock) = stopped(*algorithm, &storage);
            let limits = limits.iter().chain(algorithm.is_bucket().then_some(&burst));
            for limit in limits {
                for who in &who {
                    assert!(spend(&strategy, limit, who.clone()).await, "{algorithm} {limit} {who:?}");
                }
                for who in &who {
                    assert!(!spend(&strategy, limit, who.clone()).await, "{algorithm} {limit} {who:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn equal_limits_of_one_namespace_share_a_counter_whoever_asks() {
    for storage in storages() {
        let (strategy, clock) = stopped(Algorithm::MovingWindow, &storage);
        let other = Strategy::new(Algorithm::MovingWindow, &storage).with_clock(clock);
        let limit = limit("1/minute");
        let same = RateLimit::per_minute(1).unwrap().with_namespace(limit.namespace().to_owned());
        assert!(strategy.hit(&limit, ("user", 7)).await.unwrap());
        assert!(!other.hit(&same, ["user", "7"]).await.unwrap());
    }
}

#[tokio::test]
async fn clear_forgets_one_counter_and_no_other() {
    for storage in storages() {
        let limit = limit("1/minute");
        let another = limit.clone().every(2).unwrap();
        let strategies: Vec<Strategy> =
            Algorithm::ALL.iter().map(|algorithm| stopped(*algorithm, &storage).0).collect();
        for strategy in &strategies {
            for limit in [&limit, &another] {
                for who in ["ada", "bob"] {
                    assert!(strategy.hit(limit, who).await.unwrap());
                }
            }
        }
        for strategy in &strategies {
            strategy.clear(&limit, "ada").await.unwrap();
            strategy.clear(&limit, "nobody").await.unwrap();
            assert!(strategy.test(&limit, "ada").await.unwrap());
            assert!(!strategy.test(&limit, "bob").await.unwrap());
            assert!(!strategy.test(&another, "ada").await.unwrap());
            assert!(strategy.hit(&limit, "ada").await.unwrap());
        }
        for strategy in &strategies {
            assert!(
                !strategy.test(&limit, "ada").await.unwrap(),
                "a clear of another strategy was not its own"
            );
        }
    }
}

#[test]
fn a_key_is_the_limits_with_the_strategys_name_and_bounded() {
    let memory: AnyStorage = MemoryStorage::new().into();
    let strategy = Strategy::new(Algorithm::MovingWindow, &memory).with_clock(ManualClock::new());
    let limit = RateLimit::per_minute(10).unwrap();
    assert_eq!(strategy.key(&limit, ("search", 7)), "LIMITER/search/7/10/1/minute/moving-window");
    assert_eq!(strategy.key(&limit, ()), "LIMITER/10/1/minute/moving-window");
    let (long, longer) = (vec!["ü"; 400], vec!["ü"; 401]);
    let (long, longer) = (strategy.key(&limit, &long), strategy.key(&limit, &longer));
    assert!(long != longer && long.len() <= 600 && longer.len() <= 600, "{long}");
}

#[tokio::test]
async fn the_record_of_a_strategy_expires_like_any_other() {
    let redis = crate::stage::redis();
    let client = redis::Client::open(limitra_tests::shared().url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    for algorithm in Algorithm::ALL {
        let strategy = Strategy::new(*algorithm, &redis);
        let limit = limit("5/hour");
        assert!(strategy.hit(&limit, "ada").await.unwrap());
        let key = strategy.key(&limit, "ada");
        let left: i64 = redis::cmd("PTTL").arg(&key).query_async(&mut connection).await.unwrap();
        // Two windows, a 32nd of one and a second: see law 10 of the design.
        assert!(
            (1..=(2 * 32 + 1) * 3_600_000 / 32 + 2_000).contains(&left),
            "{algorithm}: {left} ms under {key}"
        );
        strategy.window_stats(&limit, "bob").await.unwrap();
        assert!(strategy.test(&limit, "bob").await.unwrap());
        let there: bool =
            redis::cmd("EXISTS").arg(strategy.key(&limit, "bob")).query_async(&mut connection).await.unwrap();
        assert!(!there, "a test or statistics wrote");
    }
}
