//! What is stored, for how long, and what it costs.

use std::collections::HashSet;
use std::time::Duration;

use limitra::{Algorithm, ManualClock, MemcachedStorage, RateLimiter, Storage, StorageErrorKind};
use limitra_tests::{MemcachedServer, fresh_prefix};

use crate::stage::{DAY, HOUR, fresh, kind, limiter, limiter_of, seconds_left, storage_at, value};

#[tokio::test]
async fn a_record_is_one_value_under_the_key_that_the_limiter_says() {
    let server = MemcachedServer::start();
    let limiter = limiter(&storage_at(&server.url()), 5);
    assert!(limiter.allow_request("ada").await.unwrap());
    let key = limiter.key("ada");
    let bytes = value(&server, &key).unwrap();
    assert_eq!(bytes.len(), 28);
    assert!(bytes.starts_with(b"LR"), "{bytes:?}");
    assert_eq!(server.figure("curr_items"), 1);
    limiter.reset("ada").await.unwrap();
    assert_eq!(server.figure("curr_items"), 0);
    // There is nothing to clear any more, and that is fine.
    limiter.reset("ada").await.unwrap();
}

#[tokio::test]
async fn an_allowed_hit_is_a_load_and_a_swap_and_anything_else_is_a_load() {
    let server = MemcachedServer::start();
    let limiter = limiter(&storage_at(&server.url()), 2);
    let counts = || (server.figure("cmd_get"), server.figure("cmd_set"));
    let (gets, sets) = counts();
    assert!(limiter.allow_request("ada").await.unwrap());
    assert_eq!(counts(), (gets + 1, sets + 1));
    assert!(limiter.allow_request("ada").await.unwrap());
    assert_eq!(counts(), (gets + 2, sets + 2));
    assert!(!limiter.allow_request("ada").await.unwrap());
    assert_eq!(counts(), (gets + 3, sets + 2));
    limiter.test("ada").await.unwrap();
    limiter.usage("ada").await.unwrap();
    assert_eq!(counts(), (gets + 5, sets + 2));
}

#[tokio::test]
async fn every_write_of_every_algorithm_leaves_an_expiry() {
    let server = MemcachedServer::start();
    let storage = storage_at(&server.url());
    for algorithm in Algorithm::ALL {
        let limiter = limiter_of(&storage, *algorithm, 5, HOUR);
        for count in 1..=7 {
            limiter.allow_request("ada").await.unwrap();
            let left = seconds_left(&server, &limiter.key("ada"));
            assert!((1..=2 * 3600 + 61).contains(&left), "{algorithm} {count}: {left}");
        }
    }
}

#[tokio::test]
async fn a_limit_of_more_than_thirty_days_limits() {
    let server = MemcachedServer::start();
    let storage = storage_at(&server.url());
    let month = DAY * 30;
    let less = DAY * 29 + HOUR * 23;
    for window in [less, month, month + Duration::from_secs(1), DAY * 60, DAY * 365] {
        for algorithm in [Algorithm::FixedWindow, Algorithm::SlidingWindow, Algorithm::MovingWindow] {
            let limiter = limiter_of(&storage, algorithm, 1, window);
            assert!(limiter.allow_request("ada").await.unwrap(), "{algorithm} {window:?}");
            assert!(!limiter.allow_request("ada").await.unwrap(), "{algorithm} {window:?}");
            let left = seconds_left(&server, &limiter.key("ada"));
            let seconds = i64::try_from(window.as_secs()).unwrap();
            // A sliding window is of use for two of them, from the beginning of this one on.
            assert!((seconds..=2 * seconds + 3700).contains(&left), "{algorithm} {window:?}: {left}");
        }
    }
}

#[tokio::test]
async fn a_limit_that_memcached_has_no_expiry_for_limits() {
    let server = MemcachedServer::start();
    let limiter = limiter_of(&storage_at(&server.url()), Algorithm::FixedWindow, 1, DAY * 36_500);
    assert!(limiter.allow_request("ada").await.unwrap());
    assert!(!limiter.allow_request("ada").await.unwrap());
    assert_eq!(seconds_left(&server, &limiter.key("ada")), -1);
}

#[tokio::test]
async fn a_record_that_expired_is_a_fresh_one() {
    let server = MemcachedServer::start();
    let clock = ManualClock::new();
    let limiter =
        fresh(&storage_at(&server.url())).requests(1).window(60).clock(clock.clone()).build().unwrap();
    assert!(limiter.allow_request("ada").await.unwrap());
    assert!(!limiter.allow_request("ada").await.unwrap());
    server.ask(&format!("md {}\r\n", limiter.key("ada")));
    assert!(limiter.allow_request("ada").await.unwrap());
    clock.advance(Duration::from_secs(60));
    assert!(limiter.allow_request("ada").await.unwrap());
}

