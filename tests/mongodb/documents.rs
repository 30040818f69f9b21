//! What is stored, and who may touch it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use limitra::{Algorithm, Limit, ManualClock, Micros, RateLimiter, Storage as _, StorageErrorKind};
use limitra_tests::{MongoDbServer, fresh_prefix};
use mongodb::bson::{Binary, DateTime, Document, doc, spec::BinarySubtype};
use tokio::task::JoinSet;

use crate::stage::{HOUR, document, kind, limiter, limiter_of, mongodb_at, now, records, storage_at};

/// How much longer than it is of use a record is kept.
const MARGIN: Duration = Duration::from_secs(60);

fn binary(bytes: &[u8]) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() }
}

#[tokio::test]
async fn the_index_by_which_records_expire_is_there_after_the_first_decision() {
    let server = MongoDbServer::start();
    let storage = storage_at(&server.url());
    assert!(!limiter(&storage, Algorithm::Gcra, 1).test("ada").await.unwrap().is_degraded());
    let answer = server.command("limitra", doc! { "listIndexes": "records" }).await;
    let indexes = answer.get_document("cursor").unwrap().get_array("firstBatch").unwrap();
    let ours = indexes
        .iter()
        .filter_map(|index| index.as_document())
        .find(|index| index.get_document("key").unwrap() == &doc! { "expireAt": 1 });
    let seconds = ours.unwrap().get("expireAfterSeconds").unwrap();
    assert!(seconds.as_i32() == Some(0) || seconds.as_i64() == Some(0), "{seconds}");
}

