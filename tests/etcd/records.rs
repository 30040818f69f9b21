//! What stands in etcd.

use std::borrow::Cow;
use std::collections::HashSet;

use etcd_client::CompactionOptions;
use limitra::{
    Algorithm, AnyStorage, Attempt, Clock, Key, Limit, Mode, RateLimiter, Rule, Storage as _,
    StorageErrorKind, Subject, check_all,
};
use limitra_tests::{EtcdServer, fresh_prefix};

use crate::stage::{HOUR, etcd_at, kind, limiter, look, value};

#[tokio::test]
async fn a_record_stands_under_the_key_that_the_limiter_names_behind_the_prefix() {
    let server = EtcdServer::start();
    let storage = etcd_at(&format!("{}?key_prefix=shop", server.url()));
    let limiter = limiter(&storage, Algorithm::FixedWindow, 5);
    assert!(limiter.allow_request("ada").await.unwrap());
    let client = look(&server).await;
    let found = value(&client, &format!("shop:{}", limiter.key("ada"))).await.unwrap();
    assert_eq!((found.value().len(), &found.value()[..2]), (28, &b"LR"[..]));
    // A refusal and a look write nothing.
    for _ in 0..4 {
        assert!(limiter.allow_request("ada").await.unwrap());
    }
    assert!(!limiter.allow_request("ada").await.unwrap());
    limiter.usage("ada").await.unwrap();
    let found = value(&client, &format!("shop:{}", limiter.key("ada"))).await.unwrap();
    assert_eq!(found.version(), 5);
    limiter.reset("ada").await.unwrap();
    limiter.reset("ada").await.unwrap();
    assert!(server.keys("").is_empty());
}

#[tokio::test]
async fn what_is_not_limitras_is_an_error_and_left_alone() {
    let server = EtcdServer::start();
    let limiter = limiter(etcd_at(&server.url()), Algorithm::FixedWindow, 5);
    for (text, expected) in [
        ("hello", StorageErrorKind::ForeignValue),
        ("", StorageErrorKind::ForeignValue),
        ("LR\u{7f}rest", StorageErrorKind::OtherVersion),
    ] {
        let key = limiter.key("ada");
        server.cli(&["put", "--", &key, text]);
        assert_eq!(kind(limiter.allow_request("ada").await), expected, "{text:?}");
        assert_eq!(kind(limiter.test("ada").await), expected, "{text:?}");
        assert_eq!(server.cli(&["get", "--print-value-only", &key]), text);
    }
}

#[tokio::test]
async fn reset_leaves_what_is_not_limitras() {
    let server = EtcdServer::start();
    let storage = etcd_at(&server.url());
    // More than a page on either side of it.
    let limiter = limiter(&storage, Algorithm::FixedWindow, 5);
    for who in 0..230 {
        assert!(limiter.allow_request(who).await.unwrap());
    }
    let client = look(&server).await;
    let foreign: Vec<(Vec<u8>, Vec<u8>)> = (0..150_u8)
        .map(|number| (vec![number, 0, 255, number], vec![number; usize::from(number)]))
        .chain([(b"t".to_vec(), b"LR".to_vec()), (b"u".to_vec(), b"LQ\xff".to_vec())])
        .chain([(b"zz".to_vec(), b"LS".to_vec()), (b"{".to_vec(), Vec::new())])
        .collect();
    for (key, value) in &foreign {
        client.kv_client().put(key.clone(), value.clone(), None).await.unwrap();
    }
    assert_eq!(storage.reset().await.unwrap(), 230);
    assert_eq!(storage.reset().await.unwrap(), 0);
    for (key, value) in foreign {
        let found = client.kv_client().get(key, None).await.unwrap();
        assert_eq!(found.kvs()[0].value(), value);
    }
}

#[tokio::test]
async fn compaction_takes_no_count_away() {
    let server = EtcdServer::start();
    let limiter = limiter(etcd_at(&server.url()), Algorithm::MovingWindow, 20);
    let client = look(&server).await;
    for count in 1..=20 {
        assert!(limiter.allow_request("ada").await.unwrap());
        let revision = value(&client, &limiter.key("ada")).await.unwrap().mod_revision();
        client.kv_client().compact(revision, Some(CompactionOptions::new().with_physical())).await.unwrap();
        assert_eq!(limiter.usage("ada").await.unwrap().count, count);
    }
    assert!(!limiter.allow_request("ada").await.unwrap());
    server.cli(&["defrag"]);
    assert!(!limiter.allow_request("ada").await.unwrap());
}

