//! A client for each runtime, or the user's own.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use limitra::{Algorithm, MongoDbStorage, RateLimiter, StorageErrorKind};
use limitra_tests::{MongoDbServer, Proxy, ProxyMode};
use mongodb::bson::doc;
use tokio::runtime::{Builder, Runtime};

use crate::stage::{PATIENCE, kind, limiter, storage_at, url_by};

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// How many connections the server has, this look's own among them.
fn connections(server: &MongoDbServer) -> i64 {
    let status = current_thread().block_on(server.command("admin", doc! { "serverStatus": 1 }));
    let current = status.get_document("connections").unwrap().get("current").unwrap();
    current.as_i64().or(current.as_i32().map(i64::from)).unwrap()
}

/// Waits until the server has no more connections than that: it hears of a closed one a little later.
fn wait_for_connections(server: &MongoDbServer, most: i64) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = connections(server);
        if found <= most {
            return;
        }
        assert!(Instant::now() < deadline, "{found} connections, not {most}");
    }
}

#[test]
fn runtimes_one_after_another_each_have_a_client_and_leave_no_connection_behind() {
    let server = MongoDbServer::start();
    let before = connections(&server);
    let limiter = limiter(&storage_at(&server.url()), Algorithm::FixedWindow, 10);
    for count in 1..=4 {
        let runtime = if count % 2 == 0 { current_thread() } else { multi_thread() };
        assert!(runtime.block_on(limiter.allow_request("ada")).unwrap());
        assert_eq!(runtime.block_on(limiter.usage("ada")).unwrap().count, count);
        drop(runtime);
        wait_for_connections(&server, before);
    }
    assert_eq!(limiter.outages(), 0);
}

#[test]
fn runtimes_at_once_count_together() {
    let server = MongoDbServer::start();
    let limiter = limiter(&storage_at(&server.url()), Algorithm::FixedWindow, 1000);
    std::thread::scope(|scope| {
        let ask = |runtime: Runtime| {
            let limiter = limiter.clone();
            move || {
                for _ in 0..30 {
                    assert!(runtime.block_on(limiter.allow_request("ada")).unwrap());
                }
                runtime
            }
        };
        let one = scope.spawn(ask(multi_thread()));
        let other = scope.spawn(ask(current_thread()));
        let runtimes = (one.join().unwrap(), other.join().unwrap());
        assert_eq!(runtimes.0.block_on(limiter.usage("ada")).unwrap().count, 60);
    });
}

#[test]
fn a_runtime_that_is_not_driven_any_more_keeps_nobody_else_waiting() {
    let server = MongoDbServer::start();
    let proxy = Proxy::start(server.address());
    let limiter = limiter(&storage_at(&url_by(&proxy)), Algorithm::FixedWindow, 10);
    let idle = current_thread();
    proxy.set(ProxyMode::Blackhole);
    idle.block_on(async {
        let asked = limiter.allow_request("eve");
        assert!(tokio::time::timeout(Duration::from_millis(20), asked).await.is_err());
    });
    proxy.set(ProxyMode::Pass);
    assert!(multi_thread().block_on(limiter.allow_request("ada")).unwrap());
    assert_eq!(limiter.outages(), 0);
}

fn at_once(mut future: Pin<&mut dyn Future<Output = StorageErrorKind>>) -> StorageErrorKind {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(kind) => kind,
        Poll::Pending => panic!("it waits for a runtime that is not there"),
    }
}

#[test]
fn outside_a_runtime_a_decision_is_a_typed_error() {
    let server = MongoDbServer::start();
    let limiter = limiter(&storage_at(&server.url()), Algorithm::FixedWindow, 10);
    let checked = pin!(async { kind(limiter.check("ada").await) });
    assert_eq!(at_once(checked), StorageErrorKind::NoRuntime);
    let reset = pin!(async { kind(limiter.reset("ada").await) });
    assert_eq!(at_once(reset), StorageErrorKind::NoRuntime);
    // Nothing is broken by it.
    assert!(current_thread().block_on(limiter.allow_request("ada")).unwrap());
}

#[test]
fn a_storage_that_is_dropped_anywhere_closes_its_connections() {
    let server = MongoDbServer::start();
    let before = connections(&server);
    let asked = || {
        // The last connection of a client that was dropped is closed at its next heartbeat.
        let url = format!("{}/?heartbeatFrequencyMS=500", server.url());
        let limiter = limiter(&storage_at(&url), Algorithm::FixedWindow, 10);
        let runtime = multi_thread();
        assert!(runtime.block_on(limiter.allow_request("ada")).unwrap());
        (limiter, runtime)
    };
    // Outside its runtime, while that goes on.
    let (limiter, runtime) = asked();
    drop(limiter);
    wait_for_connections(&server, before);
    drop(runtime);
    // After its runtime.
    let (limiter, runtime) = asked();
    drop(runtime);
    drop(limiter);
    // Within another.
    let (limiter, runtime) = asked();
    current_thread().block_on(async move { drop(limiter) });
    wait_for_connections(&server, before);
    drop(runtime);
}

fn over(client: mongodb::Client) -> RateLimiter {
    let storage = MongoDbStorage::builder().client(client).response_timeout(Duration::from_secs(2));
    let storage = storage.connect_timeout(Duration::from_secs(2)).build().unwrap();
    limiter(&storage.into(), Algorithm::FixedWindow, 1000)
}

#[test]
fn a_client_of_the_users_own_is_used_from_every_runtime_while_its_own_goes_on() {
    let server = MongoDbServer::start();
    let home = multi_thread();
    let limiter = over(home.block_on(server.client()));
    for runtime in [current_thread(), multi_thread()] {
        while runtime.block_on(limiter.allow_request("ada")).is_err() {}
    }
    drop(home);
    let error = kind(multi_thread().block_on(limiter.allow_request("ada")));
    assert!(matches!(error, StorageErrorKind::Timeout | StorageErrorKind::Unavailable), "{error:?}");
}
