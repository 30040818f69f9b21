//! What a caller gets while Redis cannot be asked, and that all is well when it can be again.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use limitra::{Algorithm, AnyStorage, RateLimiter, RedisStorage, StorageErrorKind, check_all};
use limitra_tests::{Proxy, ProxyMode, RedisServer};
use tokio::task::JoinSet;

use crate::stage::{HOUR, Look, fresh, kind, limit, limiter, storage_at};

const RESPONSE: Duration = Duration::from_millis(300);
const CONNECT: Duration = Duration::from_millis(400);
/// What a busy machine may add to a deadline.
const SLACK: Duration = Duration::from_secs(2);

fn hasty(url: &str) -> AnyStorage {
    let storage = RedisStorage::builder().url(url).response_timeout(RESPONSE).connect_timeout(CONNECT);
    storage.build().unwrap().into()
}

/// The same limiter, letting requests through in an outage.
fn open(storage: &AnyStorage) -> RateLimiter {
    fresh(storage).limit(limit(5, HOUR)).fail_open(true).build().unwrap()
}

/// An outage of this kind for one who asks, and for many at once, within the deadline; counted, and let through where that
/// is wanted.
async fn is_an_outage(storage: &AnyStorage, kinds: &[StorageErrorKind]) {
    let closed = limiter(storage, Algorithm::SlidingWindow, 5);
    let began = Instant::now();
    let found = kind(closed.check("ada").await);
    assert!(kinds.contains(&found), "{found:?}");
    assert!(began.elapsed() < RESPONSE + CONNECT + SLACK, "{:?}", began.elapsed());
    assert_eq!(closed.outages(), 1);

    let open = open(storage);
    let decision = open.check("ada").await.unwrap();
    assert!(decision.is_allowed() && decision.is_degraded());
    assert!(open.allow_request("ada").await.unwrap());
    assert!(open.test("ada").await.unwrap().is_degraded());
    assert_eq!(open.outages(), 3);
    let both = check_all([open.of("ada"), open.of("bob")]).await.unwrap();
    assert!(both.is_allowed() && both.is_degraded());
    // One that is not to be let through decides for both.
    assert!(kinds.contains(&kind(check_all([open.of("ada"), closed.of("bob")]).await)));
    // What is asked wrongly is a mistake, not an outage.
    assert!(matches!(open.check_cost("ada", 6).await, Err(limitra::Error::CostAboveLimit { .. })));
    // A reset is no decision: it is not let through.
    assert!(kinds.contains(&kind(open.reset("ada").await)));

    let began = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..200 {
        let closed = closed.clone();
        running.spawn(async move { kind(closed.check("ada").await) });
    }
    let found = running.join_all().await;
    assert!(found.iter().all(|found| kinds.contains(found)), "{found:?}");
    assert!(began.elapsed() < RESPONSE + CONNECT + SLACK, "one after another: {:?}", began.elapsed());
    assert!(storage.ping().await.is_err());
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_unavailable_at_once() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let storage = storage_at(&format!("redis://127.0.0.1:{port}"));
    let began = Instant::now();
    is_an_outage(&storage, &[StorageErrorKind::Unavailable]).await;
    assert!(began.elapsed() < SLACK);
}

#[tokio::test]
async fn a_server_that_takes_connections_and_says_nothing_is_unavailable_within_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let storage = hasty(&format!("redis://{}", listener.local_addr().unwrap()));
    is_an_outage(&storage, &[StorageErrorKind::Unavailable]).await;
}

#[tokio::test]
async fn a_server_that_stands_still_is_a_timeout_and_goes_on_by_itself() {
    let server = RedisServer::start();
    let storage = hasty(&server.url());
    let limiter = limiter(&storage, Algorithm::FixedWindow, 5);
    assert!(limiter.allow_request("ada").await.unwrap());
    server.pause();
    let began = Instant::now();
    assert_eq!(kind(limiter.allow_request("ada").await), StorageErrorKind::Timeout);
    assert!((RESPONSE..RESPONSE + SLACK).contains(&began.elapsed()), "{:?}", began.elapsed());
    // From now on no connection can be made.
    is_an_outage(&storage, &[StorageErrorKind::Unavailable, StorageErrorKind::Timeout]).await;
    server.resume();
    // What it was sent before it stood still it may have counted; nothing was sent twice.
    assert!(limiter.allow_request("ada").await.unwrap());
    let count = limiter.usage("ada").await.unwrap().count;
    assert!((2..=3).contains(&count), "{count}");
}

