//! One connection for each runtime, whatever it is made from.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use deadpool_redis::{Config, Runtime as PoolRuntime};
use limitra::{Algorithm, AnyStorage, RateLimiter, RedisClient, RedisStorage, StorageErrorKind};
use limitra_tests::{Proxy, ProxyMode, RedisServer};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::monitor::Monitor;
use crate::stage::{Look, kind, limiter, storage_at};

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Waits until the server has so many connections: it hears of a closed one a little later.
fn wait_for_connections(look: &mut Look, expected: usize) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while look.connections() != expected {
        assert!(Instant::now() < deadline, "{} connections, not {expected}", look.connections());
        std::thread::yield_now();
    }
}

#[test]
fn two_runtimes_in_sequence_each_have_a_connection_of_their_own() {
    let server = RedisServer::start();
    let mut look = Look::at(&server);
    let limiter = limiter(&storage_at(&server.url()), Algorithm::FixedWindow, 10);
    for count in 1..=4 {
        let runtime = if count % 2 == 0 { current_thread() } else { multi_thread() };
        assert!(runtime.block_on(limiter.allow_request("ada")).unwrap());
        assert_eq!(runtime.block_on(limiter.usage("ada")).unwrap().count, count);
        assert_eq!(look.connections(), 1);
        drop(runtime);
        wait_for_connections(&mut look, 0);
    }
    assert_eq!(limiter.outages(), 0);
}

#[test]
fn two_runtimes_at_once_each_have_a_connection_of_their_own() {
    let server = RedisServer::start();
    let mut look = Look::at(&server);
    let before = look.connections_ever();
    let limiter = limiter(&storage_at(&server.url()), Algorithm::FixedWindow, 1000);
    std::thread::scope(|scope| {
        let ask = |runtime: Runtime| {
            let limiter = limiter.clone();
            move || {
                for _ in 0..100 {
                    assert!(runtime.block_on(limiter.allow_request("ada")).unwrap());
                }
                runtime
            }
        };
        let one = scope.spawn(ask(multi_thread()));
        let other = scope.spawn(ask(current_thread()));
        let runtimes = (one.join().unwrap(), other.join().unwrap());
        assert_eq!(look.connections(), 2);
        assert_eq!(runtimes.0.block_on(limiter.usage("ada")).unwrap().count, 200);
    });
    assert_eq!(look.connections_ever() - before, 2);
}

#[test]
fn a_runtime_on_each_core_of_a_large_machine_keeps_its_connection() {
    const RUNTIMES: usize = 130;
    let server = RedisServer::start();
    let mut look = Look::at(&server);
    let before = look.connections_ever();
    let limiter = limiter(&storage_at(&server.url()), Algorithm::FixedWindow, 1000);
    let runtimes: Vec<Runtime> = (0..RUNTIMES).map(|_| current_thread()).collect();
    for _ in 0..3 {
        for runtime in &runtimes {
            assert!(runtime.block_on(limiter.allow_request("ada")).unwrap());
        }
    }
    assert_eq!(look.connections(), RUNTIMES);
    assert_eq!(look.connections_ever() - before, RUNTIMES as u64);
}

#[test]
fn many_runtimes_one_after_another_leave_no_connection_behind() {
    let server = RedisServer::start();
    let mut look = Look::at(&server);
    let limiter = limiter(&storage_at(&server.url()), Algorithm::FixedWindow, 5000);
    for _ in 0..300 {
        assert!(current_thread().block_on(limiter.allow_request("ada")).unwrap());
    }
    assert_eq!(current_thread().block_on(limiter.usage("ada")).unwrap().count, 300);
    wait_for_connections(&mut look, 0);
}

#[test]
fn a_runtime_that_is_not_driven_any_more_keeps_nobody_else_waiting() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let limiter =
        limiter(&RedisStorage::from_url(&proxy.redis_url()).unwrap().into(), Algorithm::FixedWindow, 10);
    let (idle, busy) = (current_thread(), multi_thread());
    // It has a connection, and a command on its way that nobody will take the answer of.
    assert!(idle.block_on(limiter.allow_request("ada")).unwrap());
    proxy.set(ProxyMode::Blackhole);
    idle.block_on(async {
        let asked = limiter.allow_request("eve");
        assert!(tokio::time::timeout(Duration::from_millis(20), asked).await.is_err());
    });
    proxy.set(ProxyMode::Pass);
    assert!(busy.block_on(limiter.allow_request("ada")).unwrap());
    // When it goes on, it goes on.
    assert_eq!(busy.block_on(limiter.usage("ada")).unwrap().count, 2);
    assert!(idle.block_on(async {
        // The connection of which the proxy swallowed a request is found out by its silence, and made anew.
        let first = limiter.usage("ada").await;
        first.is_ok() || limiter.usage("ada").await.is_ok()
    }));
}

