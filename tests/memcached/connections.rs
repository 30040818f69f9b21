//! One connection for each server and runtime, and callers that give up.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use limitra::StorageErrorKind;
use limitra_tests::{MemcachedServer, Proxy, ProxyMode, random_number};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::stage::{kind, limiter, storage_at};

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// How many connections the server has.
struct Look<'a> {
    server: &'a MemcachedServer,
}

impl<'a> Look<'a> {
    fn at(server: &'a MemcachedServer) -> Self {
        Self { server }
    }

    /// But for the one that asks.
    fn connections(&self) -> u64 {
        self.server.figure("curr_connections") - 1
    }

    /// Waits until there are so many: the server hears of a closed one a little later.
    fn wait_for(&self, expected: u64) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.connections() != expected {
            assert!(Instant::now() < deadline, "{} connections, not {expected}", self.connections());
            std::thread::yield_now();
        }
    }
}

#[test]
fn two_runtimes_in_sequence_each_have_a_connection_of_their_own() {
    let server = MemcachedServer::start();
    let look = Look::at(&server);
    let limiter = limiter(&storage_at(&server.url()), 10);
    for count in 1..=4 {
        let runtime = if count % 2 == 0 { current_thread() } else { multi_thread() };
        assert!(runtime.block_on(limiter.allow_request("ada")).unwrap());
        assert_eq!(runtime.block_on(limiter.usage("ada")).unwrap().count, count);
        look.wait_for(1);
        drop(runtime);
        look.wait_for(0);
    }
    assert_eq!(limiter.outages(), 0);
}

#[test]
fn two_runtimes_at_once_each_have_a_connection_of_their_own() {
    let server = MemcachedServer::start();
    let look = Look::at(&server);
    let limiter = limiter(&storage_at(&server.url()), 1000);
    std::thread::scope(|scope| {
        let ask = |runtime: Runtime| {
            let limiter = limiter.clone();
            move || {
                for who in 0..100 {
                    assert!(runtime.block_on(limiter.allow_request(who)).unwrap());
                }
                runtime
            }
        };
        let one = scope.spawn(ask(multi_thread()));
        let other = scope.spawn(ask(current_thread()));
        let runtimes = (one.join().unwrap(), other.join().unwrap());
        look.wait_for(2);
        assert_eq!(runtimes.0.block_on(limiter.usage(7)).unwrap().count, 2);
    });
}

#[test]
fn outside_a_runtime_a_decision_is_a_typed_error() {
    let server = MemcachedServer::start();
    let storage = storage_at(&server.url());
    let limiter = limiter(&storage, 10);
    let at_once = |mut future: std::pin::Pin<&mut dyn Future<Output = StorageErrorKind>>| match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(kind) => kind,
        Poll::Pending => panic!("it waits for a runtime that is not there"),
    };
    assert_eq!(at_once(pin!(async { kind(limiter.check("ada").await) })), StorageErrorKind::NoRuntime);
    assert_eq!(at_once(pin!(async { kind(limiter.reset("ada").await) })), StorageErrorKind::NoRuntime);
    assert_eq!(
        at_once(pin!(async { storage.ping().await.unwrap_err().kind() })),
        StorageErrorKind::NoRuntime
    );
    assert_eq!(
        at_once(pin!(async { storage.reset().await.unwrap_err().kind() })),
        StorageErrorKind::NoRuntime
    );
    // Nothing is broken by it.
    assert!(current_thread().block_on(limiter.allow_request("ada")).unwrap());
}

#[test]
fn a_runtime_that_is_not_driven_any_more_keeps_nobody_else_waiting() {
    let server = MemcachedServer::start();
    let proxy = Proxy::start(server.address());
    let limiter = limiter(&storage_at(&format!("memcached://{}", proxy.address())), 10);
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
    // The proxy swallowed a request: the next answer is to another one, and that is noticed.
    assert_eq!(kind(idle.block_on(limiter.usage("ada"))), StorageErrorKind::Malformed);
    assert_eq!(idle.block_on(limiter.usage("ada")).unwrap().count, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_tasks_share_one_connection_from_the_first_decision_on() {
    let server = MemcachedServer::start();
    let look = Look::at(&server);
    let limiter = limiter(&storage_at(&server.url()), 500);
    for _ in 0..3 {
        let mut running = JoinSet::new();
        for who in 0..200 {
            let limiter = limiter.clone();
            running.spawn(async move { limiter.allow_request(who % 2).await.unwrap() });
        }
        running.join_all().await;
        look.wait_for(1);
    }
    assert_eq!(limiter.usage(0).await.unwrap().count, 300);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storage_that_is_dropped_closes_its_connection() {
    let server = MemcachedServer::start();
    let look = Look::at(&server);
    let storage = storage_at(&server.url());
    let limiter = limiter(&storage, 5);
    limiter.allow_request("ada").await.unwrap();
    drop(storage);
    limiter.allow_request("ada").await.unwrap();
    look.wait_for(1);
    drop(limiter);
    look.wait_for(0);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_while_idle_is_made_anew() {
    let server = MemcachedServer::start();
    let proxy = Proxy::start(server.address());
    let limiter = limiter(&storage_at(&format!("memcached://{}", proxy.address())), 10);
    for count in 1..=3 {
        assert!(limiter.allow_request("ada").await.unwrap());
        assert_eq!(limiter.usage("ada").await.unwrap().count, count);
        proxy.set(ProxyMode::Refuse);
        // Until it is heard of here.
        while limiter.usage("ada").await.is_ok() {
            tokio::task::yield_now().await;
        }
        proxy.set(ProxyMode::Pass);
        while limiter.usage("ada").await.is_err() {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_give_up_anywhere_leave_the_connection_in_order() {
    let server = MemcachedServer::start();
    let look = Look::at(&server);
    let limiter = limiter(&storage_at(&server.url()), 1_000_000);
    let mut answered = [0_u64; 5];
    let mut asked = [0_u64; 5];
    let mut running = JoinSet::new();
    for task in 0..2000_usize {
        let limiter = limiter.clone();
        // Some wait for as long as it takes.
        let patience = if task % 20 < 5 { 60_000_000 } else { random_number() % 3000 };
        let patience = Duration::from_micros(patience);
        let who = task % 5;
        asked[who] += 1;
        running.spawn(async move {
            // At another moment for each.
            tokio::time::sleep(Duration::from_micros(random_number() % 20_000)).await;
            let answer = tokio::time::timeout(patience, limiter.allow_request(who)).await;
            (who, answer.is_ok_and(|allowed| allowed.unwrap()))
        });
    }
    for (who, allowed) in running.join_all().await {
        answered[who] += u64::from(allowed);
    }
    for who in 0..5 {
        // Whoever gave up may have been counted; whoever had an answer was.
        let counted = limiter.usage(who).await.unwrap().count;
        assert!((answered[who]..=asked[who]).contains(&counted), "{answered:?} {counted} {asked:?}");
        for more in 1..=20 {
            assert!(limiter.allow_request(who).await.unwrap());
            assert_eq!(limiter.usage(who).await.unwrap().count, counted + more);
        }
    }
    assert_eq!(limiter.outages(), 0);
    look.wait_for(1);
    assert!(answered.iter().all(|answered| *answered >= 100), "{answered:?}");
}
