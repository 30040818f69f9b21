//! A decision is one command.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use limitra::{Algorithm, ManualClock, RateLimiter, check_all};
use limitra_tests::RedisServer;
use tokio::task::JoinSet;

use crate::monitor::Monitor;
use crate::stage::{HOUR, Look, SECOND, fresh, limit, limiter, storage_at};

fn with_rules(storage: &limitra::AnyStorage, algorithm: Algorithm, rules: u32) -> RateLimiter {
    let limits = (1..=rules).map(|rule| limit(2, HOUR * rule));
    fresh(storage).algorithm(algorithm).limits(limits).build().unwrap()
}

#[tokio::test]
async fn a_decision_is_one_command_whatever_the_number_of_rules() {
    let server = RedisServer::start();
    let storage = storage_at(&server.url());
    for algorithm in Algorithm::ALL {
        for rules in [1, 2, 5] {
            let limiter = with_rules(&storage, *algorithm, rules);
            // The connection is made, the script loaded.
            limiter.allow_request("first").await.unwrap();
            let mut monitor = Monitor::start(&server);
            // Two allowed, one refused, one of nothing, and every way to only look.
            for _ in 0..3 {
                limiter.check("ada").await.unwrap();
                assert_eq!(monitor.look().asked, ["evalsha"], "{algorithm}, {rules} rules");
            }
            limiter.check_cost("ada", 0).await.unwrap();
            assert_eq!(monitor.look().asked, ["evalsha"]);
            limiter.test("ada").await.unwrap();
            assert_eq!(monitor.look().asked, ["evalsha"]);
            limiter.usage("ada").await.unwrap();
            assert_eq!(monitor.look().asked, ["evalsha"]);
            limiter.status("ada").await.unwrap();
            assert_eq!(monitor.look().asked, ["evalsha"]);
            limiter.wait_time("ada").await.unwrap();
            assert_eq!(monitor.look().asked, ["evalsha"]);
            limiter.reset("ada").await.unwrap();
            assert_eq!(monitor.look().asked, ["unlink"]);
        }
    }
}

#[tokio::test]
async fn a_decision_is_one_command_whatever_the_number_of_subjects() {
    let server = RedisServer::start();
    let storage = storage_at(&server.url());
    for algorithm in Algorithm::ALL {
        let one = with_rules(&storage, *algorithm, 1);
        let two = with_rules(&storage, Algorithm::Gcra, 2);
        let three = with_rules(&storage, Algorithm::MovingWindow, 5);
        let ask_three = || async {
            check_all([one.of("ada"), two.of("acme"), three.of("all")]).await.unwrap();
        };
        check_all([one.of("eve"), two.of("evil")]).await.unwrap();
        one.check("eve").await.unwrap();
        let mut monitor = Monitor::start(&server);
        for _ in 0..3 {
            ask_three().await;
            assert_eq!(monitor.look().asked, ["evalsha"], "{algorithm}");
        }
        check_all([one.of("ada")]).await.unwrap();
        assert_eq!(monitor.look().asked, ["evalsha"], "{algorithm}");
    }
}

#[tokio::test]
async fn one_look_shows_the_records_of_many_and_each_is_written_once() {
    let server = RedisServer::start();
    let storage = storage_at(&server.url());
    for algorithm in Algorithm::ALL.iter().filter(|algorithm| **algorithm != Algorithm::MovingWindow) {
        let limiter = limiter(&storage, *algorithm, 9);
        limiter.check_many(["ada", "bob", "eve"]).await;
        let mut monitor = Monitor::start(&server);
        for _ in 0..8 {
            for decision in limiter.check_many(["ada", "bob", "eve"]).await {
                assert!(decision.unwrap().is_allowed(), "{algorithm}");
            }
            let called = monitor.look().called;
            let (looks, writes) = called.split_at(2);
            assert_eq!(looks, ["time", "mget"], "{algorithm}");
            assert_eq!(writes.len(), 3, "{algorithm}: {writes:?}");
            assert!(writes.iter().all(|write| ["set", "setrange"].contains(&write.as_str())), "{writes:?}");
        }
        // What is written for the first one of a name is to be seen by the next.
        limiter.check_many(["dan", "dan"]).await;
        assert_eq!(monitor.look().called[..2], ["time", "get"], "{algorithm}");
    }
}

#[tokio::test]
async fn an_allowed_hit_is_one_look_and_one_write() {
    let server = RedisServer::start();
    let storage = storage_at(&server.url());
    for algorithm in Algorithm::ALL {
        let limiter = limiter(&storage, *algorithm, 9);
        limiter.allow_request("ada").await.unwrap();
        let mut monitor = Monitor::start(&server);
        for _ in 0..8 {
            assert!(limiter.allow_request("ada").await.unwrap());
            let read = if *algorithm == Algorithm::MovingWindow { "getrange" } else { "get" };
            let called = monitor.look().called;
            let writes = [["time", read, "setrange"], ["time", read, "set"]];
            assert!(writes.iter().any(|write| called == *write), "{algorithm}: {called:?}");
        }
    }
}

