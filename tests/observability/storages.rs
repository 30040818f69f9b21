//! On real servers: what is counted of commands, and what errors tell.

use std::fmt::Write as _;

use limitra::{Algorithm, AnyStorage, Error, LimitraConfig, RateLimiter, StorageErrorKind, storage};
use limitra_tests::{RedisServer, fresh_prefix};

use crate::recorder::Kept;
use crate::stage::HOUR;

#[tokio::test]
async fn decisions_that_go_together_are_counted_by_command() {
    let (kept, _guard) = Kept::here();
    let server = RedisServer::start();
    let storage = storage::from_url(&server.url(), ()).unwrap();
    let builder = RateLimiter::builder().storage(&storage).prefix(fresh_prefix());
    let limiter = builder.requests(1000).window(HOUR).build().unwrap();
    limiter.check_many(0..300).await;
    let mut running = tokio::task::JoinSet::new();
    for who in 0..100 {
        let limiter = limiter.clone();
        running.spawn(async move { limiter.allow_request(who).await });
    }
    while let Some(answer) = running.join_next().await {
        assert!(answer.unwrap().unwrap());
    }
    let commands = kept.histogram(r#"limitra_command_decisions{storage="redis"}"#);
    #[allow(clippy::float_cmp)] // Whole numbers.
    let is_exact = commands.iter().sum::<f64>() == 400.0;
    assert!(is_exact && commands.len() < 100, "{commands:?}");
    assert!(commands.contains(&128.0) && commands.contains(&1.0), "{commands:?}");
}

/// All that an error says to whoever looks at it.
fn all_of(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        write!(text, " {cause} {cause:?}").unwrap();
        source = cause.source();
    }
    text
}

async fn error_of(storage: &AnyStorage) -> (StorageErrorKind, String) {
    let limits = LimitraConfig::new().storage(storage.shared()).deadline(HOUR).build().unwrap();
    let limiter = limits.limiter().algorithm(Algorithm::Gcra).requests(10).window(HOUR).build().unwrap();
    let error = limiter.check("s3cret").await.unwrap_err();
    let Error::Storage(storage_error) = &error else { panic!("{error:?}") };
    (storage_error.kind(), format!("{} {:?}", all_of(&error), limits.health()))
}

#[tokio::test]
async fn no_error_of_redis_names_an_identifier() {
    let server = RedisServer::start();
    let storage = storage::from_url(&server.url(), ()).unwrap();
    let key = "limitra:::user:s3cret:";
    let mut seen = Vec::new();
    let mut errors = Vec::new();
    for spoil in [
        &["SET", key, "somebody else's"][..],
        &["LPUSH", key, "x"],
        &["CONFIG", "SET", "maxmemory", "1"],
        &["ACL", "SETUSER", "default", "resetkeys", "~other*"],
        &["ACL", "SETUSER", "default", "-@scripting"],
    ] {
        server.cli(&["DEL", key]);
        server.cli(spoil);
        let (kind, text) = error_of(&storage).await;
        seen.push(kind);
        errors.push(text);
    }
    assert_eq!(seen[0], StorageErrorKind::ForeignValue);
    assert_eq!(seen[3], StorageErrorKind::Refused);
    for text in errors {
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[tokio::test]
async fn no_error_of_a_storage_that_is_away_names_an_identifier() {
    let mut urls = vec!["redis://127.0.0.1:1"];
    urls.extend(cfg!(feature = "memcached").then_some("memcached://127.0.0.1:1"));
    urls.extend(cfg!(feature = "etcd").then_some("etcd://127.0.0.1:1"));
    urls.extend(cfg!(feature = "postgres").then_some("postgres://somebody@127.0.0.1:1/database"));
    for url in urls {
        let (_, text) = error_of(&storage::from_url(url, ()).unwrap()).await;
        assert!(!text.contains("s3cret"), "{text}");
    }
}