#[tokio::test]
async fn a_record_that_was_deleted_and_made_again_is_not_taken_for_the_old_one() {
    let server = EtcdServer::start();
    let storage = etcd_at(&server.url());
    let limiter = limiter(&storage, Algorithm::FixedWindow, 5);
    let client = look(&server).await;
    let mut seen = HashSet::new();
    for _ in 0..10 {
        assert!(limiter.allow_request("ada").await.unwrap());
        assert!(seen.insert(value(&client, &limiter.key("ada")).await.unwrap().mod_revision()));
        limiter.reset("ada").await.unwrap();
    }
}

#[tokio::test]
async fn identifiers_that_mean_harm_are_only_identifiers() {
    let server = EtcdServer::start();
    let limiter = limiter(etcd_at(&format!("{}?key_prefix=a;b", server.url())), Algorithm::FixedWindow, 1);
    let long = vec![b'x'; 100_000];
    let identifiers = [
        &b""[..],
        b"\0",
        b"\xff\xff",
        b"a;b:",
        b"/",
        b"../..",
        b"*",
        b"--prefix",
        b"LR\x01",
        b"%empty",
        b"\r\n\r\nDELETE /",
        "\u{202e}ada".as_bytes(),
        &long,
    ];
    for identifier in identifiers {
        assert!(limiter.allow_request(identifier).await.unwrap(), "{identifier:?}");
    }
    for identifier in identifiers {
        assert!(!limiter.allow_request(identifier).await.unwrap(), "{identifier:?}");
    }
    assert_eq!(server.keys("a;b:").len(), identifiers.len());
}

#[tokio::test]
async fn subjects_of_one_decision_are_written_at_one_revision() {
    let server = EtcdServer::start();
    let storage: AnyStorage = etcd_at(&server.url()).into();
    let most = storage.bounds().subjects;
    let limiters: Vec<RateLimiter> =
        (0..=most).map(|_| limiter(&storage, Algorithm::TokenBucket, 2)).collect();
    assert!(check_all(limiters.iter().map(|limiter| limiter.of("ada"))).await.is_err(), "one too many");
    for allowed in [true, true, false] {
        let decision = check_all(limiters[..most].iter().map(|limiter| limiter.of("ada"))).await.unwrap();
        assert_eq!(decision.is_allowed(), allowed);
    }
    let client = look(&server).await;
    let mut revisions = HashSet::new();
    for limiter in &limiters[..most] {
        revisions.insert(value(&client, &limiter.key("ada")).await.unwrap().mod_revision());
    }
    assert_eq!(revisions.len(), 1);
}

#[tokio::test]
async fn records_that_are_too_large_together_are_an_error_and_none_is_charged() {
    let server = EtcdServer::start();
    let storage = etcd_at(&server.url());
    let amount = 80_000;
    let rules = [Rule::new(Algorithm::MovingWindow, Limit::new(amount, HOUR).unwrap()).unwrap()];
    let keys = [fresh_prefix(), fresh_prefix()];
    let subjects = keys.each_ref().map(|key| Subject {
        key: Key::from_text(key),
        rules: Cow::Borrowed(&rules[..]),
        cost: 1,
    });
    let decide = async |subjects: &[Subject<'_>], mode| {
        storage.decide(&Attempt { subjects, clock: Clock::Storage, mode }).await
    };
    // Full logs, as the driver writes them: an instant for each of many hits would take long.
    let client = look(&server).await;
    let full = full_log(amount - 10);
    for key in &keys {
        client.kv_client().put(key.as_str(), full.clone(), None).await.unwrap();
    }
    assert!(decide(&subjects[..1], Mode::Hit).await.unwrap().is_allowed());
    // Both are read, in more bytes than the library takes by default of any one answer; written they are too large for etcd.
    assert!(decide(&subjects, Mode::Peek).await.unwrap().is_allowed());
    let error = decide(&subjects, Mode::Hit).await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Full, "{error}");
    assert_eq!(value(&client, &keys[1]).await.unwrap().version(), 1);
}

/// A record of a moving window with so many hits, each a microsecond after the one before.
fn full_log(hits: u64) -> Vec<u8> {
    use limitra::{Micros, Record};

    let now = Micros::from(std::time::SystemTime::now()).get() - hits - 1_000_000;
    let rules = [Rule::new(Algorithm::MovingWindow, Limit::new(hits + 10, HOUR).unwrap()).unwrap()];
    let mut records = [Record::default()];
    for hit in 0..hits {
        let now = Micros::new(now + hit);
        let subjects = [Subject { key: Key::from_text("any"), rules: Cow::Borrowed(&rules[..]), cost: 1 }];
        let attempt = Attempt { subjects: &subjects, clock: Clock::At(now), mode: Mode::Hit };
        assert!(attempt.decide(&mut records, now).unwrap().outcome.is_allowed());
    }
    records[0].to_bytes()
}
