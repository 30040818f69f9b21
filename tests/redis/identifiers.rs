//! Identifiers that somebody chose to do harm.

use std::collections::HashSet;

use limitra::{Algorithm, RateLimiter};
use limitra_tests::{RedisServer, random_number};
use tokio::task::JoinSet;

use crate::stage::{Look, fresh, limit, limiter, storage_at};

/// Longer than any key.
const LONGEST_KEY: usize = 1024;

/// Bytes of any kind, mostly of those that mean something to somebody.
fn hostile() -> Vec<u8> {
    const PIECES: [&[u8]; 16] = [
        b"{",
        b"}",
        b"{}",
        b":",
        b"/",
        b"*",
        b"\n",
        b"\r\n",
        b"\0",
        b"%",
        b"%7B",
        b",",
        b"\xff",
        b"\xc3\x28",
        b" ",
        b"a",
    ];
    let mut identifier = Vec::new();
    for _ in 0..random_number() % 24 {
        let number = random_number();
        match number % 4 {
            0 => identifier.push(u8::try_from(number >> 8 & 0xff).unwrap()),
            _ => identifier.extend(PIECES[usize::try_from((number >> 8) % 16).unwrap()]),
        }
    }
    identifier
}

/// Asks for all of them, many at once; returns how many were allowed.
async fn allowed(limiter: &RateLimiter, identifiers: &HashSet<Vec<u8>>) -> usize {
    let identifiers: Vec<Vec<u8>> = identifiers.iter().cloned().collect();
    let mut running = JoinSet::new();
    for some in identifiers.chunks(200) {
        let (limiter, some) = (limiter.clone(), some.to_vec());
        running.spawn(async move {
            let mut allowed = 0;
            for identifier in some {
                allowed += usize::from(limiter.allow_request(identifier).await.unwrap());
            }
            allowed
        });
    }
    running.join_all().await.into_iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_hostile_identifiers_have_counters_of_their_own_under_bounded_keys() {
    const COUNT: usize = 10_000;
    let server = RedisServer::start();
    let limiter = limiter(&storage_at(&server.url()), Algorithm::FixedWindow, 1);
    let mut identifiers: HashSet<Vec<u8>> = [b"".to_vec()].into();
    while identifiers.len() < COUNT {
        identifiers.insert(hostile());
    }
    assert_eq!(allowed(&limiter, &identifiers).await, COUNT);
    assert_eq!(allowed(&limiter, &identifiers).await, 0);
    let mut look = Look::at(&server);
    assert_eq!(look.run::<usize>(&["DBSIZE"]), COUNT);
    for key in look.keys("*") {
        assert!(key.len() <= LONGEST_KEY && !key.contains(['{', '}', '\n', '\0', ' ']), "{key:?}");
    }
}

#[tokio::test]
async fn identifiers_of_a_mebibyte_have_counters_of_their_own_under_bounded_keys() {
    let server = RedisServer::start();
    let limiter = limiter(&storage_at(&server.url()), Algorithm::FixedWindow, 1);
    let zeros = vec![0; 1 << 20];
    let text = vec![b'a'; 1 << 20];
    let mut other = text.clone();
    *other.last_mut().unwrap() = b'b';
    let shorter = text[1..].to_vec();
    for identifier in [&zeros, &text, &other, &shorter] {
        assert!(limiter.allow_request(identifier).await.unwrap());
        assert!(!limiter.allow_request(identifier).await.unwrap());
        assert!(limiter.key(identifier).len() <= LONGEST_KEY);
    }
    assert_eq!(Look::at(&server).run::<usize>(&["DBSIZE"]), 4);
}

#[tokio::test]
async fn hashed_identifiers_do_not_stand_in_the_storage() {
    let server = RedisServer::start();
    let storage = storage_at(&server.url());
    let limiter = fresh(&storage).limit(limit(1, crate::stage::HOUR)).hash_identifiers(true).build().unwrap();
    for identifier in ["ada@example.org", "192.0.2.7"] {
        assert!(limiter.allow_request(identifier).await.unwrap());
        assert!(!limiter.allow_request(identifier).await.unwrap());
    }
    let keys = Look::at(&server).keys("*").join(" ");
    assert!(!keys.contains("ada") && !keys.contains("192.0.2.7"), "{keys}");
}

#[tokio::test]
async fn a_key_of_any_prefix_project_and_suffix_is_what_the_limiter_says() {
    let server = RedisServer::start();
    let storage = storage_at(&server.url());
    let mut look = Look::at(&server);
    for odd in ["{tag}", "a b", "new\nline", "", "*"] {
        let limiter = RateLimiter::builder()
            .storage(&storage)
            .limit(limit(1, crate::stage::HOUR))
            .prefix(odd)
            .project(odd)
            .scope(odd)
            .suffix(odd)
            .build()
            .unwrap();
        assert!(limiter.allow_request("ada").await.unwrap());
        assert!(look.exists(&limiter.key("ada")), "{odd:?}");
    }
}
