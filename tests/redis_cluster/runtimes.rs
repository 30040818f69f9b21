//! Runtimes that come and go, and servers that are something else.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use limitra::{Algorithm, RedisClusterStorage, StorageErrorKind};
use limitra_tests::RedisCluster;
use tokio::runtime::{Builder, Runtime};

use crate::stage::{kind, limiter, storage_at};

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn each_runtime_has_connections_of_its_own() {
    let cluster = RedisCluster::start();
    let limiter = limiter(&storage_at(&cluster.url()), Algorithm::FixedWindow, 100);
    // One after another, each gone before the next.
    for count in 1..=4 {
        let runtime = if count % 2 == 0 { current_thread() } else { multi_thread() };
        assert!(runtime.block_on(limiter.allow_request("ada")).unwrap());
        assert_eq!(runtime.block_on(limiter.usage("ada")).unwrap().count, count);
    }
    // Two at once.
    let runtimes = (current_thread(), multi_thread());
    for _ in 0..5 {
        assert!(runtimes.0.block_on(limiter.allow_request("ada")).unwrap());
        assert!(runtimes.1.block_on(limiter.allow_request("ada")).unwrap());
    }
    assert_eq!(runtimes.0.block_on(limiter.usage("ada")).unwrap().count, 14);
    assert_eq!(limiter.outages(), 0);
}

/// A server that answers each piece it is sent with this, or never.
fn stranger(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).is_ok_and(|length| length > 0) {
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn a_server_of_another_kind_is_an_error_within_the_deadline() {
    for answer in
        ["", "ERROR\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "+OK\r\n", "-ERR no\r\n", "*0\r\n", "$-1\r\n"]
    {
        let address = stranger(answer);
        let short = Duration::from_millis(300);
        let cluster = RedisClusterStorage::builder().url(format!("redis+cluster://{address}"));
        let cluster = cluster.response_timeout(short).connect_timeout(short).build().unwrap();
        let started = Instant::now();
        let error = kind(limiter(&cluster.into(), Algorithm::Gcra, 1).check("ada").await);
        assert_ne!(error, StorageErrorKind::NoRuntime, "{answer:?}");
        // Twice 300 ms, and what a loaded machine needs.
        assert!(started.elapsed() < Duration::from_secs(10), "{answer:?}: {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn nodes_that_are_not_there_are_an_error() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let storage = storage_at(&format!("redis+cluster://{free}"));
    assert_eq!(storage.ping().await.unwrap_err().kind(), StorageErrorKind::Unavailable);
    assert_eq!(storage.reset().await.unwrap_err().kind(), StorageErrorKind::Unavailable);
    let limiter = limiter(&storage, Algorithm::Gcra, 1);
    assert_eq!(kind(limiter.check("ada").await), StorageErrorKind::Unavailable);
    assert_eq!(kind(limiter.reset("ada").await), StorageErrorKind::Unavailable);
}