#[tokio::test]
async fn a_connection_that_was_given_up_in_the_making_says_nothing_to_those_who_come_later() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let limiter = limiter(&hasty(&proxy.redis_url()), Algorithm::FixedWindow, 5);
    proxy.set(ProxyMode::Blackhole);
    let asked = tokio::time::timeout(CONNECT / 10, limiter.allow_request("ada")).await;
    assert!(asked.is_err());
    proxy.set(ProxyMode::Pass);
    // Its deadline passes with nobody waiting for it.
    tokio::time::sleep(CONNECT * 2).await;
    assert!(limiter.allow_request("ada").await.unwrap());
    assert_eq!(limiter.outages(), 0);
}

#[tokio::test]
async fn the_default_deadlines_are_half_a_second_and_a_second() {
    let server = RedisServer::start();
    let limiter = limiter(&RedisStorage::from_url(&server.url()).unwrap().into(), Algorithm::FixedWindow, 5);
    assert!(limiter.allow_request("ada").await.unwrap());
    server.pause();
    let began = Instant::now();
    assert_eq!(kind(limiter.allow_request("ada").await), StorageErrorKind::Timeout);
    let answered = began.elapsed();
    assert!((Duration::from_millis(500)..Duration::from_millis(950)).contains(&answered), "{answered:?}");
    let began = Instant::now();
    assert_eq!(kind(limiter.allow_request("ada").await), StorageErrorKind::Unavailable);
    let answered = began.elapsed();
    assert!((Duration::from_secs(1)..Duration::from_millis(1500)).contains(&answered), "{answered:?}");
    server.resume();
}

#[tokio::test]
async fn a_connection_that_is_cut_before_the_request_is_an_error_that_counts_nothing() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let limiter = limiter(&hasty(&proxy.redis_url()), Algorithm::FixedWindow, 5);
    assert!(limiter.allow_request("ada").await.unwrap());
    proxy.set(ProxyMode::CutBeforeRequest);
    server.forget_counts();
    assert_eq!(kind(limiter.allow_request("ada").await), StorageErrorKind::Unavailable);
    assert_eq!(server.command_counts().get("evalsha"), None);
    proxy.set(ProxyMode::Pass);
    assert!(limiter.allow_request("ada").await.unwrap());
    assert_eq!(limiter.usage("ada").await.unwrap().count, 2);
}

#[tokio::test]
async fn a_command_whose_reply_is_lost_is_an_error_and_not_sent_again() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let storage = hasty(&proxy.redis_url());
    for algorithm in Algorithm::ALL {
        let limiter = limiter(&storage, *algorithm, 5);
        proxy.set(ProxyMode::Pass);
        assert!(limiter.allow_request("ada").await.unwrap());
        proxy.set(ProxyMode::DropReply);
        server.forget_counts();
        assert_eq!(kind(limiter.allow_request("ada").await), StorageErrorKind::Unavailable);
        assert_eq!(server.command_counts().get("evalsha"), Some(&1), "{algorithm}");
        proxy.set(ProxyMode::Pass);
        assert_eq!(limiter.usage("ada").await.unwrap().count, 2, "{algorithm}");
    }
}

#[tokio::test]
async fn a_command_whose_reply_does_not_come_is_a_timeout_and_not_sent_again() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let limiter = limiter(&hasty(&proxy.redis_url()), Algorithm::FixedWindow, 5);
    assert!(limiter.allow_request("ada").await.unwrap());
    proxy.set(ProxyMode::Blackhole);
    server.forget_counts();
    assert_eq!(kind(limiter.allow_request("ada").await), StorageErrorKind::Timeout);
    is_an_outage(&hasty(&proxy.redis_url()), &[StorageErrorKind::Unavailable]).await;
    assert_eq!(server.command_counts().get("evalsha"), None);
    proxy.set(ProxyMode::Pass);
    assert!(limiter.allow_request("ada").await.unwrap());
    assert_eq!(limiter.usage("ada").await.unwrap().count, 2);
}

