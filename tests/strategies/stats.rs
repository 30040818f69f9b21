//! Statistics: what is left, and from when on more is.

use std::time::{Duration, SystemTime};

use limitra::Algorithm;
use limitra::strategies::{Strategy, WindowStats};

use crate::stage::{limit, redis, stopped, storages};

#[tokio::test]
async fn what_is_fresh_or_free_again_is_reset_now() {
    for storage in storages() {
        for algorithm in Algorithm::ALL {
            let (strategy, clock) = stopped(*algorithm, &storage);
            let limit = limit("7 per 10 seconds");
            let fresh = WindowStats { reset_time: clock.now().to_system_time(), remaining: 7 };
            assert_eq!(strategy.window_stats(&limit, "ada").await.unwrap(), fresh, "{algorithm}");
            assert!(strategy.hit_cost(&limit, "ada", 7).await.unwrap());
            clock.advance(Duration::from_secs(20));
            let free = WindowStats { reset_time: clock.now().to_system_time(), remaining: 7 };
            assert_eq!(strategy.window_stats(&limit, "ada").await.unwrap(), free, "{algorithm}");
        }
    }
}

#[tokio::test]
async fn a_bucket_is_reset_when_its_next_whole_unit_is_there() {
    for storage in storages() {
        for algorithm in [Algorithm::TokenBucket, Algorithm::LeakyBucket, Algorithm::Gcra] {
            let (strategy, clock) = stopped(algorithm, &storage);
            let limit = limit("3 per 10 seconds");
            let start = clock.now().to_system_time();
            assert!(strategy.hit_cost(&limit, "ada", 3).await.unwrap());
            clock.advance(Duration::from_secs(1));
            let stats = strategy.window_stats(&limit, "ada").await.unwrap();
            // A third of 10 s, rounded up to the microsecond.
            assert_eq!(
                stats,
                WindowStats { reset_time: start + Duration::from_micros(3_333_334), remaining: 0 }
            );
            clock.set(stats.reset_time);
            let stats = strategy.window_stats(&limit, "ada").await.unwrap();
            assert_eq!(
                stats,
                WindowStats { reset_time: start + Duration::from_micros(6_666_667), remaining: 1 }
            );
        }
    }
}

#[tokio::test]
async fn without_a_clock_of_the_test_the_servers_own_says_when() {
    let redis = redis();
    let strategy = Strategy::new(Algorithm::MovingWindow, &redis);
    let limit = limit("2/hour");
    let before = SystemTime::now();
    assert!(strategy.hit(&limit, "ada").await.unwrap());
    let after = SystemTime::now();
    let (reset_time, remaining) = strategy.window_stats(&limit, "ada").await.unwrap().into();
    let hour = Duration::from_secs(3600);
    // The server is on this machine; its clock counts microseconds, rounded down.
    assert!(reset_time + Duration::from_micros(1) >= before + hour && reset_time <= after + hour);
    assert_eq!(remaining, 1);
}