#[tokio::test]
async fn hostile_identifiers_are_told_apart_and_told_the_server_nothing() {
    let server = MemcachedServer::start();
    server.ask("ms witness 1 T0\r\nx\r\n");
    let prefix = fresh_prefix();
    let storage = storage_at(&server.url());
    let limiter = RateLimiter::builder().requests(1).window(3600).storage(&storage).prefix(&prefix);
    // Fields so long that the key as a whole is too long for memcached.
    let limiter = limiter.scope("s".repeat(128)).suffix("t".repeat(100)).build().unwrap();
    let short = fresh(&storage).requests(1).window(3600).build().unwrap();
    let long = "x".repeat(5000);
    let identifiers = [
        "",
        " ",
        "a b",
        "a_b",
        "a\r\nflush_all\r\n",
        "\0",
        "\u{7f}",
        "%~~",
        "é",
        "e\u{301}",
        "日本語",
        "🦀",
        "\u{a0}",
        "\u{2028}",
        &"x".repeat(127),
        &"x".repeat(128),
        &"x".repeat(250),
        &long,
        &format!("{long}1"),
    ];
    for limiter in [&limiter, &short] {
        for identifier in identifiers {
            assert!(limiter.allow_request(identifier).await.unwrap(), "{identifier:?}");
        }
        for identifier in identifiers {
            assert!(!limiter.allow_request(identifier).await.unwrap(), "{identifier:?}");
        }
    }
    assert!(limiter.key("ada").len() > 250);
    assert_eq!(server.ask("mg witness v\r\n"), "VA 1\r\nx");
    assert_eq!(server.keys().into_iter().collect::<HashSet<_>>().len(), 2 * identifiers.len() + 1);
    // Others must find the same.
    let again = storage_at(&server.url());
    let again = RateLimiter::builder().requests(1).window(3600).storage(&again).prefix(&prefix);
    let again = again.scope("s".repeat(128)).suffix("t".repeat(100)).build().unwrap();
    assert!(!again.allow_request(&*long).await.unwrap());
    limiter.reset(&*long).await.unwrap();
    assert!(again.allow_request(&*long).await.unwrap());
}

#[tokio::test]
async fn a_foreign_value_is_a_typed_error_and_left_as_it_is() {
    let server = MemcachedServer::start();
    let limiter = limiter(&storage_at(&server.url()), 5);
    let key = limiter.key("ada");
    for (foreign, expected) in
        [("hallo", StorageErrorKind::ForeignValue), ("LR\u{7f}\u{1}more", StorageErrorKind::OtherVersion)]
    {
        server.ask(&format!("ms {key} {} T0\r\n{foreign}\r\n", foreign.len()));
        assert_eq!(kind(limiter.allow_request("ada").await), expected);
        assert_eq!(kind(limiter.usage("ada").await), expected);
        assert_eq!(value(&server, &key).unwrap(), foreign.as_bytes());
    }
}

#[test]
fn the_largest_record_fits_into_an_item() {
    for (server, size) in [
        (MemcachedServer::start(), 1024 * 1024),
        (MemcachedServer::builder().argument("-I").argument("4m").start(), 4 * 1024 * 1024),
    ] {
        let storage = MemcachedStorage::builder().url(server.url()).max_item_size(size).build().unwrap();
        let most = Storage::bounds(&storage).record_bytes;
        assert_eq!(most, size - 512);
        let (key, record) = ("k".repeat(250), "x".repeat(most));
        assert_eq!(server.ask(&format!("ms {key} {most} T60\r\n{record}\r\n")), "HD");
    }
}

#[tokio::test]
async fn a_server_that_has_no_room_and_does_not_evict_says_so_and_forgets_the_record() {
    let server = MemcachedServer::builder().argument("-M").start();
    let limiter = limiter(&storage_at(&server.url()), 5);
    assert!(limiter.allow_request("eve").await.unwrap());
    // All memory is there for large values, then what is there for values like ours is full too.
    for length in [500_000, 40, 10] {
        let value = "x".repeat(length);
        let fill = |number: u32| format!("ms {number:040} {length} T0\r\n{value}\r\n");
        let count = if length == 500_000 { 200 } else { 50_000 };
        assert!(server.ask(&(0..count).map(fill).collect::<String>()).contains("SERVER_ERROR out of memory"));
    }
    let error = limiter.allow_request("ada").await.unwrap_err();
    assert!(error.to_string().contains("out of memory storing object"), "{error}");
    assert_eq!(kind::<()>(Err(error)), StorageErrorKind::Refused);
    // What it had under the key is gone with it: that is how memcached refuses.
    assert_eq!(limiter.usage("eve").await.unwrap().count, 1);
    assert_eq!(kind(limiter.allow_request("eve").await), StorageErrorKind::Refused);
    assert_eq!(limiter.usage("eve").await.unwrap().count, 0);
}

#[tokio::test]
async fn a_server_without_cas_numbers_is_a_typed_error() {
    let server = MemcachedServer::builder().argument("-C").start();
    let limiter = limiter(&storage_at(&server.url()), 5);
    // The first hit adds, which needs no number.
    assert!(limiter.allow_request("ada").await.unwrap());
    assert_eq!(kind(limiter.allow_request("ada").await), StorageErrorKind::Unsupported);
}
