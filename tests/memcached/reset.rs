//! The removal of all records.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use limitra::{AnyStorage, MemcachedStorage, RateLimiter, StorageErrorKind};
use limitra_tests::{MemcachedServer, Proxy, ProxyMode};

use crate::stage::{limiter, storage_at};

fn with_prefix(server: &MemcachedServer, key_prefix: &str) -> AnyStorage {
    let patience = std::time::Duration::from_secs(60);
    let storage = MemcachedStorage::builder().url(server.url()).key_prefix(key_prefix);
    storage.response_timeout(patience).connect_timeout(patience).build().unwrap().into()
}

#[tokio::test]
async fn of_a_prefix_only_records_are_removed() {
    let server = MemcachedServer::start();
    let (mine, other) = (with_prefix(&server, "mine"), with_prefix(&server, "mine2"));
    server.ask("ms mine:foreign 5 T0\r\nhallo\r\nms mine 2 T0\r\nLR\r\nms mine:short 1 T0\r\nL\r\n");
    // Keys that are stored by a digest begin with the prefix too.
    let long = |storage: &AnyStorage| {
        let limiter = RateLimiter::builder().requests(1).window(60).storage(storage);
        limiter.scope("s".repeat(128)).suffix("t".repeat(128)).build().unwrap()
    };
    for storage in [&mine, &other] {
        for who in 0..10 {
            assert!(limiter(storage, 1).allow_request(who).await.unwrap());
            assert!(long(storage).allow_request(who).await.unwrap());
        }
    }
    assert_eq!(mine.reset().await.unwrap(), 20);
    assert_eq!(mine.reset().await.unwrap(), 0);
    let mut left = server.keys();
    left.retain(|key| !key.starts_with("mine2%3A"));
    left.sort();
    assert_eq!(left, ["mine", "mine%3Aforeign", "mine%3Ashort"]);
    assert_eq!(server.keys().len(), 23);
    // Without a prefix all records go, and nothing else. (The value `LR` is none of ours, only nobody could tell.)
    assert_eq!(storage_at(&server.url()).reset().await.unwrap(), 21);
    assert_eq!(server.keys().len(), 2);
}

#[tokio::test]
async fn a_server_with_nothing_in_it_has_nothing_to_remove() {
    let server = MemcachedServer::start();
    assert_eq!(storage_at(&server.url()).reset().await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_complete_right_after_the_writes() {
    let server = MemcachedServer::start();
    let storage = storage_at(&server.url());
    let limiter = limiter(&storage, 3);
    for round in 0..5_usize {
        let mut running = tokio::task::JoinSet::new();
        for task in 0..50_usize {
            let limiter = limiter.clone();
            running.spawn(async move {
                for who in 0..100_usize {
                    // Some are written again, and read.
                    for _ in 0..=who % 3 {
                        limiter.allow_request(format!("{round} {task} {who}")).await.unwrap();
                    }
                }
            });
        }
        running.join_all().await;
        assert_eq!(storage.reset().await.unwrap(), 5000);
        assert_eq!(server.figure("curr_items"), 0);
    }
}

#[tokio::test]
async fn it_waits_while_the_server_is_busy_with_another_list() {
    let server = MemcachedServer::start();
    let storage = storage_at(&server.url());
    let limiter = limiter(&storage, 3);
    for who in 0..10 {
        limiter.allow_request(who).await.unwrap();
    }
    // A list that is longer than what fits between the server and somebody who does not read.
    let fill = |number: u32| format!("ms {}{number:06} 1 T0 q\r\nx\r\n", "f".repeat(240));
    server.ask(&(0..100_000).map(fill).collect::<String>());
    let mut slow = TcpStream::connect(server.address()).unwrap();
    slow.write_all(b"lru_crawler metadump all\r\n").unwrap();
    let mut begun = [0; 4];
    slow.read_exact(&mut begun).unwrap();
    assert_eq!(&begun, b"key=");
    let mut other = server.ask("lru_crawler metadump all\r\n");
    other.truncate(4);
    assert_eq!(other, "BUSY");
    let resetting = tokio::spawn({
        let storage = storage.clone();
        async move { storage.reset().await }
    });
    // It asks, and is told to wait.
    let asked = server.figure("total_connections");
    while server.figure("total_connections") < asked + 20 {
        tokio::task::yield_now().await;
    }
    let mut list = vec![0; 1 << 16];
    let reading = tokio::task::spawn_blocking(move || {
        let mut end = Vec::new();
        while !end.ends_with(b"END\r\n") {
            let length = slow.read(&mut list).unwrap();
            assert!(length > 0, "the list ended early: {end:?}");
            end.extend_from_slice(&list[..length]);
            end.drain(..end.len().saturating_sub(16));
        }
    });
    assert_eq!(resetting.await.unwrap().unwrap(), 10);
    reading.await.unwrap();
    assert_eq!(server.figure("curr_items"), 100_000);
}

#[tokio::test]
async fn a_server_that_does_not_list_its_keys_says_so() {
    let server = MemcachedServer::builder().argument("-o").argument("no_lru_crawler").start();
    let error = storage_at(&server.url()).reset().await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Refused);
    assert!(error.to_string().contains("lru crawler disabled"), "{error}");
}

#[tokio::test]
async fn an_outage_on_the_way_is_an_error() {
    let server = MemcachedServer::start();
    let proxy = Proxy::start(server.address());
    let url = format!("memcached://{}", proxy.address());
    let storage = crate::stage::hasty(&url);
    limiter(&storage, 3).allow_request("ada").await.unwrap();
    for (mode, kind) in [
        (ProxyMode::Blackhole, StorageErrorKind::Timeout),
        (ProxyMode::DropReply, StorageErrorKind::Unavailable),
        (ProxyMode::Refuse, StorageErrorKind::Unavailable),
    ] {
        proxy.set(mode.clone());
        let began = std::time::Instant::now();
        assert_eq!(storage.reset().await.unwrap_err().kind(), kind, "{mode:?}");
        assert!(began.elapsed() < crate::stage::SLACK + crate::stage::RESPONSE + crate::stage::CONNECT);
    }
    assert_eq!(server.figure("curr_items"), 1);
}
