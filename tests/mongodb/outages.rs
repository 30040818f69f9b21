//! What a caller gets while MongoDB cannot be asked, and that all is well when it can be again.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use limitra::{Algorithm, AnyStorage, MongoDbStorage, StorageErrorKind};
use limitra_tests::{MongoDbServer, Proxy, ProxyMode, RedisServer};
use mongodb::bson::doc;
use tokio::task::JoinSet;

use crate::stage::{PATIENCE, kind, limiter, storage_at, url_by};

const RESPONSE: Duration = Duration::from_millis(400);
const CONNECT: Duration = Duration::from_millis(800);
/// What a busy machine may add to a deadline.
const SLACK: Duration = Duration::from_secs(3);

fn hasty(url: &str) -> AnyStorage {
    let storage = MongoDbStorage::builder().url(url).response_timeout(RESPONSE).connect_timeout(CONNECT);
    storage.build().unwrap().into()
}

/// An outage for one who asks, and for many at once, within the deadline.
async fn is_an_outage(storage: &AnyStorage) {
    let kinds = [StorageErrorKind::Unavailable, StorageErrorKind::Timeout];
    let limiter = limiter(storage, Algorithm::SlidingWindow, 5);
    let began = Instant::now();
    let found = kind(limiter.check("ada").await);
    assert!(kinds.contains(&found), "{found:?}");
    let mut running = JoinSet::new();
    for who in 0..200 {
        let limiter = limiter.clone();
        running.spawn(async move { kind(limiter.check(who % 20).await) });
    }
    let found = running.join_all().await;
    assert!(found.iter().all(|found| kinds.contains(found)), "{found:?}");
    assert!(began.elapsed() < (RESPONSE + CONNECT) * 2 + SLACK, "{:?}", began.elapsed());
    assert_eq!(limiter.outages(), 201);
    assert!(storage.ping().await.is_err());
    assert!(!storage.check().await);
    assert!(storage.reset().await.is_err());
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_an_outage() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let storage = hasty(&format!("mongodb://127.0.0.1:{port}"));
    is_an_outage(&storage).await;
    // It says what is wrong.
    let error = storage.ping().await.unwrap_err().to_string();
    assert!(error.contains("refused"), "{error}");
}

#[tokio::test]
async fn a_server_that_takes_connections_and_says_nothing_is_an_outage() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    is_an_outage(&hasty(&format!("mongodb://{}", listener.local_addr().unwrap()))).await;
}

#[tokio::test]
async fn a_server_of_another_kind_is_an_outage() {
    let server = RedisServer::start();
    is_an_outage(&hasty(&format!("mongodb://{}", server.address()))).await;
    is_an_outage(&hasty(&format!("mongodb://{}/?directConnection=true", server.address()))).await;
}

