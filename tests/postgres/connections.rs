//! One connection for each runtime, whatever it is made from.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use deadpool_postgres::{Manager, Pool};
use limitra::{Algorithm, AnyStorage, PostgresStorage, StorageErrorKind};
use limitra_tests::{PostgresServer, Proxy, ProxyMode};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::stage::{PATIENCE, kind, limiter, storage_at, url_by};

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Waits until the server has so many connections: it hears of a closed one a little later.
fn wait_for_connections(server: &PostgresServer, expected: usize) {
    let deadline = Instant::now() + PATIENCE;
    while server.connections() != expected {
        assert!(Instant::now() < deadline, "{} connections, not {expected}", server.connections());
        std::thread::yield_now();
    }
}

#[test]
fn runtimes_in_sequence_and_at_once_each_have_a_connection_of_their_own() {
    let server = PostgresServer::start();
    let limiter = limiter(&storage_at(&server.url()), Algorithm::FixedWindow, 1000);
    for count in 1..=4 {
        let runtime = if count % 2 == 0 { current_thread() } else { multi_thread() };
        assert!(runtime.block_on(limiter.allow_request("ada")).unwrap());
        assert_eq!(runtime.block_on(limiter.usage("ada")).unwrap().count, count);
        assert_eq!(server.connections(), 1);
        drop(runtime);
        wait_for_connections(&server, 0);
    }
    std::thread::scope(|scope| {
        let ask = |runtime: Runtime| {
            let limiter = limiter.clone();
            move || {
                for _ in 0..50 {
                    assert!(runtime.block_on(limiter.allow_request("ada")).unwrap());
                }
                runtime
            }
        };
        let one = scope.spawn(ask(multi_thread()));
        let other = scope.spawn(ask(current_thread()));
        let runtimes = (one.join().unwrap(), other.join().unwrap());
        assert_eq!(server.connections(), 2);
        assert_eq!(runtimes.0.block_on(limiter.usage("ada")).unwrap().count, 104);
    });
    assert_eq!(limiter.outages(), 0);
}

#[test]
fn a_runtime_that_is_not_driven_any_more_keeps_nobody_else_waiting() {
    let server = PostgresServer::start();
    let proxy = Proxy::start(server.address());
    let limiter = limiter(&storage_at(&url_by(&proxy)), Algorithm::FixedWindow, 10);
    let (idle, busy) = (current_thread(), multi_thread());
    assert!(idle.block_on(limiter.allow_request("ada")).unwrap());
    proxy.set(ProxyMode::Blackhole);
    idle.block_on(async {
        let asked = limiter.allow_request("eve");
        assert!(tokio::time::timeout(Duration::from_millis(20), asked).await.is_err());
    });
    proxy.set(ProxyMode::Pass);
    assert!(busy.block_on(limiter.allow_request("ada")).unwrap());
    assert_eq!(busy.block_on(limiter.usage("ada")).unwrap().count, 2);
}

#[test]
fn outside_a_runtime_a_decision_is_a_typed_error() {
    let server = PostgresServer::start();
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
    // Nothing is broken by it.
    assert!(current_thread().block_on(limiter.allow_request("ada")).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_tasks_share_one_connection_from_the_first_decision_on() {
    let server = PostgresServer::start();
    let storage = storage_at(&server.url());
    let limiter = limiter(&storage, Algorithm::FixedWindow, 1);
    for round in 0..2 {
        let mut running = JoinSet::new();
        for task in 0..200 {
            let limiter = limiter.clone();
            running.spawn(async move { limiter.allow_request(task).await.unwrap() });
        }
        let allowed = running.join_all().await.into_iter().filter(|allowed| *allowed).count();
        assert_eq!(allowed, if round == 0 { 200 } else { 0 });
        assert_eq!(server.connections(), 1);
    }
    drop((storage, limiter));
    let deadline = Instant::now() + PATIENCE;
    while server.connections() > 0 {
        assert!(Instant::now() < deadline, "a storage that is dropped keeps its connection");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_is_not_asked_for_a_connection_at_each_decision() {
    let mut server = PostgresServer::start();
    let pool = Pool::builder(Manager::new(server.url().parse().unwrap(), tokio_postgres::NoTls))
        .max_size(1)
        .build()
        .unwrap();
    // Nor does a decision wait for one when the user holds them all.
    let held = pool.get().await.unwrap();
    let storage =
        PostgresStorage::builder().pool(pool.clone()).response_timeout(PATIENCE).connect_timeout(PATIENCE);
    let storage: AnyStorage = storage.build().unwrap().into();
    let limiter = limiter(&storage, Algorithm::FixedWindow, 3);
    for expected in [true, true, true, false] {
        assert_eq!(limiter.allow_request("ada").await.unwrap(), expected);
    }
    assert_eq!(server.connections(), 2);
    assert_eq!(pool.status().size, 1);
    // The settings of limitra's connection are not those of the user's.
    let shown = held.query_one("SHOW statement_timeout", &[]).await.unwrap();
    assert_eq!(shown.get::<_, &str>(0), "0");
    server.restart();
    while storage.ping().await.is_err() {}
    assert_eq!(limiter.usage("ada").await.unwrap().count, 3);
    let both = PostgresStorage::builder().pool(pool).url(server.url()).build();
    assert!(matches!(both.unwrap_err(), limitra::ConfigurationError::TwoSources { .. }));
}

#[tokio::test]
async fn a_server_without_room_for_another_connection_is_unavailable() {
    let server = PostgresServer::builder()
        .setting("max_connections", "5")
        .setting("superuser_reserved_connections", "2")
        .start();
    server.sql("CREATE ROLE clerk LOGIN; GRANT ALL ON SCHEMA public TO clerk");
    let url = server.url().replace("postgres@", "clerk@");
    let storages = [(); 3].map(|()| storage_at(&url));
    for storage in &storages {
        storage.ping().await.unwrap();
    }
    let late = limiter(&storage_at(&url), Algorithm::FixedWindow, 3);
    assert_eq!(kind(late.check("ada").await), StorageErrorKind::Unavailable);
    drop(storages);
    let deadline = Instant::now() + PATIENCE;
    while late.check("ada").await.is_err() {
        assert!(Instant::now() < deadline, "it never gets over it");
    }
}
