//! An etcd that does not answer, or answers too late.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use etcd_client::Client;
use limitra::{Algorithm, AnyStorage, Error, EtcdStorage, StorageErrorKind};
use limitra_tests::{EtcdServer, Proxy, ProxyMode, RedisServer};
use tokio::task::JoinSet;

use crate::stage::{etcd_at, hasty_at, kind, limiter, look, value};
use crate::tap::Tap;

/// Far longer than the default deadlines, and far shorter than for ever.
const BOUND: Duration = Duration::from_secs(15);

// With threads that hear of it while the test waits for the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_survive_a_server_that_is_killed() {
    let mut server = EtcdServer::start();
    let limiter = limiter(etcd_at(&server.url()), Algorithm::MovingWindow, 5);
    for _ in 0..3 {
        assert!(limiter.allow_request("ada").await.unwrap());
    }
    server.restart();
    // That the connection is closed is noticed before it is used.
    assert_eq!(limiter.usage("ada").await.unwrap().count, 3);
    for allowed in [true, true, false] {
        assert_eq!(limiter.allow_request("ada").await.unwrap(), allowed);
    }
    assert_eq!(limiter.outages(), 0);
}

#[tokio::test]
async fn a_server_that_is_down_is_an_error_until_it_is_back() {
    let mut server = EtcdServer::start();
    let storage: AnyStorage = EtcdStorage::from_url(&server.url()).unwrap().into();
    let hasty = limiter(&storage, Algorithm::FixedWindow, 5);
    let patient = limiter(hasty_at(&server.url(), Duration::from_secs(20)), Algorithm::FixedWindow, 5);
    assert!(patient.allow_request("ada").await.unwrap());
    server.kill();
    let began = Instant::now();
    for _ in 0..3 {
        assert_eq!(kind(hasty.allow_request("ada").await), StorageErrorKind::Unavailable);
        assert_eq!(kind(patient.allow_request("ada").await), StorageErrorKind::Unavailable);
    }
    assert!(!storage.check().await && storage.reset().await.is_err());
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    server.restart();
    assert!(patient.allow_request("ada").await.unwrap());
    assert_eq!(patient.usage("ada").await.unwrap().count, 2);
}

