//! URLs, options, credentials and secrets.

use limitra::storage::{self, StorageOptions};
use limitra::{AnyStorage, ConfigurationError, MemcachedStorage, StorageErrorKind, UrlProblem, check_all};
use limitra_tests::MemcachedServer;

use crate::stage::{kind, limiter, storage_at, value};

/// It decides, clears, answers and removes.
async fn is_of_use(storage: &AnyStorage) {
    let limiter = limiter(storage, 2);
    assert!(limiter.allow_request("ada").await.unwrap());
    assert!(limiter.allow_request("ada").await.unwrap());
    assert!(!limiter.allow_request("ada").await.unwrap());
    limiter.reset("ada").await.unwrap();
    assert!(limiter.allow_request("ada").await.unwrap());
    storage.ping().await.unwrap();
    assert_eq!(storage.reset().await.unwrap(), 1);
    assert_eq!(limiter.usage("ada").await.unwrap().count, 0);
}

#[tokio::test]
async fn a_server_is_reached_by_ipv4_by_ipv6_by_name_and_by_a_socket() {
    let server = MemcachedServer::start();
    is_of_use(&storage_at(&server.url())).await;
    is_of_use(&storage_at(&format!("memcached://localhost:{}", server.address().port()))).await;
    is_of_use(&storage_at(&format!("async+memcached://{}/", server.address()))).await;
    is_of_use(&storage::from_url(&server.url(), ()).unwrap()).await;
    let ipv6 = MemcachedServer::builder().ipv6().start();
    assert!(ipv6.url().starts_with("memcached://[::1]:"));
    is_of_use(&storage_at(&ipv6.url())).await;
    let socket = MemcachedServer::builder().unix_socket().start();
    is_of_use(&storage_at(&socket.url())).await;
}

#[tokio::test]
async fn a_server_that_wants_credentials_gets_them() {
    for builder in [MemcachedServer::builder(), MemcachedServer::builder().unix_socket()] {
        let server = builder.credentials("ann", "secret").start();
        is_of_use(&storage_at(&server.url())).await;
        let url = server.url();
        for url in [url.replace("ann:secret", "ann:wrong"), url.replace("ann:secret@", "")] {
            let storage = storage_at(&url);
            let error = limiter(&storage, 2).allow_request("ada").await.unwrap_err();
            assert!(!error.to_string().contains("wrong"), "{error}");
            assert_eq!(kind::<()>(Err(error)), StorageErrorKind::Refused, "{url}");
            assert!(!storage.check().await);
        }
    }
}

#[tokio::test]
async fn a_server_that_wants_no_credentials_is_not_told_them() {
    let server = MemcachedServer::start();
    let url = server.url().replace("memcached://", "memcached://ann:secret@");
    is_of_use(&storage_at(&url)).await;
    assert_eq!(server.keys(), [""; 0]);
    assert_eq!(value(&server, "limitra"), None);
    assert_eq!(server.figure("cmd_set"), 3);
}

#[test]
fn no_password_is_shown() {
    let storage = MemcachedStorage::from_url("memcached://ann:secret@127.0.0.1:1?key_prefix=shop").unwrap();
    let any: AnyStorage = (&storage).into();
    let builder = MemcachedStorage::builder().url("memcached://ann:secret@127.0.0.1:1");
    let shown = format!("{storage:?} {any:?} {builder:?}");
    assert!(shown.contains("127.0.0.1:1") && shown.contains("shop"), "{shown}");
    assert!(!shown.contains("secret") && !shown.contains("ann"), "{shown}");
    for url in [
        "memcached://ann:secret@127.0.0.1:x",
        "memcached://ann:sec%ret@127.0.0.1:1",
        "memcached://ann:secret@127.0.0.1",
        "memcached://ann:secret@127.0.0.1:1/path",
        "memcached://ann:sec%20ret@127.0.0.1:1",
        "memcached://:secret@127.0.0.1:1",
        "memcached://ann:secret@127.0.0.1:1?secret_option=secret",
    ] {
        let error = MemcachedStorage::from_url(url).expect_err(url).to_string();
        let error = error.replace("secret_option", "");
        assert!(!error.contains("secret") && !error.contains("sec%"), "{error}");
    }
}

