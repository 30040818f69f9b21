//! A configuration as a handle: what limiters take from it, and what it refuses.
#![allow(missing_docs, clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use limitra::{
    Algorithm, AnyStorage, Attempt, Backend, ConfigurationError, Error, Key, Limitra, LimitraConfig,
    ManualClock, MemoryStorage, Outcome, RedisStorage, Storage, StorageError, StorageErrorKind, rate_limit,
};

/// Nobody listens there.
const NOBODY: &str = "redis://ada:s3cret@127.0.0.1:1/";

/// A storage that never answers anything but an error.
#[derive(Debug)]
struct Down;

fn down() -> Arc<dyn Storage> {
    Arc::new(Down)
}

impl Down {
    fn error() -> StorageError {
        StorageError::new(StorageErrorKind::Unavailable, "down", "decide")
    }
}

#[async_trait]
impl Storage for Down {
    fn name(&self) -> &'static str {
        "down"
    }

    async fn decide(&self, _attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        Err(Self::error())
    }

    async fn clear(&self, _key: Key<'_>) -> Result<(), StorageError> {
        Err(Self::error())
    }

    async fn ping(&self) -> Result<(), StorageError> {
        Err(Self::error())
    }
}

fn client() -> redis::Client {
    redis::Client::open(NOBODY).unwrap()
}

/// The backend of a limiter that says nothing of it.
fn default_backend(config: LimitraConfig) -> &'static str {
    config.build().unwrap().limiter().requests(1).window(60).build().unwrap().config().backend
}

#[track_caller]
fn assert_refused(config: LimitraConfig, words: &[&str]) {
    let shown = format!("{config:?}");
    let Err(error) = config.build() else { panic!("accepted: {shown}") };
    for word in words {
        assert!(error.to_string().contains(word), "`{word}` is missing in: {error}");
    }
    assert!(!error.to_string().contains("s3cret"), "{error}");
    assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
}

#[test]
fn a_limiter_takes_every_setting_from_its_handle() {
    let limits = LimitraConfig::new()
        .prefix("rl")
        .project("blog")
        .suffix("v2")
        .default_algorithm(Algorithm::Gcra)
        .fail_open(true)
        .build()
        .unwrap();
    let limiter = limits.limiter().requests(5).window(60).build().unwrap();
    let config = limiter.config();
    assert_eq!((config.algorithm, config.fail_open, config.backend), (Algorithm::Gcra, true, "memory"));
    assert_eq!(config.prefix.as_deref(), Some("rl"));
    assert_eq!(config.project.as_deref(), Some("blog"));
    assert_eq!(config.suffix.as_deref(), Some("v2"));
    assert_eq!(limiter.key("ada"), "rl:blog::user:ada:v2");
}

#[test]
fn what_a_limiter_says_itself_wins_over_its_handle() {
    let limits = LimitraConfig::new()
        .prefix("rl")
        .project("blog")
        .suffix("v2")
        .default_algorithm("gcra")
        .fail_open(true)
        .hash_identifiers(true)
        .build()
        .unwrap();
    let limiter = limits
        .limiter()
        .requests(5)
        .window(60)
        .prefix("mine")
        .project("shop")
        .suffix("v3")
        .algorithm("fixed_window")
        .fail_open(false)
        .hash_identifiers(false)
        .build()
        .unwrap();
    assert_eq!((limiter.config().algorithm, limiter.config().fail_open), (Algorithm::FixedWindow, false));
    assert_eq!(limiter.key("ada"), "mine:shop::user:ada:v3");
}

#[test]
fn a_handle_of_nothing_is_the_defaults() {
    let limiter = LimitraConfig::new().build().unwrap().limiter().requests(5).window(60).build().unwrap();
    let config = limiter.config();
    assert_eq!(
        (config.algorithm, config.fail_open, config.backend),
        (Algorithm::SlidingWindow, false, "memory")
    );
    assert_eq!(limiter.key("ada"), "limitra:::user:ada:");
}