#[tokio::test]
async fn two_hundred_callers_at_once_on_a_connection_that_falls_silent_are_all_answered_within_the_deadline()
{
    let server = RedisServer::start();
    let limiter = limiter(&hasty(&server.url()), Algorithm::FixedWindow, 500);
    assert!(limiter.allow_request("ada").await.unwrap());
    server.pause();
    let began = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..200 {
        let limiter = limiter.clone();
        running.spawn(async move { kind(limiter.check("ada").await) });
    }
    let found = running.join_all().await;
    assert!(found.iter().all(|found| *found == StorageErrorKind::Timeout), "{found:?}");
    assert!(began.elapsed() < RESPONSE + SLACK, "{:?}", began.elapsed());
    assert_eq!(limiter.outages(), 200);
    server.resume();
    assert!(limiter.allow_request("ada").await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_on_the_same_port_the_next_decision_is_had() {
    let mut server = RedisServer::start();
    let url = server.url();
    for url in [url.clone(), format!("{url}?protocol=resp2"), format!("{url}?protocol=resp3")] {
        let storage = storage_at(&url);
        let limiter = limiter(&storage, Algorithm::FixedWindow, 5);
        assert!(limiter.allow_request("ada").await.unwrap());
        server = tokio::task::spawn_blocking(move || {
            server.restart();
            server
        })
        .await
        .unwrap();
        if url.ends_with("resp2") {
            // By this protocol a closed connection shows only when it is used.
            let _lost = limiter.allow_request("ada").await;
        } else {
            assert!(limiter.allow_request("ada").await.unwrap(), "{url}");
            assert_eq!(limiter.outages(), 0, "{url}");
        }
        assert!(limiter.allow_request("ada").await.unwrap(), "{url}");
        assert!(storage.ping().await.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_the_server_closed_while_idle_is_made_anew_without_an_error() {
    let server = RedisServer::start();
    let mut look = Look::at(&server);
    let limiter = limiter(&storage_at(&server.url()), Algorithm::FixedWindow, 50);
    for round in 1..=5 {
        assert!(limiter.allow_request("ada").await.unwrap(), "round {round}");
        // As a server with an idle timeout does.
        look.run::<()>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        // By the time that another connection of this runtime was made and answered, the end of the first was heard.
        let client = redis::Client::open(server.url()).unwrap();
        let mut other = client.get_multiplexed_async_connection().await.unwrap();
        redis::cmd("PING").query_async::<String>(&mut other).await.unwrap();
    }
    assert_eq!(limiter.usage("ada").await.unwrap().count, 5);
    assert_eq!(limiter.outages(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_is_unavailable_and_back_when_it_is_back() {
    let mut server = RedisServer::start();
    let storage = hasty(&server.url());
    let limiter = limiter(&storage, Algorithm::FixedWindow, 5);
    assert!(limiter.allow_request("ada").await.unwrap());
    server.kill();
    is_an_outage(&storage, &[StorageErrorKind::Unavailable]).await;
    server.restart();
    assert!(limiter.allow_request("ada").await.unwrap());
    // Its memory is gone with it.
    assert_eq!(limiter.usage("ada").await.unwrap().count, 1);
}

#[tokio::test]
async fn callers_who_wait_for_no_deadline_keep_no_dead_connection_in_use() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let limiter = limiter(&hasty(&proxy.redis_url()), Algorithm::FixedWindow, 500);
    limiter.check("first").await.unwrap();
    // The connection is there, and nothing comes by it any more.
    proxy.set(ProxyMode::Forget);
    let mut decided = 0;
    for _ in 0..100 {
        decided += u64::from(tokio::time::timeout(RESPONSE / 6, limiter.check("ada")).await.is_ok());
    }
    assert!(decided > 0, "nobody was answered any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_under_load_costs_errors_and_nothing_else() {
    let mut server = RedisServer::start();
    let limiter = limiter(&hasty(&server.url()), Algorithm::FixedWindow, 1_000_000);
    assert!(limiter.allow_request("ada").await.unwrap());
    let mut running = JoinSet::new();
    for _ in 0..50 {
        let limiter = limiter.clone();
        running.spawn(async move {
            let mut errors = 0;
            // Until the outage was seen and is over.
            loop {
                match limiter.check("ada").await {
                    Ok(_) if errors > 0 => return,
                    Ok(_) => {}
                    Err(_) => errors += 1,
                }
                tokio::task::yield_now().await;
            }
        });
    }
    let _server = tokio::task::spawn_blocking(move || {
        server.kill();
        std::thread::sleep(CONNECT);
        server.restart();
        server
    })
    .await
    .unwrap();
    let finished = tokio::time::timeout(Duration::from_secs(30), running.join_all()).await;
    assert!(finished.is_ok(), "some task never got over it");
}

#[tokio::test]
async fn a_dropped_decision_leaves_the_record_whole_and_the_connection_in_use() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let storage = storage_at(&proxy.redis_url());
    let mut look = Look::at(&server);
    let one = fresh(&storage).limits([limit(500, HOUR), limit(900, HOUR * 2)]).build().unwrap();
    let other = limiter(&storage, Algorithm::MovingWindow, 500);
    assert!(check_all([one.of("ada"), other.of("all")]).await.unwrap().is_allowed());
    let connections = look.connections_ever();
    proxy.set(ProxyMode::Delay(Duration::from_millis(3)));
    for micros in 0..60_u64 {
        let asked = check_all([one.of("ada"), other.of("all")]);
        tokio::select! {
            biased;
            () = tokio::time::sleep(Duration::from_micros(micros * 100)) => {}
            decision = asked => assert!(decision.unwrap().is_allowed()),
        }
    }
    proxy.set(ProxyMode::Pass);
    // Answered behind all that was given up.
    let left = one.test("ada").await.unwrap();
    let spent: Vec<u64> = left.rules().iter().map(|rule| rule.limit().amount() - rule.remaining()).collect();
    assert_eq!(spent[0], spent[1]);
    assert_eq!(spent[0], other.usage("all").await.unwrap().count);
    assert!((1..=61).contains(&spent[0]), "{spent:?}");
    assert_eq!(look.connections_ever(), connections);
    assert_eq!(one.outages(), 0);
}

#[tokio::test]
async fn a_server_that_was_flushed_forgets_one_window_and_no_more() {
    let server = RedisServer::start();
    let storage = storage_at(&server.url());
    for algorithm in Algorithm::ALL {
        let limiter = limiter(&storage, *algorithm, 3);
        for flush in ["FLUSHDB", "FLUSHALL"] {
            assert!(limiter.check_cost("ada", 3).await.unwrap().is_allowed());
            assert!(!limiter.allow_request("ada").await.unwrap());
            server.cli(&[flush]);
        }
        assert!(limiter.check_cost("ada", 3).await.unwrap().is_allowed());
        assert!(!limiter.allow_request("ada").await.unwrap(), "{algorithm}");
        assert_eq!(limiter.outages(), 0);
    }
}

#[tokio::test]
async fn a_demoted_server_is_unavailable_and_writes_nothing_until_it_is_promoted() {
    let server = RedisServer::start();
    let mut look = Look::at(&server);
    let storage = storage_at(&server.url());
    for algorithm in Algorithm::ALL {
        let limiter = limiter(&storage, *algorithm, 5);
        assert!(limiter.allow_request("ada").await.unwrap());
        let before = look.dump(&limiter.key("ada"));
        // Of a master that is not there: its own data stay.
        look.run::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
        assert_eq!(kind(limiter.allow_request("ada").await), StorageErrorKind::Unavailable, "{algorithm}");
        assert_eq!(look.dump(&limiter.key("ada")), before, "{algorithm}");
        look.run::<()>(&["REPLICAOF", "NO", "ONE"]);
        assert!(limiter.allow_request("ada").await.unwrap(), "{algorithm}");
        assert_eq!(limiter.usage("ada").await.unwrap().count, 2, "{algorithm}");
    }
}

#[tokio::test]
async fn a_server_that_takes_no_more_clients_is_unavailable() {
    let server = RedisServer::start();
    let mut look = Look::at(&server);
    let limiter = limiter(&storage_at(&server.url()), Algorithm::FixedWindow, 5);
    look.run::<()>(&["CONFIG", "SET", "maxclients", "1"]);
    assert_eq!(kind(limiter.allow_request("ada").await), StorageErrorKind::Unavailable);
    look.run::<()>(&["CONFIG", "SET", "maxclients", "100"]);
    assert!(limiter.allow_request("ada").await.unwrap());
}