#[test]
fn a_connection_that_a_runtime_began_to_make_and_left_keeps_nobody_else_waiting() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let limiter = limiter(&storage_at(&proxy.redis_url()), Algorithm::FixedWindow, 10);
    proxy.set(ProxyMode::Blackhole);
    let idle = current_thread();
    idle.block_on(async {
        let asked = limiter.allow_request("eve");
        assert!(tokio::time::timeout(Duration::from_millis(20), asked).await.is_err());
    });
    proxy.set(ProxyMode::Pass);
    let allowed = multi_thread().block_on(async {
        // Not so long as the other's deadline is.
        tokio::time::timeout(Duration::from_secs(30), limiter.allow_request("ada")).await
    });
    assert!(allowed.expect("it waits for the other's").unwrap());
    assert_eq!(limiter.outages(), 0);
}

#[test]
fn outside_a_runtime_a_decision_is_a_typed_error() {
    let server = RedisServer::start();
    let limiter = limiter(&storage_at(&server.url()), Algorithm::FixedWindow, 10);
    let at_once = |mut future: std::pin::Pin<&mut dyn Future<Output = StorageErrorKind>>| match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(kind) => kind,
        Poll::Pending => panic!("it waits for a runtime that is not there"),
    };
    let checked = pin!(async { kind(limiter.check("ada").await) });
    assert_eq!(at_once(checked), StorageErrorKind::NoRuntime);
    let reset = pin!(async { kind(limiter.reset("ada").await) });
    assert_eq!(at_once(reset), StorageErrorKind::NoRuntime);
    assert_eq!(limiter.outages(), 1);
    // Nothing is broken by it.
    assert!(current_thread().block_on(limiter.allow_request("ada")).unwrap());
}

