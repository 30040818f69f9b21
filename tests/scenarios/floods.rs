//! Identifiers without number.

use std::time::Duration;

use limitra::{Algorithm, Limit, ManualClock, MemoryStorage, RateLimiter};

#[tokio::test]
async fn an_exhausted_key_stays_exhausted_whatever_else_is_touched() {
    for (max_keys, flood) in [(1024, 100_000), (100_000, 100_000)] {
        let storage = MemoryStorage::with_max_keys(max_keys).unwrap();
        let of = |amount: u64| {
            let builder = RateLimiter::builder().requests(amount).window(3600).storage(&storage);
            builder.clock(ManualClock::new()).build().unwrap()
        };
        let (victim, other) = (of(5), of(1000));
        victim.check_cost("ada", 5).await.unwrap();
        for identifier in 0..flood {
            other.check(identifier).await.unwrap();
        }
        assert!(!victim.allow_request("ada").await.unwrap());
    }
}

/// The memory that this process has, in bytes.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[cfg(not(target_os = "linux"))]
fn resident() -> usize {
    0
}

/// So many identifiers come once each while a few are exceeded: of those none is forgotten, and no more records are held than
/// allowed. Says by how many bytes the process has grown.
async fn flood(algorithm: Algorithm, count: u64, max_keys: usize) -> usize {
    let storage = MemoryStorage::with_max_keys(max_keys).unwrap();
    // A bucket of hours is kept as a word; a window of forty years does not end meanwhile.
    let hours = Duration::from_secs(36_000);
    let window = if algorithm.is_bucket() { hours } else { Limit::MAX_WINDOW * 2 / 5 };
    let of = |amount: u64| {
        let limit = Limit::new(amount, window).unwrap();
        let builder = RateLimiter::builder().algorithm(algorithm).limit(limit).storage(&storage);
        builder.build().unwrap()
    };
    let (victims, others) = (of(2), of(1000));
    for victim in 0..100 {
        victims.check_cost(format!("victim {victim}"), 2).await.unwrap();
    }
    let (before, mut most) = (resident(), 0);
    for identifier in 0..count {
        assert!(others.allow_request(identifier).await.unwrap(), "{algorithm}: {identifier}");
        if identifier % 1024 == 0 {
            most = most.max(resident());
            assert!(storage.len() <= max_keys, "{algorithm}");
        }
    }
    for victim in 0..100 {
        assert!(!victims.allow_request(format!("victim {victim}")).await.unwrap(), "{algorithm}: {victim}");
    }
    most.saturating_sub(before)
}

#[tokio::test]
async fn a_flood_of_identifiers_that_come_once_flushes_no_exceeded_key_out() {
    // One is kept as a word, the other as a record.
    for algorithm in [Algorithm::Gcra, Algorithm::SlidingWindow] {
        flood(algorithm, 100_000, 10_000).await;
    }
}

/// Ten million identifiers, and the memory that they took at most. Each alone, for what one gives back is the next one's:
/// `cargo test --release -p limitra-tests --test scenarios -- --ignored --nocapture as_words`
async fn ten_million(algorithm: Algorithm, max_keys: usize, most: usize) {
    let started = std::time::Instant::now();
    let each = flood(algorithm, 10_000_000, max_keys).await / max_keys;
    println!("{algorithm}, max_keys {max_keys}: {each} bytes a key, {:?}", started.elapsed());
    assert!(each < most, "{algorithm}: {each} bytes a key");
}

#[tokio::test]
#[ignore = "takes a minute; what it measured is in SECURITY.md"]
async fn ten_million_identifiers_that_come_once_take_no_more_memory_than_max_keys_allows_as_words() {
    ten_million(Algorithm::Gcra, 1_000_000, 128).await;
}

#[tokio::test]
#[ignore = "takes a minute; what it measured is in SECURITY.md"]
async fn ten_million_identifiers_that_come_once_take_no_more_memory_than_max_keys_allows_as_records() {
    ten_million(Algorithm::SlidingWindow, 100_000, 512).await;
}

#[tokio::test]
#[ignore = "takes a minute; what it measured is in SECURITY.md"]
async fn ten_million_identifiers_that_come_once_take_no_more_memory_than_max_keys_allows_as_logs() {
    ten_million(Algorithm::MovingWindow, 100_000, 1024).await;
}