#[tokio::test]
async fn a_peek_calls_nothing_that_writes() {
    let server = RedisServer::start();
    let storage = storage_at(&server.url());
    let mut look = Look::at(&server);
    for algorithm in Algorithm::ALL {
        for rules in [1, 2] {
            let limiter = with_rules(&storage, *algorithm, rules);
            let mut monitor = Monitor::start(&server);
            // On nothing, on a record that is exceeded, on one without a time to live.
            assert!(limiter.test("ada").await.unwrap().is_allowed());
            assert!(!look.exists(&limiter.key("ada")));
            assert!(limiter.allow_request("ada").await.unwrap());
            assert!(limiter.allow_request("ada").await.unwrap());
            look.run::<()>(&["PERSIST", &limiter.key("ada")]);
            monitor.look();
            assert!(!limiter.test("ada").await.unwrap().is_allowed());
            let called = monitor.look().called;
            let reads = ["time", "get", "getrange", "strlen"];
            assert!(called.iter().all(|name| reads.contains(&name.as_str())), "{algorithm}: {called:?}");
            assert_eq!(look.pttl(&limiter.key("ada")), -1);
        }
    }
}

#[tokio::test]
async fn a_script_that_the_server_has_lost_is_sent_again_and_counted_once() {
    let server = RedisServer::start();
    let storage = storage_at(&server.url());
    for algorithm in Algorithm::ALL {
        let limiter = limiter(&storage, *algorithm, 3);
        assert!(limiter.allow_request("ada").await.unwrap());
        server.cli(&["SCRIPT", "FLUSH"]);
        assert!(limiter.allow_request("ada").await.unwrap());
        assert_eq!(limiter.usage("ada").await.unwrap().count, 2, "{algorithm}");
        assert_eq!(limiter.outages(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_that_race_with_script_flush_see_no_error_and_admit_exactly_the_limit() {
    const TASKS: u64 = 50;
    let server = RedisServer::start();
    let storage = storage_at(&server.url());
    for algorithm in [Algorithm::SlidingWindow, Algorithm::MovingWindow, Algorithm::TokenBucket] {
        let limits = [limit(300, HOUR), limit(1000, HOUR * 2)];
        let clock = ManualClock::new();
        let limiter = fresh(&storage).algorithm(algorithm).limits(limits).clock(clock).build().unwrap();
        let (flushes, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let other = std::thread::spawn({
            let (mut look, flushes, is_over) = (Look::at(&server), flushes.clone(), is_over.clone());
            move || {
                while !is_over.load(Ordering::SeqCst) {
                    look.run::<()>(&["SCRIPT", "FLUSH"]);
                    flushes.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        let mut running = JoinSet::new();
        for _ in 0..TASKS {
            let (limiter, flushes) = (limiter.clone(), flushes.clone());
            running.spawn(async move {
                let (mut admitted, mut asked) = (0, 0);
                // However slowly the other thread gets its turn.
                while asked < 10 || flushes.load(Ordering::SeqCst) < 20 {
                    admitted += u64::from(limiter.allow_request("ada").await.unwrap());
                    asked += 1;
                }
                admitted
            });
        }
        let admitted: u64 = running.join_all().await.into_iter().sum();
        is_over.store(true, Ordering::SeqCst);
        other.join().unwrap();
        assert_eq!(admitted, 300, "{algorithm}");
        assert_eq!(limiter.outages(), 0);
    }
}

#[tokio::test]
async fn resp3_decides_like_resp2() {
    let server = RedisServer::start();
    for protocol in ["", "?protocol=resp2", "?protocol=resp3"] {
        let storage = storage_at(&format!("{}{protocol}", server.url()));
        let limits = [limit(2, HOUR), limit(5, SECOND * 7200)];
        let limiter = fresh(&storage).limits(limits).build().unwrap();
        let mut allowed = Vec::new();
        for _ in 0..3 {
            allowed.push(limiter.allow_request("ada").await.unwrap());
        }
        assert_eq!(allowed, [true, true, false], "{protocol}");
    }
}

#[tokio::test]
async fn the_server_keeps_no_more_scripts_than_there_are_algorithms_and_two() {
    let server = RedisServer::start();
    let storage = storage_at(&server.url());
    for algorithm in Algorithm::ALL {
        for rules in 1..=4 {
            let limiter = with_rules(&storage, *algorithm, rules);
            let other = with_rules(&storage, Algorithm::Gcra, rules);
            limiter.check("ada").await.unwrap();
            limiter.test_cost("bob", 2).await.unwrap();
            check_all([limiter.of("ada"), other.of("acme").cost(2)]).await.unwrap();
        }
    }
    let scripts = Look::at(&server).info("memory", "number_of_cached_scripts");
    assert_eq!(scripts, Algorithm::ALL.len() as u64 + 2);
}
