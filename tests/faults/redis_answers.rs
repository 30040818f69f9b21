//! A Redis that answers, and has forgotten, has no room or knows nobody.

use limitra_tests::RedisServer;

use crate::load::{Load, POLICIES, SCARCE};
use crate::seen::hold;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_flushed_again_and_again_cost_no_decision_and_no_count() {
    let server = RedisServer::start();
    let load = Load::start_patient(&server.url(), &["error"]);
    load.is_felt().await;
    load.strike();
    for _ in 0..30 {
        server.cli(&["SCRIPT", "FLUSH"]);
        load.is_decided(20).await;
    }
    load.heal();
    load.is_over().await;
    let sides = load.end().await;
    hold("SCRIPT FLUSH, 30 times", "Redis", &sides, 0).await;
    for side in sides {
        let counted = side.plenty.usage("ada").await.unwrap().count;
        let seen = side.seen.lock().unwrap();
        assert_eq!(seen.outages_ever, 0);
        assert_eq!((seen.scarce_admitted, seen.asked), (SCARCE, counted));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_flush_of_all_data_under_load_admits_one_more_limit_at_most() {
    const FLUSHES: u64 = 5;
    let server = RedisServer::start();
    let load = Load::start_patient(&server.url(), &["error"]);
    load.is_felt().await;
    load.strike();
    for _ in 0..FLUSHES {
        server.cli(&["FLUSHALL"]);
        load.is_decided(300).await;
    }
    load.heal();
    load.is_over().await;
    let sides = load.end().await;
    hold("FLUSHALL, 5 times", "Redis", &sides, FLUSHES).await;
    for side in sides {
        let seen = side.seen.lock().unwrap();
        assert_eq!(seen.outages_ever, 0);
        // Each of them was felt, and bounded.
        assert_eq!(seen.scarce_admitted, SCARCE * (1 + FLUSHES));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_without_room_answers_by_the_policy_where_it_must_write_and_still_refuses() {
    let server = RedisServer::builder().setting("maxmemory-policy", "noeviction").start();
    let load = Load::start_patient(&server.url(), &POLICIES);
    load.is_felt().await;
    load.strike();
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    load.is_an_outage().await;
    // Who is refused is refused by the storage, and a peek is answered: neither writes.
    for side in load.sides() {
        let refused = side.scarce.check("ada").await.unwrap();
        assert!(!refused.is_allowed() && !refused.is_degraded(), "{}", side.policy);
        let peek = side.plenty.test("ada").await.unwrap();
        assert!(peek.is_allowed() && !peek.is_degraded(), "{}", side.policy);
        // It answers, so it is not left alone.
        assert!(side.is_well(), "{}", side.policy);
    }
    server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    load.heal();
    load.is_over().await;
    let sides = load.end().await;
    hold("maxmemory reached, no eviction", "Redis", &sides, 0).await;
    for side in sides {
        let seen = side.seen.lock().unwrap();
        assert_eq!((seen.scarce_admitted, seen.scarce_by_policy), (SCARCE, 0), "{}", side.policy);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_password_is_felt_at_the_next_connection_and_over_when_it_is_right_again() {
    let server = RedisServer::builder().password("old").start();
    let load = Load::start(&server.url());
    let mut operator = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let mut say =
        |words: &[&str]| redis::cmd(words[0]).arg(&words[1..]).query::<redis::Value>(&mut operator).unwrap();
    load.is_felt().await;
    load.strike();
    say(&["CONFIG", "SET", "requirepass", "new"]);
    // Who is connected stays.
    load.is_decided(100).await;
    say(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    load.is_an_outage().await;
    say(&["CONFIG", "SET", "requirepass", "old"]);
    load.heal();
    load.is_over().await;
    hold("password changed, connections cut", "Redis", &load.end().await, 0).await;
}
