//! What `reset` removes, and what it leaves.

use limitra::{AnyStorage, Key, RateLimiter, RedisStorage, Storage as _, StorageErrorKind};
use limitra_tests::RedisServer;

use crate::monitor::Monitor;
use crate::stage::{Look, redis_at};

fn at(server: &RedisServer, prefix: Option<&str>) -> RedisStorage {
    let patience = std::time::Duration::from_secs(60);
    let storage =
        RedisStorage::builder().url(server.url()).response_timeout(patience).connect_timeout(patience);
    match prefix {
        Some(prefix) => storage.key_prefix(prefix).build().unwrap(),
        None => storage.build().unwrap(),
    }
}

async fn fill(storage: &RedisStorage, count: usize) -> RateLimiter {
    let limiter = RateLimiter::builder().requests(1).window(3600).storage(storage).build().unwrap();
    for who in 0..count {
        assert!(limiter.allow_request(who).await.unwrap());
    }
    limiter
}

#[tokio::test]
async fn values_of_others_survive_whatever_they_look_like() {
    let server = RedisServer::start();
    let mut look = Look::at(&server);
    let storage = redis_at(&server.url());
    let limiter = fill(&storage, 1200).await;
    let record = look.value(&limiter.key(7_u64));
    look.run::<()>(&["RPUSH", "list", "LR"]);
    look.run::<()>(&["HSET", "hash", "LR", "LR"]);
    look.run::<()>(&["SADD", "set", "LR"]);
    look.run::<()>(&["ZADD", "zset", "1", "LR"]);
    look.run::<()>(&["XADD", "stream", "*", "LR", "LR"]);
    let texts = ["", "L", "LR", "LR\u{1}", "LRU cache", "LR 1", "lr\u{1}\u{1}", "text"];
    for (place, text) in texts.iter().enumerate() {
        look.set(&format!("text{place}"), text.as_bytes());
    }
    // A record of another version is ours as well.
    look.set("limitra:of:the:future", b"LR\x03\x01and more");
    look.set("elsewhere", &record);
    assert_eq!(storage.reset().await.unwrap(), 1202);
    assert_eq!(look.keys("*").len(), 5 + texts.len());
    assert_eq!(storage.reset().await.unwrap(), 0);
    assert!(limiter.allow_request(7).await.unwrap());
}

#[tokio::test]
async fn a_prefix_is_a_text_and_no_pattern() {
    let server = RedisServer::start();
    let mut look = Look::at(&server);
    for prefix in ["*", "?", "[a-z]", "a\\", "[^a]", "a-b", "\\*", "{a}", "a:b", "%", "\"", "'", "**"] {
        let (storage, other) = (at(&server, Some(prefix)), at(&server, Some("abc")));
        let (limiter, _others) = (fill(&storage, 3).await, fill(&other, 3).await);
        assert!(look.exists(&format!("{prefix}:{}", limiter.key(1_u64))), "{prefix}");
        assert_eq!(storage.reset().await.unwrap(), 3, "{prefix}");
        assert_eq!(look.keys("abc:*").len(), 3, "{prefix}");
        assert_eq!(other.reset().await.unwrap(), 3, "{prefix}");
    }
}

#[tokio::test]
async fn a_prefix_keeps_applications_apart() {
    let server = RedisServer::start();
    let shop = AnyStorage::from(at(&server, Some("shop")));
    let [plain, shop] = [storage_of(at(&server, None)), shop]
        .map(|storage| RateLimiter::builder().requests(1).window(3600).storage(storage).build().unwrap());
    for limiter in [&plain, &shop] {
        assert!(limiter.allow_request("ada").await.unwrap());
        assert!(!limiter.allow_request("ada").await.unwrap());
    }
    plain.reset("ada").await.unwrap();
    assert!(!shop.allow_request("ada").await.unwrap());
    shop.reset("ada").await.unwrap();
    assert!(shop.allow_request("ada").await.unwrap());
}

fn storage_of(storage: RedisStorage) -> AnyStorage {
    storage.into()
}

#[tokio::test]
async fn it_goes_through_pages_and_never_stops_the_server() {
    let server = RedisServer::start();
    let storage = at(&server, Some("shop"));
    fill(&storage, 3000).await;
    let mut monitor = Monitor::start(&server);
    assert_eq!(storage.reset().await.unwrap(), 3000);
    let seen = monitor.look();
    let count = |name: &str| seen.asked.iter().filter(|asked| *asked == name).count();
    assert!(count("scan") >= 3, "{}", count("scan"));
    assert!(seen.asked.iter().all(|asked| ["scan", "evalsha", "eval"].contains(&&**asked)), "{seen:?}");
    assert!(seen.called.iter().all(|called| ["getrange", "unlink"].contains(&&**called)));
    // A script for each key: none of them takes long.
    assert_eq!(count("evalsha") + count("eval"), 3001);
    storage.clear(Key::from_text("x")).await.unwrap();
}

#[tokio::test]
async fn another_database_is_not_touched() {
    let server = RedisServer::start();
    let [one, two] = [1, 2].map(|db| redis_at(&format!("{}/{db}", server.url())));
    fill(&one, 5).await;
    fill(&two, 7).await;
    assert_eq!(one.reset().await.unwrap(), 5);
    assert_eq!(two.reset().await.unwrap(), 7);
}

/// A user who may not read would find nothing to remove: that is no success.
#[tokio::test]
async fn a_user_who_may_not_look_is_told_so() {
    let server = RedisServer::start();
    let storage = redis_at(&server.url());
    fill(&storage, 3).await;
    server.cli(&["ACL", "SETUSER", "clerk", "on", ">sesame", "~*", "+@all", "-getrange"]);
    let clerk = redis_at(&server.url().replace("redis://", "redis://clerk:sesame@"));
    let error = clerk.reset().await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Refused, "{error}");
    server.cli(&["ACL", "SETUSER", "clerk", "+getrange", "-unlink"]);
    let error = clerk.reset().await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Refused, "{error}");
    server.cli(&["ACL", "SETUSER", "clerk", "+unlink"]);
    assert_eq!(clerk.reset().await.unwrap(), 3);
}
