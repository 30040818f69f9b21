//! One connection for each runtime.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use etcd_client::Client;
use limitra::{Algorithm, AnyStorage, EtcdStorage, StorageErrorKind};
use limitra_tests::{EtcdServer, Proxy, ProxyMode};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::stage::{etcd_at, hasty_at, kind, limiter};
use crate::tap::Tap;

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn runtimes_one_after_another_each_have_a_connection_of_their_own() {
    let server = EtcdServer::start();
    let tap = Tap::start(server.address());
    let limiter = limiter(etcd_at(&tap.url()), Algorithm::FixedWindow, 100);
    for count in 1..=20 {
        let runtime = if count % 2 == 0 { current_thread() } else { multi_thread() };
        assert!(runtime.block_on(limiter.allow_request("ada")).unwrap());
        assert_eq!(runtime.block_on(limiter.usage("ada")).unwrap().count, count);
    }
    assert_eq!((limiter.outages(), tap.connections()), (0, 20));
    // What one runtime was granted serves the next.
    assert_eq!(server.leases().len(), 1);
}

#[test]
fn two_runtimes_at_once_each_have_a_connection_of_their_own() {
    let server = EtcdServer::start();
    let tap = Tap::start(server.address());
    let limiter = limiter(etcd_at(&tap.url()), Algorithm::FixedWindow, 1000);
    std::thread::scope(|scope| {
        for runtime in [multi_thread(), current_thread()] {
            let limiter = limiter.clone();
            scope.spawn(move || {
                for _ in 0..50 {
                    assert!(runtime.block_on(limiter.allow_request("ada")).unwrap());
                }
            });
        }
    });
    assert_eq!(current_thread().block_on(limiter.usage("ada")).unwrap().count, 100);
    assert_eq!(tap.connections(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_tasks_share_one_connection_from_the_first_decision_on() {
    let server = EtcdServer::start();
    let tap = Tap::start(server.address());
    let limiter = limiter(etcd_at(&tap.url()), Algorithm::FixedWindow, 500);
    for _ in 0..2 {
        let mut running = JoinSet::new();
        for who in 0..200 {
            let limiter = limiter.clone();
            running.spawn(async move { limiter.allow_request(who).await.unwrap() });
        }
        running.join_all().await;
    }
    assert_eq!(tap.connections(), 1);
}

#[test]
fn a_runtime_that_is_not_driven_any_more_keeps_nobody_else_waiting() {
    let server = EtcdServer::start();
    let proxy = Proxy::start(server.address());
    let storage = hasty_at(&format!("etcd://{}", proxy.address()), Duration::from_secs(2));
    let limiter = limiter(&storage, Algorithm::FixedWindow, 10);
    let (idle, busy) = (current_thread(), multi_thread());
    idle.block_on(limiter.test("ada")).unwrap();
    // It is about to be granted a lease, and nobody takes the answer.
    proxy.set(ProxyMode::Blackhole);
    idle.block_on(async {
        let asked = limiter.allow_request("eve");
        assert!(tokio::time::timeout(Duration::from_millis(20), asked).await.is_err());
    });
    proxy.set(ProxyMode::Pass);
    assert!(busy.block_on(limiter.allow_request("ada")).unwrap());
    assert_eq!(busy.block_on(limiter.usage("ada")).unwrap().count, 1);
    assert!(idle.block_on(async {
        // The connection of which the proxy swallowed a request is found out by its silence, and made anew.
        let first = limiter.usage("ada").await;
        first.is_ok() || limiter.usage("ada").await.is_ok()
    }));
}

#[test]
fn outside_a_runtime_a_decision_is_a_typed_error() {
    let server = EtcdServer::start();
    let limiter = limiter(etcd_at(&server.url()), Algorithm::FixedWindow, 10);
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
    assert!(current_thread().block_on(limiter.allow_request("ada")).unwrap());
}

#[test]
fn a_client_of_ones_own_is_used_from_every_runtime_as_long_as_its_own_is_there() {
    let server = EtcdServer::start();
    let tap = Tap::start(server.address());
    let own = multi_thread();
    let client = own.block_on(Client::connect([tap.address().to_string()], None)).unwrap();
    let limiter = limiter(EtcdStorage::new(client), Algorithm::FixedWindow, 10);
    for runtime in [&own, &current_thread(), &multi_thread()] {
        assert!(runtime.block_on(limiter.allow_request("ada")).unwrap());
    }
    assert_eq!(tap.connections(), 1);
    drop(own);
    let error = kind(multi_thread().block_on(limiter.allow_request("ada")));
    assert_eq!(error, StorageErrorKind::Unavailable);
}

#[tokio::test]
async fn a_client_of_ones_own_makes_its_connection_anew_after_a_restart() {
    let mut server = EtcdServer::start();
    let client = Client::connect([server.endpoint()], None).await.unwrap();
    let storage = EtcdStorage::builder().client(client).key_prefix("shop").build().unwrap();
    let limiter = limiter(&storage, Algorithm::FixedWindow, 10);
    // The default deadline holds: on a machine that builds it may be late.
    let _ = limiter.allow_request("ada").await;
    server.restart();
    let answered = async { while limiter.allow_request("ada").await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(60), answered).await.expect("it stays broken");
    assert!(server.keys("shop:").len() == 1);
}

#[tokio::test]
async fn a_storage_that_is_dropped_leaves_no_task_behind() {
    let server = EtcdServer::start();
    let storage: AnyStorage = etcd_at(&server.url()).into();
    storage.ping().await.unwrap();
    assert!(tokio::runtime::Handle::current().metrics().num_alive_tasks() > 0);
    drop(storage);
    let ended = async {
        while tokio::runtime::Handle::current().metrics().num_alive_tasks() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ended).await.expect("a task stays");
}