#[tokio::test]
async fn a_name_that_nobody_has_is_an_outage() {
    is_an_outage(&hasty("mongodb://limitra.invalid")).await;
    is_an_outage(&hasty("mongodb+srv://limitra.invalid")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_still_is_an_outage_and_goes_on_by_itself() {
    let server = MongoDbServer::start();
    let (storage, patient) = (hasty(&server.url()), storage_at(&server.url()));
    let limiter = limiter(&patient, Algorithm::FixedWindow, 50);
    assert!(limiter.allow_request("ada").await.unwrap());
    server.pause();
    is_an_outage(&storage).await;
    server.resume();
    assert!(limiter.allow_request("ada").await.unwrap());
    while !storage.check().await {}
    assert_eq!(limiter.usage("ada").await.unwrap().count, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_outlive_a_server_that_is_killed_and_comes_back() {
    let mut server = MongoDbServer::builder().durable().start();
    let url = server.url();
    let (storage, patient) = (hasty(&url), storage_at(&url));
    let limiter = limiter(&patient, Algorithm::MovingWindow, 5);
    for _ in 0..3 {
        assert!(limiter.allow_request("ada").await.unwrap());
    }
    server.kill();
    is_an_outage(&storage).await;
    server.restart();
    while !storage.check().await {}
    // A connection that was cut is found out by the read in front of the write.
    while limiter.test("ada").await.is_err() {}
    assert_eq!(limiter.usage("ada").await.unwrap().count, 3);
    assert!(limiter.allow_request("ada").await.unwrap());
    assert!(limiter.allow_request("ada").await.unwrap());
    assert!(!limiter.allow_request("ada").await.unwrap());
}

/// A storage over a client that would repeat what fails, if it were asked to.
async fn over_a_client_of_its_own(url: &str) -> AnyStorage {
    let more = if url.contains('?') { "&" } else { "/?" };
    // A client that was told that its server is no primary looks again at the next heartbeat.
    let url = format!("{url}{more}retryWrites=true&retryReads=true&heartbeatFrequencyMS=500");
    let client = mongodb::Client::with_uri_str(url).await.unwrap();
    let storage = MongoDbStorage::builder().client(client);
    storage.response_timeout(PATIENCE).connect_timeout(PATIENCE).build().unwrap().into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_reply_is_lost_is_an_error_and_not_sent_again() {
    let server = MongoDbServer::start();
    let proxy = Proxy::start(server.address());
    let url = format!("{}&retryWrites=true", url_by(&proxy));
    for storage in [storage_at(&url), over_a_client_of_its_own(&url_by(&proxy)).await] {
        for algorithm in Algorithm::ALL {
            let limiter = limiter(&storage, *algorithm, 5);
            assert!(limiter.allow_request("ada").await.unwrap());
            let before = server.updates().await;
            for (who, count) in [("ada", 2), ("bob", 1)] {
                // The first kind of write replaces a record, the second makes one.
                proxy.set(ProxyMode::DropReplyTo(b"update\0"));
                assert_eq!(kind(limiter.allow_request(who).await), StorageErrorKind::Unavailable);
                proxy.set(ProxyMode::Pass);
                assert_eq!(limiter.usage(who).await.unwrap().count, count, "{algorithm}");
            }
            assert_eq!(server.updates().await - before, 2, "{algorithm}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_failed_is_not_sent_again_however_the_server_labels_it() {
    let server = MongoDbServer::start();
    let url = format!("{}/?retryWrites=true", server.url());
    let label = "RetryableWriteError";
    for storage in [storage_at(&url), over_a_client_of_its_own(&server.url()).await] {
        for (expected, answer) in [
            (StorageErrorKind::Unavailable, doc! { "errorCode": 91, "errorLabels": [label] }),
            (StorageErrorKind::Unavailable, doc! { "errorCode": 10107, "errorLabels": [label] }),
            (StorageErrorKind::Unavailable, doc! { "closeConnection": true }),
            (StorageErrorKind::Timeout, doc! { "errorCode": 50 }),
            (StorageErrorKind::Refused, doc! { "errorCode": 13 }),
        ] {
            let limiter = limiter(&storage, Algorithm::TokenBucket, 5);
            assert!(limiter.allow_request("ada").await.unwrap());
            let mut data = doc! { "failCommands": ["update"] };
            data.extend(answer.clone());
            // If it were sent again, it would succeed.
            server.fail(1, data).await;
            assert_eq!(kind(limiter.allow_request("ada").await), expected, "{answer}");
            assert_eq!(limiter.usage("ada").await.unwrap().count, 1, "{answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_too_few_members_have_heard_of_is_an_error_and_counted_once() {
    let server = MongoDbServer::start();
    let storage = storage_at(&format!("{}/?w=majority&wTimeoutMS=100", server.url()));
    let limiter = limiter(&storage, Algorithm::FixedWindow, 5);
    assert!(limiter.allow_request("ada").await.unwrap());
    let late =
        doc! { "code": 64, "codeName": "WriteConcernTimeout", "errmsg": "waiting for replication timed out" };
    server.fail(1, doc! { "failCommands": ["update"], "writeConcernError": late }).await;
    assert_eq!(kind(limiter.allow_request("ada").await), StorageErrorKind::Timeout);
    assert_eq!(limiter.usage("ada").await.unwrap().count, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_failed_is_repeated_by_the_driver() {
    let server = MongoDbServer::start();
    let limiter = limiter(&storage_at(&server.url()), Algorithm::FixedWindow, 5);
    assert!(limiter.allow_request("ada").await.unwrap());
    server.fail(1, doc! { "failCommands": ["aggregate"], "closeConnection": true }).await;
    assert!(limiter.allow_request("ada").await.unwrap());
    assert_eq!(limiter.usage("ada").await.unwrap().count, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_does_not_come_is_a_timeout_and_nothing_is_sent_again() {
    let server = MongoDbServer::start();
    let proxy = Proxy::start(server.address());
    let (storage, patient) = (hasty(&url_by(&proxy)), storage_at(&server.url()));
    while !storage.check().await {}
    let limiter = limiter(&storage, Algorithm::FixedWindow, 5);
    let before = server.updates().await;
    proxy.set(ProxyMode::Blackhole);
    assert_eq!(kind(limiter.allow_request("ada").await), StorageErrorKind::Timeout);
    is_an_outage(&storage).await;
    proxy.set(ProxyMode::Pass);
    while !storage.check().await {}
    assert_eq!(server.updates().await, before);
    assert!(patient.check().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_callers_at_once_on_a_server_that_falls_silent_are_all_answered_within_the_deadline() {
    let server = MongoDbServer::start();
    let storage = hasty(&server.url());
    while !storage.check().await {}
    server.pause();
    is_an_outage(&storage).await;
    server.resume();
    while !storage.check().await {}
}
