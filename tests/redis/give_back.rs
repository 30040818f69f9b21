//! Giving back is one command, and leaves records as small and as short-lived as without the charge.

use std::time::Duration;

use limitra::{
    Algorithm, AnyStorage, ManualClock, Micros, RedisStorage, StorageErrorKind, check_all, give_back_all,
};
use limitra_tests::{Proxy, ProxyMode, RedisServer};
use tokio::task::JoinSet;

use crate::monitor::Monitor;
use crate::stage::{HOUR, Look, fresh, kind, limit, limiter, storage_at};

#[tokio::test]
async fn it_is_one_command_whatever_the_number_of_rules_and_subjects() {
    let server = RedisServer::start();
    let storage = storage_at(&server.url());
    for algorithm in Algorithm::ALL {
        let one = limiter(&storage, *algorithm, 9);
        let limits = (1..=4).map(|rule| limit(9, HOUR * rule));
        let four = fresh(&storage).algorithm(*algorithm).limits(limits).build().unwrap();
        let charges = || [one.of("ada"), four.of("acme").cost(2)];
        for _ in 0..2 {
            let decision = check_all(charges()).await.unwrap();
            let mut monitor = Monitor::start(&server);
            assert!(give_back_all(charges(), decision).await.unwrap());
            let asked = monitor.look().asked;
            // The first time the server has not seen the script.
            assert!(asked == ["evalsha"] || asked == ["evalsha", "eval"], "{algorithm}: {asked:?}");
        }
        let decision = one.check("ada").await.unwrap();
        let mut monitor = Monitor::start(&server);
        assert!(one.give_back("ada", decision.clone()).await.unwrap());
        assert_eq!(monitor.look().asked, ["evalsha"]);
        // Nothing is left of it, so nothing is written.
        assert!(!one.give_back("ada", decision).await.unwrap());
        let called = monitor.look().called;
        assert!(!called.iter().any(|name| matches!(&**name, "set" | "unlink" | "pexpire")), "{called:?}");
        let refused = one.test_cost("ada", 9).await.unwrap();
        monitor.look();
        assert!(!one.give_back("ada", refused).await.unwrap());
        assert_eq!(monitor.look().asked, [""; 0], "a test was given back");
    }
}

#[tokio::test]
async fn a_record_that_comes_to_nothing_is_deleted_and_any_other_is_as_it_was() {
    let server = RedisServer::start();
    let (storage, mut look) = (storage_at(&server.url()), Look::at(&server));
    for algorithm in Algorithm::ALL {
        // Amounts of both forms of a record, and several rules.
        for limits in
            [vec![limit(9, HOUR)], vec![limit(1 << 40, HOUR)], vec![limit(9, HOUR), limit(99, HOUR * 2)]]
        {
            let clock = ManualClock::new();
            let limiter = fresh(&storage).algorithm(*algorithm).limits(limits).clock(clock.clone());
            let limiter = limiter.build().unwrap();
            let key = limiter.key("ada");
            let first = limiter.check_cost("ada", 2).await.unwrap();
            let (bytes, ttl) = (look.value(&key), look.pttl(&key));
            // An elastic end moves, and a large bucket has drained by then.
            if *algorithm != Algorithm::FixedWindowElasticExpiry && !algorithm.is_bucket() {
                clock.advance(Duration::from_millis(1));
            }
            let second = limiter.check_cost("ada", 3).await.unwrap();
            assert!(limiter.give_back("ada", second).await.unwrap());
            let after = look.value(&key);
            assert_eq!(after, bytes, "{algorithm}");
            let left = look.pttl(&key);
            // The server's time goes on, the limiter's stands still.
            assert!(left > 0 && left < ttl + 60_000, "{algorithm}: {left} ms to live, before {ttl}");
            assert!(limiter.give_back("ada", first).await.unwrap());
            assert!(!look.exists(&key), "{algorithm}");
        }
    }
}

#[tokio::test]
async fn a_script_that_the_server_has_lost_is_sent_again_and_run_once() {
    let server = RedisServer::start();
    let (storage, mut look) = (storage_at(&server.url()), Look::at(&server));
    let limiter = limiter(&storage, Algorithm::SlidingWindow, 9);
    for _ in 0..2 {
        let decision = limiter.check_cost("ada", 2).await.unwrap();
        limiter.check_cost("ada", 2).await.unwrap();
        let _: String = look.run(&["SCRIPT", "FLUSH"]);
        assert!(limiter.give_back("ada", decision).await.unwrap());
    }
    assert_eq!(limiter.usage("ada").await.unwrap().remaining, 5);
}

#[tokio::test]
async fn what_is_not_limitras_is_an_error_and_left_alone() {
    let server = RedisServer::start();
    let (storage, mut look) = (storage_at(&server.url()), Look::at(&server));
    for algorithm in Algorithm::ALL {
        let limiter = limiter(&storage, *algorithm, 9);
        let key = limiter.key("ada");
        for (value, expected) in [
            (&b"somebody else's"[..], StorageErrorKind::ForeignValue),
            (b"LR\x09\x01", StorageErrorKind::OtherVersion),
        ] {
            let decision = limiter.check("ada").await.unwrap();
            look.set(&key, value);
            assert_eq!(kind(limiter.give_back("ada", decision).await), expected, "{algorithm}");
            assert_eq!(look.value(&key), value);
            limiter.reset("ada").await.unwrap();
        }
    }
}