#[tokio::test]
async fn a_record_is_one_document_that_outlives_its_use_by_a_minute() {
    let server = MongoDbServer::start();
    let storage = mongodb_at(&server.url());
    for algorithm in Algorithm::ALL {
        for window in [Limit::MIN_WINDOW, HOUR, Limit::MAX_WINDOW] {
            let limiter = limiter_of(&(&storage).into(), *algorithm, 3, window);
            for _ in 0..2 {
                let before = now(&storage).await;
                let decision = limiter.check("ada").await.unwrap();
                let after = now(&storage).await;
                let document = document(&server, &limiter.key("ada")).await.unwrap();
                let names: Vec<&str> = document.keys().map(String::as_str).collect();
                assert_eq!(names, ["_id", "version", "value", "expireAt"]);
                let value = document.get_binary_generic("value").unwrap();
                assert!(value.starts_with(b"LR\x01\x01") || value.starts_with(b"LR\x02"), "{value:?}");
                let size = mongodb::bson::serialize_to_vec(&document).unwrap().len();
                assert_eq!(size, 62 + limiter.key("ada").len() + value.len());
                assert!(document.get_i64("version").unwrap() > 0);
                let expires = document.get_datetime("expireAt").unwrap().timestamp_millis();
                let expires = Micros::new(u64::try_from(expires).unwrap() * 1000);
                let earliest = before.plus(Micros::from_duration(decision.reset_after()));
                let earliest = earliest.minus(Micros::new(1000));
                assert!(expires >= earliest, "{algorithm} {window:?}: {expires:?} < {earliest:?}");
                // A sliding window looks back on one more.
                let latest = after.plus(Micros::from_duration(window * 2 + MARGIN));
                assert!(expires <= latest, "{algorithm} {window:?}: {expires:?} > {latest:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_record_that_has_expired_and_is_still_there_counts_for_nothing() {
    let server = MongoDbServer::start();
    let storage = storage_at(&server.url());
    for algorithm in Algorithm::ALL {
        let clock = ManualClock::new();
        let limiter = RateLimiter::builder().storage(&storage).prefix(fresh_prefix()).clock(clock.clone());
        let limiter = limiter.algorithm(*algorithm).requests(2).window(10).build().unwrap();
        for _ in 0..3 {
            assert!(limiter.check_cost("ada", 2).await.unwrap().is_allowed(), "{algorithm}");
            assert!(!limiter.allow_request("ada").await.unwrap(), "{algorithm}");
            clock.advance(Duration::from_secs(30));
        }
    }
    // By the server's own clock.
    let limiter = limiter_of(&storage, Algorithm::FixedWindow, 1, Limit::MIN_WINDOW);
    let mut allowed = 0;
    let deadline = Instant::now() + Duration::from_secs(60);
    while allowed < 3 {
        allowed += u32::from(limiter.allow_request("ada").await.unwrap());
        assert!(Instant::now() < deadline);
    }
    // Nothing was removed meanwhile, and nothing stored twice.
    let count = records(&server).await.count_documents(doc! {}).await.unwrap();
    assert_eq!(count, Algorithm::ALL.len() as u64 + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_records_disappear_no_decision_fails() {
    let server = MongoDbServer::start();
    let storages = [storage_at(&server.url()), storage_at(&server.url())];
    let prefix = fresh_prefix();
    let mut running = JoinSet::new();
    for storage in &storages {
        let limiter = RateLimiter::builder().storage(storage).prefix(&prefix);
        let limiter = limiter.requests(1_000_000).window(60).build().unwrap();
        running.spawn(async move {
            for _ in 0..100 {
                assert!(limiter.allow_request("ada").await.unwrap());
            }
        });
    }
    // As the server does, at any moment.
    let records = records(&server).await;
    while running.try_join_next().is_none() {
        records.delete_many(doc! {}).await.unwrap();
    }
    for result in running.join_all().await {
        let () = result;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_hits_at_once_make_one_document_and_no_error() {
    const STORAGES: u64 = 8;
    let server = MongoDbServer::start();
    let prefix = fresh_prefix();
    let mut limiters = Vec::new();
    for _ in 0..STORAGES {
        let limiter = RateLimiter::builder().storage(storage_at(&server.url())).prefix(&prefix);
        let limiter = limiter.requests(100).window(3600).build().unwrap();
        // Connected before they race.
        limiter.test("nobody").await.unwrap();
        limiters.push(limiter);
    }
    let start = Arc::new(tokio::sync::Barrier::new(usize::try_from(STORAGES).unwrap()));
    for who in 0..10 {
        let mut running = JoinSet::new();
        for limiter in &limiters {
            let (limiter, start) = (limiter.clone(), start.clone());
            running.spawn(async move {
                start.wait().await;
                assert!(limiter.allow_request(who).await.unwrap());
            });
        }
        running.join_all().await;
        assert_eq!(limiters[0].usage(who).await.unwrap().count, STORAGES);
    }
    assert_eq!(records(&server).await.count_documents(doc! {}).await.unwrap(), 10);
}

#[tokio::test]
async fn a_version_never_comes_back() {
    let server = MongoDbServer::start();
    let limiter = limiter(&storage_at(&server.url()), Algorithm::FixedWindow, 1000);
    let key = limiter.key("ada");
    let mut versions = HashSet::new();
    for count in 0..60 {
        limiter.allow_request("ada").await.unwrap();
        let version = document(&server, &key).await.unwrap().get_i64("version").unwrap();
        assert!(versions.insert(version));
        if count % 3 == 0 {
            limiter.reset("ada").await.unwrap();
        }
    }
}

#[tokio::test]
async fn an_allowed_hit_is_one_update_and_anything_else_is_none() {
    let server = MongoDbServer::start();
    let limiter = limiter(&storage_at(&server.url()), Algorithm::MovingWindow, 1);
    limiter.test("nobody").await.unwrap();
    let before = server.updates().await;
    assert!(limiter.allow_request("ada").await.unwrap());
    assert_eq!(server.updates().await - before, 1);
    assert!(!limiter.allow_request("ada").await.unwrap());
    limiter.test("ada").await.unwrap();
    limiter.usage("ada").await.unwrap();
    assert_eq!(server.updates().await - before, 1);
}

#[tokio::test]
async fn the_time_is_the_servers() {
    const DAY: Duration = Duration::from_secs(86_400);
    let server = MongoDbServer::builder().clock_ahead(DAY).start();
    let storage = mongodb_at(&server.url());
    let here = || Micros::from_system_time(std::time::SystemTime::now());
    let before = here();
    let there = now(&storage).await;
    let ahead = Micros::from_duration(DAY);
    // To the millisecond.
    assert!(there >= before.plus(ahead).minus(Micros::new(1000)), "{there:?}");
    assert!(there <= here().plus(ahead), "{there:?}");
    // A record is kept by that time as well: a clock that is behind would have it removed at once.
    let limiter = limiter(&storage.into(), Algorithm::FixedWindow, 5);
    limiter.allow_request("ada").await.unwrap();
    let document = document(&server, &limiter.key("ada")).await.unwrap();
    let expires = document.get_datetime("expireAt").unwrap().timestamp_millis();
    assert!(u64::try_from(expires).unwrap() * 1000 >= there.plus(Micros::from_duration(HOUR)).get());
}

#[tokio::test]
async fn what_is_not_limitras_is_left_as_it_is() {
    let server = MongoDbServer::start();
    let storage = storage_at(&server.url());
    let limiter = limiter(&storage, Algorithm::FixedWindow, 5);
    let records = records(&server).await;
    let key = limiter.key("ada");
    let foreign = StorageErrorKind::ForeignValue;
    for (expected, fields) in [
        (foreign, doc! { "count": 3, "expireAt": DateTime::now() }),
        (foreign, doc! { "version": 3_i64, "value": "text" }),
        (foreign, doc! { "version": 3, "value": binary(b"LR\x01\x01") }),
        (foreign, doc! { "version": 3_i64, "value": binary(b"LR") }),
        (foreign, doc! { "version": -1_i64, "value": binary(b"LR\x01\x01") }),
        (StorageErrorKind::OtherVersion, doc! { "version": 3_i64, "value": binary(b"LR\x09\x01") }),
    ] {
        let mut stands = doc! { "_id": &key };
        stands.extend(fields);
        records.insert_one(&stands).await.unwrap();
        assert_eq!(kind(limiter.check("ada").await), expected, "{stands}");
        assert_eq!(kind(limiter.test("ada").await), expected, "{stands}");
        assert_eq!(document(&server, &key).await.unwrap(), stands);
        limiter.reset("ada").await.unwrap();
        assert!(document(&server, &key).await.is_none());
    }
}

#[tokio::test]
async fn a_reset_goes_by_pages_and_spares_what_is_not_a_record() {
    let server = MongoDbServer::start();
    let storage = mongodb_at(&server.url());
    let prefixed = mongodb_at(&format!("{}/?key_prefix=shop", server.url()));
    assert_eq!(storage.reset().await.unwrap(), 0);
    let records = records(&server).await;
    let record = |key: String| doc! { "_id": key, "version": 3_i64, "value": binary(b"LR\x01\x01") };
    let shop: Vec<Document> = (0..2500).map(|who| record(format!("shop:{who}"))).collect();
    records.insert_many(shop).await.unwrap();
    let others = ["a", "shop", "shop;", "shop-x:1", "z"].map(|key| record(key.to_owned()));
    records.insert_many(others).await.unwrap();
    let foreign = [
        doc! { "_id": "shop:foreign", "count": 3 },
        doc! { "_id": 5, "version": 3_i64, "value": binary(b"LR\x01\x01") },
        doc! { "_id": "foreign", "version": 3_i64, "value": "text" },
    ];
    records.insert_many(&foreign).await.unwrap();
    let elsewhere = server.client().await.database("limitra").collection::<Document>("elsewhere");
    elsewhere.insert_one(record("shop:1".to_owned())).await.unwrap();

    assert_eq!(prefixed.reset().await.unwrap(), 2500);
    assert_eq!(prefixed.reset().await.unwrap(), 0);
    assert_eq!(storage.reset().await.unwrap(), 5);
    for document in foreign {
        assert_eq!(records.find_one(doc! { "_id": document.get("_id") }).await.unwrap().unwrap(), document);
    }
    assert_eq!(records.count_documents(doc! {}).await.unwrap(), 3);
    assert_eq!(elsewhere.count_documents(doc! {}).await.unwrap(), 1);
}

#[tokio::test]
async fn a_server_that_belongs_to_no_replica_set_will_do() {
    let server = MongoDbServer::builder().standalone().start();
    let limiter = limiter(&storage_at(&server.url()), Algorithm::SlidingWindow, 1);
    assert!(limiter.allow_request("ada").await.unwrap());
    assert!(!limiter.allow_request("ada").await.unwrap());
}
