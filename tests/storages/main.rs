//! Storages by URL: every scheme, its options, and what is wrong with the others.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod mistakes;
mod own_schemes;

use limitra::storage::{self, StorageOptions};
use limitra::{Backend, ConfigurationError, LimitraConfig, RateLimiter};

/// What each scheme opens, where its feature is on.
fn schemes() -> Vec<(&'static str, &'static str)> {
    let mut schemes = vec![
        ("memory://", "memory"),
        ("redis://127.0.0.1:1", "redis"),
        ("redis://localhost", "redis"),
        ("redis://user:p%40ss@127.0.0.1:1/3", "redis"),
        ("rediss://127.0.0.1:1", "redis"),
        ("redis+unix:///run/x.sock?db=1", "redis"),
        ("valkey://127.0.0.1:1", "redis"),
        ("valkeys://127.0.0.1:1", "redis"),
        ("valkey+unix:///run/x.sock", "redis"),
    ];
    if cfg!(feature = "redis-cluster") {
        schemes.extend([
            ("redis+cluster://127.0.0.1:1,[::1]:2", "redis-cluster"),
            ("valkey+cluster://:secret@127.0.0.1:1", "redis-cluster"),
        ]);
    }
    if cfg!(feature = "redis-sentinel") {
        schemes.extend([
            ("redis+sentinel://127.0.0.1:1,127.0.0.1:2/mymaster", "redis-sentinel"),
            ("valkey+sentinel://127.0.0.1:1/mymaster", "redis-sentinel"),
        ]);
    }
    if cfg!(feature = "memcached") {
        schemes.extend([
            ("memcached://127.0.0.1:1,[::1]:2, localhost:3", "memcached"),
            ("memcached:///run/x.sock", "memcached"),
        ]);
    }
    if cfg!(feature = "mongodb") {
        schemes.push(("mongodb://user:p%40ss@127.0.0.1:1/?replicaSet=rs0", "mongodb"));
        schemes.push(("mongodb+srv://cluster.example.com", "mongodb"));
    }
    if cfg!(feature = "etcd") {
        schemes.push(("etcd://127.0.0.1:1,127.0.0.1:2", "etcd"));
    }
    if cfg!(feature = "postgres") {
        schemes.push(("postgres://user@127.0.0.1:1/database", "postgres"));
        schemes.push(("postgresql://user:p%40ss@127.0.0.1:1/database?application_name=blog", "postgres"));
    }
    schemes
}

#[test]
fn every_scheme_opens_its_storage_with_and_without_async_and_in_any_case() {
    for (url, name) in schemes() {
        for url in [
            url.to_owned(),
            format!("async+{url}"),
            format!(" {url} "),
            upper(url),
            upper(&format!("async+{url}")),
        ] {
            let storage = storage::from_url(&url, ()).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!(storage.name(), name, "{url}");
        }
    }
}

/// With the scheme in capitals.
fn upper(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    format!("{}://{rest}", scheme.to_uppercase())
}

#[test]
fn a_storage_on_a_network_takes_prefix_and_deadlines_by_url_or_beside_it() {
    for (url, _) in schemes().into_iter().filter(|(url, _)| *url != "memory://") {
        let query = if url.contains('?') { '&' } else { '?' };
        let options = "key_prefix=shop&response_timeout=0.25&connect_timeout=100ms&wrap_exceptions=true";
        storage::from_url(&format!("{url}{query}{options}"), ())
            .unwrap_or_else(|error| panic!("{url}: {error}"));
        let options = [("key_prefix", "shop"), ("response_timeout", "250ms"), ("connect_timeout", "1")];
        storage::from_url(url, options).unwrap_or_else(|error| panic!("{url}: {error}"));
        for (name, value, complaint) in [
            ("key_prefix", "", "key_prefix"),
            ("key_prefix", "a b", "`a b` cannot be a key_prefix"),
            ("response_timeout", "0", "`response_timeout` is `0`; give a number of seconds above 0"),
            ("response_timeout", "-1", "`response_timeout` is `-1`"),
            ("connect_timeout", "5sss", "`connect_timeout` is `5sss`"),
            ("connect_timeout", "soon", "`connect_timeout` is `soon`"),
            ("connect_timeout", "1e400", "`connect_timeout` is `1e400`"),
            ("connect_timeout", "NaN", "`connect_timeout` is `NaN`"),
            ("respones_timeout", "1", "no option `respones_timeout`; known are "),
        ] {
            let error = storage::from_url(url, [(name, value)]).unwrap_err().to_string();
            assert!(error.contains(complaint), "{url} {name}={value}: {error}");
        }
    }
}