#[test]
fn a_runtime_without_timers_or_network_is_an_error_that_says_what_it_lacks() {
    let storage = RedisStorage::from_url("redis://127.0.0.1:1/").unwrap();
    let limiter = RateLimiter::builder().requests(1).window(60).storage(&storage).build().unwrap();
    for (has_timers, remedy) in [(false, "enable_time()"), (true, "enable_all()")] {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        if has_timers {
            runtime.enable_time();
        }
        let error = runtime.build().unwrap().block_on(limiter.check("ada")).unwrap_err();
        assert!(error.to_string().contains(remedy), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_tasks_share_one_connection_from_the_first_decision_on() {
    let server = RedisServer::start();
    let mut look = Look::at(&server);
    let before = look.connections_ever();
    let limiter = limiter(&storage_at(&server.url()), Algorithm::FixedWindow, 500);
    for _ in 0..3 {
        let mut running = JoinSet::new();
        for _ in 0..200 {
            let limiter = limiter.clone();
            running.spawn(async move { limiter.allow_request("ada").await.unwrap() });
        }
        running.join_all().await;
        assert_eq!(look.connections(), 1);
    }
    assert_eq!(look.connections_ever() - before, 1);
    assert_eq!(limiter.usage("ada").await.unwrap().remaining, 0);
}

#[tokio::test]
async fn limiters_of_one_storage_share_its_connection() {
    let server = RedisServer::start();
    let storage = storage_at(&server.url());
    for algorithm in Algorithm::ALL {
        limiter(&storage, *algorithm, 5).allow_request("ada").await.unwrap();
    }
    assert_eq!(Look::at(&server).connections(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storage_that_is_dropped_closes_its_connection() {
    let server = RedisServer::start();
    let mut look = Look::at(&server);
    let storage = storage_at(&server.url());
    let limiter = limiter(&storage, Algorithm::FixedWindow, 5);
    limiter.allow_request("ada").await.unwrap();
    drop(storage);
    limiter.allow_request("ada").await.unwrap();
    assert_eq!(look.connections(), 1);
    drop(limiter);
    wait_for_connections(&mut look, 0);
}

/// Five decisions by this client are five commands on one connection of its own, at most.
async fn is_one_connection_and_a_command_each(
    client: impl Into<RedisClient>,
    server: &RedisServer,
) -> RateLimiter {
    let client = client.into();
    let limiter = limiter(&RedisStorage::new(&client).into(), Algorithm::TokenBucket, 3);
    assert!(limiter.allow_request("ada").await.unwrap());
    let mut look = Look::at(server);
    let before = look.connections_ever();
    let mut monitor = Monitor::start(server);
    let mut allowed = Vec::new();
    for _ in 0..4 {
        allowed.push(limiter.allow_request("ada").await.unwrap());
    }
    assert_eq!(allowed, [true, true, false, false]);
    assert_eq!(monitor.look().asked, ["evalsha"; 4], "{client:?}");
    // One for the monitor, one for its mark.
    assert_eq!(look.connections_ever() - before, 2, "{client:?}");
    limiter
}

#[tokio::test]
async fn a_client_makes_one_connection() {
    let server = RedisServer::start();
    let client = redis::Client::open(server.url()).unwrap();
    is_one_connection_and_a_command_each(&client, &server).await;
    is_one_connection_and_a_command_each(client, &server).await;
}

#[tokio::test]
async fn a_multiplexed_connection_is_used_as_it_is() {
    let server = RedisServer::start();
    let client = redis::Client::open(server.url()).unwrap();
    let connection = client.get_multiplexed_async_connection().await.unwrap();
    is_one_connection_and_a_command_each(&connection, &server).await;
    is_one_connection_and_a_command_each(connection, &server).await;
}

#[tokio::test]
async fn a_pool_is_not_asked_for_a_connection_at_each_decision() {
    let server = RedisServer::start();
    let config = Config::from_url(server.url());
    let pool = config.create_pool(Some(PoolRuntime::Tokio1)).unwrap();
    is_one_connection_and_a_command_each(&pool, &server).await;
    // Nor does a decision wait for one when the user holds them all.
    pool.resize(1);
    let held = pool.get().await.unwrap();
    is_one_connection_and_a_command_each(&pool, &server).await;
    drop(held);
    assert_eq!(pool.status().size, 1);
}

#[tokio::test]
async fn a_pool_makes_its_connection_anew_after_a_restart() {
    let mut server = RedisServer::start();
    let pool = Config::from_url(server.url()).create_pool(Some(PoolRuntime::Tokio1)).unwrap();
    let limiter = limiter(&RedisStorage::new(pool).into(), Algorithm::TokenBucket, 3);
    assert!(limiter.allow_request("ada").await.unwrap());
    server.restart();
    // It cannot know before it asks; then it does.
    let first = limiter.allow_request("ada").await;
    assert!(first.is_ok() || kind(first) == StorageErrorKind::Unavailable);
    assert!(limiter.allow_request("ada").await.unwrap());
}

#[tokio::test]
async fn the_response_timeout_that_was_set_holds_for_every_kind_of_client() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let client = redis::Client::open(proxy.redis_url()).unwrap();
    let connection = client.get_multiplexed_async_connection().await.unwrap();
    let pool = Config::from_url(proxy.redis_url()).create_pool(Some(PoolRuntime::Tokio1)).unwrap();
    let clients = [RedisClient::from(client), RedisClient::from(connection), RedisClient::from(pool)];
    for client in &clients {
        let storage =
            RedisStorage::builder().client(client).response_timeout(Duration::from_secs(20)).build();
        let limiter = limiter(&storage.unwrap().into(), Algorithm::TokenBucket, 3);
        proxy.set(ProxyMode::Pass);
        assert!(limiter.allow_request("ada").await.unwrap());
        // Longer than what the redis crate allows by itself.
        proxy.set(ProxyMode::Delay(Duration::from_millis(700)));
        assert!(limiter.allow_request("ada").await.unwrap(), "{client:?}");
        proxy.set(ProxyMode::Pass);
        let storage =
            RedisStorage::builder().client(client).response_timeout(Duration::from_millis(50)).build();
        let hasty = crate::stage::limiter(&storage.unwrap().into(), Algorithm::TokenBucket, 3);
        assert!(hasty.allow_request("ada").await.unwrap());
        proxy.set(ProxyMode::Delay(Duration::from_millis(700)));
        let began = Instant::now();
        assert_eq!(kind(hasty.allow_request("ada").await), StorageErrorKind::Timeout, "{client:?}");
        assert!(began.elapsed() < Duration::from_millis(450), "{client:?}: {:?}", began.elapsed());
        proxy.set(ProxyMode::Pass);
        // What is still on its way is answered before the next one asks.
        limiter.usage("ada").await.unwrap();
    }
}

#[tokio::test]
async fn a_multiplexed_connection_that_is_lost_is_a_typed_error_at_each_decision() {
    let mut server = RedisServer::start();
    let client = redis::Client::open(server.url()).unwrap();
    let connection = client.get_multiplexed_async_connection().await.unwrap();
    let storage: AnyStorage = RedisStorage::new(connection).into();
    let limiter = limiter(&storage, Algorithm::TokenBucket, 3);
    assert!(limiter.allow_request("ada").await.unwrap());
    server.restart();
    for _ in 0..3 {
        assert_eq!(kind(limiter.allow_request("ada").await), StorageErrorKind::Unavailable);
    }
}

#[test]
fn a_multiplexed_connection_whose_runtime_is_gone_is_a_typed_error() {
    let server = RedisServer::start();
    let gone = multi_thread();
    let connection = gone.block_on(async {
        let client = redis::Client::open(server.url()).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    });
    let limiter = limiter(&RedisStorage::new(connection).into(), Algorithm::TokenBucket, 3);
    assert!(multi_thread().block_on(limiter.allow_request("ada")).unwrap());
    drop(gone);
    let error = kind(multi_thread().block_on(limiter.allow_request("ada")));
    assert_eq!(error, StorageErrorKind::Unavailable);
}