#[tokio::test]
async fn a_server_that_hangs_is_an_error_within_the_deadlines() {
    let server = EtcdServer::start();
    let hasty = limiter(EtcdStorage::from_url(&server.url()).unwrap(), Algorithm::FixedWindow, 5);
    let patient = limiter(hasty_at(&server.url(), Duration::from_secs(20)), Algorithm::FixedWindow, 5);
    patient.test("ada").await.unwrap();
    // On a machine that builds it may be late already.
    let _ = hasty.test("ada").await;
    server.pause();
    let began = Instant::now();
    let first = kind(hasty.allow_request("ada").await);
    assert!(matches!(first, StorageErrorKind::Timeout | StorageErrorKind::Unavailable), "{first:?}");
    // By now there is no connection that it could wait on.
    assert_eq!(kind(hasty.allow_request("ada").await), StorageErrorKind::Unavailable);
    assert_eq!(kind(hasty.reset("ada").await), StorageErrorKind::Unavailable);
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    server.resume();
    assert!(patient.allow_request("ada").await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_decisions_at_once_fail_together_when_the_server_hangs() {
    let server = EtcdServer::start();
    let limiter = limiter(EtcdStorage::from_url(&server.url()).unwrap(), Algorithm::FixedWindow, 500);
    let _ = limiter.test("ada").await;
    server.pause();
    let began = Instant::now();
    let mut running = JoinSet::new();
    for who in 0..100 {
        let limiter = limiter.clone();
        // Some wait for each other, some do not.
        running.spawn(async move { kind(limiter.allow_request(who % 10).await) });
    }
    for kind in running.join_all().await {
        assert!(matches!(kind, StorageErrorKind::Timeout | StorageErrorKind::Unavailable), "{kind:?}");
    }
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    server.resume();
}

#[tokio::test]
async fn a_hit_whose_answer_is_lost_is_an_error_and_counts_once() {
    let server = EtcdServer::start();
    let tap = Tap::start(server.address());
    let client = look(&server).await;
    let by_url = etcd_at(&tap.url());
    let by_client = EtcdStorage::new(Client::connect([tap.address().to_string()], None).await.unwrap());
    for (round, storage) in [by_url, by_client].into_iter().enumerate() {
        let limiter = limiter(storage, Algorithm::FixedWindow, 5);
        let count = async || {
            let written = value(&client, &limiter.key("ada")).await.unwrap().version();
            (limiter.usage("ada").await.unwrap().count, written)
        };
        // With a lease, so that the next thing written is the record.
        assert!(limiter.allow_request("ada").await.unwrap());
        let before = tap.records();
        tap.drop_answers_to_records();
        assert_eq!(kind(limiter.allow_request("ada").await), StorageErrorKind::Unavailable);
        assert_eq!((tap.cuts(), tap.records() - before), (round + 1, 1));
        assert_eq!(count().await, (2, 2));
        tap.stop_dropping();
        assert!(limiter.allow_request("ada").await.unwrap());
        assert_eq!(count().await, (3, 3));
    }
}

#[tokio::test]
async fn a_hit_whose_answer_is_lost_is_not_sent_to_another_endpoint() {
    let server = EtcdServer::start();
    let taps = [Tap::start(server.address()), Tap::start(server.address())];
    let addresses = taps.each_ref().map(|tap| tap.address().to_string());
    let by_url = etcd_at(&format!("etcd://{}", addresses.join(",")));
    let by_client = EtcdStorage::new(Client::connect(&addresses, None).await.unwrap());
    let mut sent = 0;
    for storage in [by_url, by_client] {
        let limiter = limiter(storage, Algorithm::FixedWindow, 100);
        assert!(limiter.allow_request("ada").await.unwrap());
        taps.iter().for_each(Tap::drop_answers_to_records);
        let before: usize = taps.iter().map(Tap::records).sum();
        for _ in 0..10 {
            assert_eq!(kind(limiter.allow_request("ada").await), StorageErrorKind::Unavailable);
        }
        sent += taps.iter().map(Tap::records).sum::<usize>() - before;
        let key = limiter.key("ada");
        let version = value(&look(&server).await, &key).await.unwrap().version();
        // Each was written once, whether somebody heard of it or not.
        assert_eq!(version, 11, "{key}");
        taps.iter().for_each(Tap::stop_dropping);
    }
    assert_eq!(sent, 20);
}

#[tokio::test]
async fn a_request_that_is_lost_is_an_error_and_counts_nothing() {
    let server = EtcdServer::start();
    let proxy = Proxy::start(server.address());
    let limiter = limiter(etcd_at(&format!("etcd://{}", proxy.address())), Algorithm::FixedWindow, 5);
    assert!(limiter.allow_request("ada").await.unwrap());
    for mode in [ProxyMode::CutBeforeRequest, ProxyMode::DropReply, ProxyMode::Refuse] {
        proxy.set(mode.clone());
        let found = kind(limiter.allow_request("ada").await);
        assert_eq!(found, StorageErrorKind::Unavailable, "{mode:?}");
        proxy.set(ProxyMode::Pass);
        assert_eq!(limiter.usage("ada").await.unwrap().count, 1, "{mode:?}");
    }
}

/// Waits for a decision by a storage of the defaults: an error within the deadlines.
async fn is_no_etcd(url: &str) -> Error {
    let began = Instant::now();
    let storage: AnyStorage = EtcdStorage::from_url(url).unwrap().into();
    let error = limiter(&storage, Algorithm::FixedWindow, 5).allow_request("ada").await.unwrap_err();
    assert!(!storage.check().await);
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    error
}

#[tokio::test]
async fn a_server_of_another_kind_is_an_error_within_the_deadlines() {
    let redis = RedisServer::start();
    let error = is_no_etcd(&format!("etcd://{}", redis.address())).await;
    assert!(matches!(error, Error::Storage(_)), "{error}");
    // One that takes everything and says nothing, one that closes at once, and one that speaks HTTP 1.
    for answer in [None, Some(&b""[..]), Some(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("etcd://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let mut open = Vec::new();
            while let Ok((mut client, _)) = listener.accept() {
                let Some(answer) = answer else {
                    open.push(client);
                    continue;
                };
                let mut heard = [0; 1024];
                let _ = client.read(&mut heard).and_then(|_| client.write_all(answer));
            }
        });
        let error = is_no_etcd(&url).await;
        assert!(matches!(error, Error::Storage(_)), "{error}");
    }
}