#[tokio::test]
async fn an_outage_is_an_error_whatever_the_policy_and_keeps_the_charge() {
    let server = RedisServer::start();
    let hasty = limitra::RedisStorage::builder().url(server.url());
    let hasty = hasty.response_timeout(Duration::from_millis(200)).build().unwrap();
    let limiter = fresh(&hasty.into()).limit(limit(9, HOUR)).fail_open(true).build().unwrap();
    let decision = limiter.check("ada").await.unwrap();
    server.pause();
    assert_eq!(kind(limiter.give_back("ada", decision).await), StorageErrorKind::Timeout);
    assert_eq!(limiter.outages(), 1);
    let degraded = limiter.check("ada").await.unwrap();
    assert!(degraded.is_degraded());
    // Nothing was charged, so nothing is asked.
    assert!(!limiter.give_back("ada", degraded).await.unwrap());
    server.resume();
}

/// A log far larger than one look shows.
#[tokio::test]
async fn a_unit_in_the_middle_of_a_large_log_goes_and_no_other() {
    let server = RedisServer::start();
    let clock = ManualClock::new();
    let limiter = fresh(&storage_at(&server.url())).algorithm(Algorithm::MovingWindow);
    let limiter = limiter.limit(limit(1000, HOUR)).clock(clock.clone()).build().unwrap();
    let mut decisions = Vec::new();
    for _ in 0..500 {
        clock.advance(Duration::from_millis(1));
        decisions.push(limiter.check("ada").await.unwrap());
    }
    let newest = decisions.pop().unwrap();
    for decision in decisions.into_iter().step_by(2) {
        assert!(limiter.give_back("ada", decision).await.unwrap());
    }
    assert!(limiter.give_back("ada", newest).await.unwrap());
    let left = limiter.test("ada").await.unwrap();
    assert_eq!(
        (left.remaining(), left.reset_after()),
        (1000 - 249, HOUR.checked_sub(Duration::from_millis(2)).unwrap())
    );
    assert!(limiter.check_cost("ada", 1000 - 249).await.unwrap().is_allowed());
    assert!(!limiter.allow_request("ada").await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_200_right_passwords_at_once_none_is_counted_in_the_end() {
    let server = RedisServer::start();
    for algorithm in Algorithm::ALL {
        let limiter = fresh(&storage_at(&server.url())).algorithm(*algorithm).limit(limit(5, HOUR));
        let limiter = limiter.clock(ManualClock::new()).build().unwrap();
        let mut logins = JoinSet::new();
        for _ in 0..200 {
            let limiter = limiter.clone();
            logins.spawn(async move {
                let decision = limiter.check("ada").await.unwrap();
                let is_allowed = decision.is_allowed();
                assert_eq!(limiter.give_back("ada", decision).await.unwrap(), is_allowed);
            });
        }
        logins.join_all().await;
        assert!(limiter.check_cost("ada", 5).await.unwrap().is_allowed(), "{algorithm}");
    }
}

#[tokio::test]
async fn one_whose_reply_is_lost_is_an_error_and_run_once() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let patience = Duration::from_secs(60);
    let storage = RedisStorage::builder().url(proxy.redis_url()).response_timeout(patience);
    let storage = AnyStorage::from(storage.build().unwrap());
    for algorithm in Algorithm::ALL {
        let limiter = limiter(&storage, *algorithm, 9);
        let [first, second] = [(); 2].map(|()| limiter.check_cost("ada", 2));
        // The first one brings the script.
        let (first, second) = (first.await.unwrap(), second.await.unwrap());
        assert!(limiter.give_back("ada", first).await.unwrap());
        limiter.check_cost("ada", 3).await.unwrap();
        proxy.set(ProxyMode::DropReplyTo(b"EVALSHA"));
        server.forget_counts();
        assert_eq!(kind(limiter.give_back("ada", second).await), StorageErrorKind::Unavailable);
        assert_eq!(server.command_counts()["evalsha"], 1, "{algorithm}");
        proxy.set(ProxyMode::Pass);
        assert_eq!(limiter.usage("ada").await.unwrap().remaining, 6, "{algorithm}");
    }
}

#[tokio::test]
async fn what_has_left_a_log_does_not_come_back_when_the_newest_is_given_back() {
    let server = RedisServer::start();
    let (storage, mut look) = (storage_at(&server.url()), Look::at(&server));
    let clock = ManualClock::new();
    let limiter = fresh(&storage).algorithm(Algorithm::MovingWindow).limit(limit(3, HOUR));
    let limiter = limiter.clock(clock.clone()).build().unwrap();
    for _ in 0..2 {
        clock.advance(Duration::from_millis(1));
        assert!(limiter.allow_request("ada").await.unwrap());
    }
    // Both have left, and the newest takes the place of one.
    clock.advance(HOUR);
    let newest = limiter.check_cost("ada", 3).await.unwrap();
    // The clock steps back into the window of the other.
    clock.set(Micros::new(clock.now().get() - 1));
    assert!(limiter.give_back("ada", newest).await.unwrap());
    assert_eq!(limiter.usage("ada").await.unwrap().remaining, 3);
    assert!(!look.exists(&limiter.key("ada")));
}