#[tokio::test]
async fn limiters_and_functions_of_one_handle_share_its_storage_and_clock() {
    #[rate_limit(requests = 1, window = 60, algorithm = "fixed_window", limitra = limits)]
    async fn create_post(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let clock = ManualClock::new();
    let limits = LimitraConfig::new().clock(clock.clone()).build().unwrap();
    let limiter = || limits.limiter().requests(1).window(60).algorithm("fixed_window").build().unwrap();
    assert!(limiter().allow_request("ada").await.unwrap());
    assert!(!limiter().allow_request("ada").await.unwrap());
    create_post(&limits).await.unwrap();
    create_post(&limits.clone()).await.unwrap_err();
    clock.advance(Duration::from_secs(60));
    assert!(limiter().allow_request("ada").await.unwrap());
    create_post(&limits).await.unwrap();
}

#[tokio::test]
async fn two_handles_count_apart() {
    for _ in 0..2 {
        let limits = LimitraConfig::new().build().unwrap();
        let limiter = limits.limiter().requests(1).window(60).build().unwrap();
        assert!(limiter.allow_request("ada").await.unwrap());
        assert!(!limiter.allow_request("ada").await.unwrap());
    }
}

#[test]
fn the_default_backend_is_what_is_given() {
    assert_eq!(default_backend(LimitraConfig::new()), "memory");
    assert_eq!(default_backend(LimitraConfig::new().redis_url(NOBODY)), "redis");
    assert_eq!(default_backend(LimitraConfig::new().redis_client(client())), "redis");
    assert_eq!(default_backend(LimitraConfig::new().storage(MemoryStorage::new())), "memory");
    assert_eq!(default_backend(LimitraConfig::new().storage(down())), "down");
    assert_eq!(default_backend(LimitraConfig::new().default_backend("memory")), "memory");
    assert_eq!(default_backend(LimitraConfig::new().redis_url(NOBODY).default_backend("memory")), "memory");
    assert_eq!(default_backend(LimitraConfig::new().storage(down()).default_backend("memory")), "memory");
    assert_eq!(
        default_backend(LimitraConfig::new().redis_url(NOBODY).default_backend(Backend::Redis)),
        "redis"
    );
    let storage = Arc::new(RedisStorage::from_url(NOBODY).unwrap());
    assert_eq!(default_backend(LimitraConfig::new().storage(storage).default_backend("redis")), "redis");
}

#[test]
fn a_limiter_names_its_backend_over_the_default_one() {
    let limits = LimitraConfig::new().redis_url(NOBODY).build().unwrap();
    let backend =
        |name: &str| limits.limiter().requests(1).window(60).backend(name).build().unwrap().config().backend;
    assert_eq!((backend("memory"), backend("redis")), ("memory", "redis"));
}

#[tokio::test]
async fn a_memory_that_was_given_is_the_memory_backend() {
    let memory = MemoryStorage::with_max_keys(10).unwrap();
    for config in [
        LimitraConfig::new().storage(&memory),
        LimitraConfig::new().storage(&memory).default_backend("memory"),
    ] {
        let limits = config.build().unwrap();
        memory.reset();
        let limiter = limits.limiter().requests(1).window(60).build().unwrap();
        let named = limits.limiter().requests(1).window(60).backend("memory").build().unwrap();
        assert!(limiter.allow_request("ada").await.unwrap());
        assert!(!named.allow_request("ada").await.unwrap());
        assert_eq!(memory.len(), 1);
    }
}

#[test]
fn redis_as_the_backend_needs_something_that_reaches_it() {
    let words = ["backend is redis", "`redis_url`, `redis_client` or `storage`"];
    assert_refused(LimitraConfig::new().default_backend("redis"), &words);
    assert_refused(LimitraConfig::new().default_backend("redis").storage(down()), &words);
    assert_refused(LimitraConfig::new().default_backend("redis").storage(MemoryStorage::new()), &words);
    let limits = LimitraConfig::new().build().unwrap();
    let error = limits.limiter().requests(1).window(60).backend("redis").build().unwrap_err();
    assert_eq!(error, ConfigurationError::NoRedisClient);
}

#[tokio::test]
async fn redis_as_a_functions_backend_needs_something_that_reaches_it() {
    #[rate_limit(requests = 1, window = 60, backend = "redis", fail_open = true, limitra = limits)]
    async fn create_post(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let limits = LimitraConfig::new().build().unwrap();
    let error = create_post(&limits).await.unwrap_err();
    let message = error.to_string();
    assert!(message.contains("create_post") && message.contains("the backend is redis"), "{message}");
}

#[test]
fn more_than_one_source_is_refused_by_both_names() {
    let bare = LimitraConfig::new;
    let memory = MemoryStorage::new;
    assert_refused(
        bare().redis_url(NOBODY).redis_client(client()),
        &["`redis_url` and `redis_client`", "keep one"],
    );
    assert_refused(bare().redis_url(NOBODY).storage(memory()), &["`storage` and `redis_url`", "keep one"]);
    assert_refused(
        bare().redis_client(client()).storage(memory()),
        &["`storage` and `redis_client`", "keep one"],
    );
    assert_refused(bare().redis_url(NOBODY).redis_client(client()).storage(memory()), &["keep one"]);
}

#[test]
fn a_redis_db_against_the_url_or_with_a_client_is_refused_by_its_number() {
    let bare = || LimitraConfig::new().redis_db(3);
    assert_refused(bare().redis_url("redis://127.0.0.1/2"), &["`redis_db` 3", "another database"]);
    assert_refused(
        bare().redis_url("redis+unix:///run/redis.sock?db=2"),
        &["`redis_db` 3", "another database"],
    );
    assert_refused(bare().redis_client(client()), &["`redis_db` 3", "a client brings its own database"]);
    assert_refused(bare().storage(MemoryStorage::new()), &["`redis_db` 3", "no `redis_url`"]);
    assert_refused(bare(), &["`redis_db` 3", "no `redis_url`"]);
    assert_refused(LimitraConfig::new().redis_url(NOBODY).redis_db(-1), &["`redis_db` -1", "from 0"]);
    assert!(bare().redis_url("redis://127.0.0.1").build().is_ok());
    assert!(bare().redis_url("redis://127.0.0.1/3").build().is_ok());
}

#[test]
fn an_unknown_default_is_refused_with_those_that_are_known() {
    assert_refused(
        LimitraConfig::new().default_algorithm("leaky"),
        &["unknown algorithm `leaky`", "leaky_bucket"],
    );
    assert_refused(
        LimitraConfig::new().default_backend("disk"),
        &["unknown backend `disk`", "memory, redis", "postgres"],
    );
    assert_refused(LimitraConfig::new().redis_url("memory://"), &["scheme is unknown, known are redis"]);
}

#[tokio::test]
async fn with_limiting_off_everything_is_allowed_and_nothing_counted() {
    #[rate_limit(requests = 1, window = 60, limitra = limits)]
    async fn create_post(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let memory = MemoryStorage::new();
    for storage in [AnyStorage::from(&memory), down().into()] {
        let limits = LimitraConfig::new().storage(storage).enabled(false).build().unwrap();
        let limiter = limits.limiter().requests(1).window(60).build().unwrap();
        for _ in 0..3 {
            let decision = limiter.check_cost("ada", 5).await.unwrap();
            assert!(decision.is_allowed() && !decision.is_degraded());
            assert_eq!(limiter.wait_time("ada").await.unwrap(), Duration::ZERO);
            create_post(&limits).await.unwrap();
        }
    }
    assert!(memory.is_empty());
}

#[tokio::test]
async fn with_limiting_off_what_others_have_counted_is_reset_all_the_same() {
    let memory = MemoryStorage::new();
    let limiter = |enabled| {
        let limits = LimitraConfig::new().storage(&memory).enabled(enabled).build().unwrap();
        limits.limiter().requests(1).window(60).build().unwrap()
    };
    let (on, off) = (limiter(true), limiter(false));
    assert!(on.allow_request("ada").await.unwrap());
    off.reset("ada").await.unwrap();
    assert!(on.allow_request("ada").await.unwrap());
}

#[tokio::test]
async fn with_limiting_off_a_function_runs_whatever_its_closures_return() {
    #[rate_limit(requests = |number, _| number, window = 60, limitra = limits, cost = |number, _| number)]
    async fn create_post(number: i64, limits: &Limitra) -> Result<(), Error> {
        let _ = (number, limits);
        Ok(())
    }
    #[rate_limit(requests = 1, window = 60, limitra = limits, burst = |number, _| number, algorithm = "gcra", on_exceeded = |_| 429, on_error = |_| 500)]
    fn status(number: i64, limits: &Limitra) -> u16 {
        let _ = (number, limits);
        200
    }

    let limits = |enabled| LimitraConfig::new().enabled(enabled).build().unwrap();
    let (on, off) = (limits(true), limits(false));
    assert!(matches!(create_post(-1, &on).await, Err(Error::Function { .. })));
    assert_eq!(status(-1, &on), 500);
    create_post(-1, &off).await.unwrap();
    assert_eq!(status(-1, &off), 200);
}

#[tokio::test]
async fn an_outage_is_an_error_unless_it_fails_open() {
    for fail_open in [false, true] {
        let limits = LimitraConfig::new().storage(down()).fail_open(fail_open).build().unwrap();
        let limiter = limits.limiter().requests(1).window(60).build().unwrap();
        for outages in 1..=3 {
            match limiter.check("ada").await {
                Ok(decision) => assert!(fail_open && decision.is_allowed() && decision.is_degraded()),
                Err(error) => assert!(!fail_open && matches!(error, Error::Storage(_)), "{error:?}"),
            }
            assert_eq!((limiter.outages(), limits.outages()), (outages, outages));
        }
        assert!(limiter.reset("ada").await.is_err(), "nobody knows that it was reset");
        // What could never be allowed is not let through by an outage either.
        assert!(matches!(limiter.check_cost("ada", 2).await, Err(Error::CostAboveLimit { .. })));
    }
}

#[tokio::test]
async fn a_check_asks_the_storage_whether_it_is_there() {
    LimitraConfig::new().build().unwrap().check().await.unwrap();
    let error = LimitraConfig::new().storage(down()).build().unwrap().check().await.unwrap_err();
    assert!(matches!(error, Error::Storage(_)), "{error:?}");
}

#[test]
fn hashed_identifiers_stand_in_no_key() {
    let limits = LimitraConfig::new().hash_identifiers(true).project("blog").build().unwrap();
    let limiter = limits.limiter().requests(1).window(60).build().unwrap();
    let key = limiter.key("ada@example.org");
    assert!(!key.contains("ada") && !key.contains("example"), "{key}");
    assert!(key.starts_with("limitra:blog::user:%~"), "{key}");
    assert_eq!(key, limiter.key("ada@example.org"), "it is the same each time");
    assert_ne!(key, limiter.key("ada@example.com"));
    assert!(!limiter.key("127.0.0.1").contains("127"));
    assert!(!limiter.key(b"\xffada").contains("ada"));
}

#[tokio::test]
async fn hashed_identifiers_of_a_function_stand_in_no_key() {
    #[rate_limit(requests = 1, window = 60, key = ("mail", "id"), limitra = limits)]
    async fn create_post(mail: &str, id: u64, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    #[derive(Debug)]
    struct Witness(MemoryStorage);

    #[async_trait]
    impl Storage for Witness {
        fn name(&self) -> &'static str {
            "witness"
        }

        async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
            let key = attempt.subjects[0].key.text().into_owned();
            assert!(!key.contains("ada") && !key.contains("4242"), "{key}");
            assert!(!format!("{attempt:?}").contains("ada"), "{attempt:?}");
            self.0.decide(attempt).await
        }

        async fn clear(&self, key: Key<'_>) -> Result<(), StorageError> {
            self.0.clear(key).await
        }

        async fn ping(&self) -> Result<(), StorageError> {
            Ok(())
        }
    }

    let storage = Arc::new(Witness(MemoryStorage::new())) as Arc<dyn Storage>;
    let limits = LimitraConfig::new().hash_identifiers(true).storage(storage).build().unwrap();
    create_post("ada@example.org", 4242, &limits).await.unwrap();
    create_post("ada@example.org", 4243, &limits).await.unwrap();
    create_post("ada@example.org", 4242, &limits).await.unwrap_err();
}

#[test]
fn no_password_shows_in_debug() {
    let configs = [
        LimitraConfig::new().redis_url(NOBODY),
        LimitraConfig::new().redis_client(client()),
        LimitraConfig::new().storage(Arc::new(RedisStorage::from_url(NOBODY).unwrap())),
    ];
    for config in configs {
        let limits = config.clone().build().unwrap();
        let builder = limits.limiter().requests(1).window(60);
        let limiter = builder.clone().build().unwrap();
        for shown in [
            format!("{config:?} {config:#?}"),
            format!("{limits:?} {limits:#?}"),
            format!("{builder:?}"),
            format!("{limiter:?} {:?}", limiter.config()),
            format!("{:?} {:?}", limits.storage(), limits.storage().shared()),
        ] {
            assert!(!shown.contains("s3cret"), "{shown}");
        }
    }
}