#[test]
fn a_mistake_in_a_url_names_the_part() {
    let problem = |url: &str| match MemcachedStorage::from_url(url).expect_err(url) {
        ConfigurationError::Url { problem, .. } => problem,
        other => panic!("{url}: {other}"),
    };
    let part = |url: &str| match problem(url) {
        UrlProblem::Part { part, .. } => part,
        other => panic!("{url}: {other}"),
    };
    assert_eq!(problem("memcached://"), UrlProblem::NoHost);
    assert_eq!(problem("memcached:///"), UrlProblem::NoHost);
    assert_eq!(problem("memcached://h"), UrlProblem::NoPort { host: "h".into() });
    assert_eq!(problem("memcached://h:1,g"), UrlProblem::NoPort { host: "g".into() });
    assert_eq!(problem("memcached://h:1,"), UrlProblem::EmptyHost);
    assert_eq!(problem("memcached://h:x"), UrlProblem::BadPort { port: "x".into() });
    assert_eq!(part("memcached://h:1/0"), "path");
    assert_eq!(part("memcached://h:1,g:1,H:1"), "host");
    assert_eq!(part("memcached://ann@h:1"), "password");
    assert_eq!(part("memcached://:p@h:1"), "user");
    assert_eq!(part("memcached://a%0ab:p@h:1"), "user");
    assert_eq!(part("memcached://ann:p%20q@h:1"), "password");
    assert!(matches!(
        MemcachedStorage::from_url("redis://h:1"),
        Err(ConfigurationError::UnknownScheme { scheme, .. }) if scheme == "redis"
    ));
    assert!(matches!(
        MemcachedStorage::builder().build(),
        Err(ConfigurationError::Url { problem: UrlProblem::NoHost, .. })
    ));
    MemcachedStorage::from_url("memcached:///run/memcached.sock").unwrap();
    MemcachedStorage::from_url("memcached://a:1, [::1]:1,b:1/").unwrap();
}

#[test]
fn a_mistake_in_an_option_names_it() {
    const URL: &str = "memcached://127.0.0.1:1";
    let error = |name: &str, value: &str| {
        let given = StorageOptions::new().set(name, value);
        let by_options = storage::from_url(URL, given).expect_err(name).to_string();
        let by_query =
            MemcachedStorage::from_url(&format!("{URL}?{name}={value}")).expect_err(name).to_string();
        assert_eq!(by_options, by_query);
        by_options
    };
    for (name, value) in [
        ("response_timeout", "0"),
        ("connect_timeout", "-1"),
        ("key_prefix", "é"),
        ("max_item_size", "1023"),
        ("max_item_size", "2m"),
        ("max_item_size", "1073741825"),
        ("max_retries", "0"),
        ("max_retries", "many"),
        ("wrap_exceptions", "perhaps"),
        ("socket_timeout", "1"),
    ] {
        let error = error(name, value);
        assert!(error.contains(name), "{error}");
    }
    assert!(
        error("retries", "1").ends_with(
            "known are connect_timeout, key_prefix, max_item_size, max_retries, response_timeout, wrap_exceptions"
        ),
        "{}",
        error("retries", "1")
    );
    let zero = MemcachedStorage::builder().url(URL).response_timeout(std::time::Duration::ZERO).build();
    assert!(matches!(zero, Err(ConfigurationError::ZeroDeadline { what: "response_timeout" })));
    let zero = MemcachedStorage::builder().url(URL).connect_timeout(std::time::Duration::ZERO).build();
    assert!(matches!(zero, Err(ConfigurationError::ZeroDeadline { what: "connect_timeout" })));
    assert!(MemcachedStorage::builder().url(URL).max_retries(0).build().is_err());
    assert!(MemcachedStorage::builder().url(URL).max_item_size(0).build().is_err());
    assert!(MemcachedStorage::builder().url(URL).key_prefix("").build().is_err());
}

#[tokio::test]
async fn options_in_the_query_hold_and_those_set_by_hand_win() {
    let server = MemcachedServer::start();
    let url =
        format!("{}?key_prefix=query&max_item_size=2048&max_retries=3&response_timeout=60", server.url());
    let by_query = MemcachedStorage::from_url(&url).unwrap();
    assert_eq!(limitra::Storage::bounds(&by_query).record_bytes, 2048 - 512);
    let by_hand =
        MemcachedStorage::builder().url(&url).key_prefix("hand").max_item_size(4096).build().unwrap();
    assert_eq!(limitra::Storage::bounds(&by_hand).record_bytes, 4096 - 512);
    let by_options = storage::from_url(&url, [("key_prefix", "options")]).unwrap();
    for storage in [by_query.into(), by_hand.into(), by_options] {
        assert!(limiter(&storage, 1).allow_request("ada").await.unwrap());
    }
    let keys = server.keys();
    for prefix in ["query%3A", "hand%3A", "options%3A"] {
        assert_eq!(keys.iter().filter(|key| key.starts_with(prefix)).count(), 1, "{keys:?}");
    }
}

#[tokio::test]
async fn one_storage_in_two_limiters_is_one_storage() {
    let storage = MemcachedStorage::from_url("memcached://127.0.0.1:1").unwrap();
    let limiters = [&storage, &storage].map(|storage| limiter(&storage.into(), 5));
    let error = check_all([limiters[0].of("ada"), limiters[1].of("ada")]).await.unwrap_err();
    assert!(
        matches!(error, limitra::Error::Configuration(ConfigurationError::TooManySubjects { most: 1, .. })),
        "{error}"
    );
}