#[tokio::test]
async fn a_configuration_takes_any_storages_url_and_its_backend_by_name() {
    for (url, name) in schemes() {
        let limitra = LimitraConfig::new().storage_url(url).build().unwrap();
        assert_eq!(limitra.storage().name(), name, "{url}");
        let kind = name.split('-').next().unwrap();
        for backend in Backend::ALL {
            let limiter = limitra.limiter().requests(1).window(60).backend(*backend).build();
            let is_there = backend.name() == kind || *backend == Backend::Memory;
            match limiter {
                Ok(limiter) => assert!(
                    is_there && limiter.config().backend.starts_with(backend.name()),
                    "{url} {backend}"
                ),
                Err(error) => {
                    assert!(!is_there && error.to_string().contains(backend.name()), "{url}: {error}");
                }
            }
        }
        assert!(LimitraConfig::new().storage_url(url).default_backend(kind).build().is_ok());
    }
}

#[tokio::test]
async fn the_clock_of_memory_may_be_coarse() {
    let storage = storage::from_url("memory://?coarse_clock=10ms", ()).unwrap();
    assert!(format!("{storage:?}").contains("coarse"));
    assert!(!format!("{:?}", storage::from_url("memory://", ()).unwrap()).contains("coarse"));
    let error = storage::from_url("memory://", [("coarse_clock", "2s")]).unwrap_err().to_string();
    assert_eq!(error, "a coarse clock's resolution is 100 µs to 1 s, not 2s");
}

#[tokio::test]
async fn a_memory_storage_takes_its_bound() {
    let storage = storage::from_url("memory://?max_keys=2", ()).unwrap();
    let limiter = RateLimiter::builder().requests(1).window(60).storage(storage).build().unwrap();
    for who in ["ada", "bob"] {
        assert!(limiter.allow_request(who).await.unwrap());
    }
    assert!(limiter.allow_request("eve").await.is_err());
    for max_keys in ["0", "-1", "many"] {
        let error = storage::from_url("memory://", [("max_keys", max_keys)]).unwrap_err();
        assert!(error.to_string().contains("max_keys"), "{error}");
    }
}

#[test]
fn a_configuration_has_one_place_to_store() {
    for config in [
        LimitraConfig::new().storage_url("memory://").redis_url("redis://127.0.0.1"),
        LimitraConfig::new().storage_url("memory://").storage(limitra::MemoryStorage::new()),
        LimitraConfig::new().storage_url("memory://").redis_client(redis::Client::open("redis://h").unwrap()),
    ] {
        let error = config.build().unwrap_err();
        assert!(matches!(error, ConfigurationError::TwoSources { .. }), "{error}");
    }
    let error = LimitraConfig::new().storage_url("memory://").redis_db(1).build().unwrap_err();
    assert!(matches!(error, ConfigurationError::RedisDb { .. }), "{error}");
}

#[test]
fn options_are_collected_and_their_values_not_shown() {
    let options = StorageOptions::new().set("password", "secret").set("password", "hidden").set("a", 1);
    let shown = format!("{options:?}");
    assert_eq!(shown, r#"StorageOptions["password", "a"]"#);
    let options: StorageOptions = vec![("key_prefix".to_owned(), "x")].into_iter().collect();
    assert_eq!(format!("{options:?}"), r#"StorageOptions["key_prefix"]"#);
    let _none: StorageOptions = ().into();
}
