//! URLs, options and the builder.

use std::time::Duration;

use limitra::storage::{self, StorageOptions};
use limitra::{ConfigurationError, EtcdStorage, UrlProblem};

/// What is wrong with a URL, the same by each way that it can be given; nowhere with a password.
fn problem(url: &str) -> UrlProblem {
    let built = EtcdStorage::from_url(url).expect_err(url);
    let opened = storage::from_url(url, ()).expect_err(url);
    assert_eq!(built, opened, "{url}");
    let shown = format!("{built} {built:?}");
    assert!(!shown.contains("sesame"), "{shown}");
    match built {
        ConfigurationError::Url { problem, .. } => problem,
        other => panic!("{url}: {other:?}"),
    }
}

#[test]
fn a_url_that_cannot_be_used_names_the_part() {
    assert_eq!(problem("etcd://"), UrlProblem::NoHost);
    assert_eq!(problem("etcd://h"), UrlProblem::NoPort { host: "h".into() });
    assert_eq!(problem("etcd://h:1,g"), UrlProblem::NoPort { host: "g".into() });
    assert_eq!(problem("etcd://ann:sesame@h:1,"), UrlProblem::EmptyHost);
    assert_eq!(problem("etcd://ann:sesame@h:x"), UrlProblem::BadPort { port: "x".into() });
    assert_eq!(problem("etcd://ann:sesame@h<g:1"), UrlProblem::BadHost { host: "h<g".into() });
    assert_eq!(problem("etcd://ann:sesame%zz@h:1"), UrlProblem::Encoding { part: "password" });
    assert!(matches!(problem("etcd://ann:sesame@h:1/0"), UrlProblem::Part { part: "path", .. }));
    assert!(matches!(problem("etcd://:sesame@h:1"), UrlProblem::Part { part: "user", .. }));
    assert!(matches!(problem("etcd://ann@h:1"), UrlProblem::Part { part: "password", .. }));
    let other = EtcdStorage::from_url("redis://:sesame@h:1").unwrap_err().to_string();
    assert!(other.contains("etcd") && !other.contains("sesame"), "{other}");
}

#[test]
fn a_url_that_can_be_used_is_taken() {
    for url in [
        "etcd://h:1",
        "async+etcd://h:1/",
        "ETCD://[::1]:2379, h-1.example:2379 ,10.0.0.1:3",
        "etcd://ann:se%3Asame@h:1?key_prefix=shop&max_retries=5&wrap_exceptions=true",
    ] {
        let storage = storage::from_url(url, ()).unwrap_or_else(|error| panic!("{url}: {error}"));
        assert_eq!(storage.name(), "etcd");
        assert!(!format!("{storage:?}").contains("same"));
    }
}

#[test]
fn an_option_that_cannot_be_used_is_named() {
    let url = "etcd://h:1";
    let error = |name: &str, value: &str| {
        let options = StorageOptions::new().set(name, value);
        let given = storage::from_url(url, options).expect_err(name);
        assert_eq!(given, EtcdStorage::from_url(&format!("{url}?{name}={value}")).expect_err(name));
        given
    };
    assert_eq!(error("max_retries", "0"), ConfigurationError::ZeroRetries);
    assert!(matches!(
        error("max_retries", "x"),
        ConfigurationError::StorageOption { name: "max_retries", .. }
    ));
    let timeout = error("response_timeout", "0");
    assert!(matches!(timeout, ConfigurationError::StorageOption { name: "response_timeout", .. }));
    assert!(matches!(error("key_prefix", "é"), ConfigurationError::KeyPrefix { .. }));
    let ConfigurationError::UnknownStorageOption { name, known, .. } = error("table_name", "x") else {
        panic!("it is taken");
    };
    assert_eq!(name, "table_name");
    assert_eq!(known, "connect_timeout, key_prefix, max_retries, response_timeout, wrap_exceptions");
}

#[test]
fn a_builder_that_cannot_work_says_why() {
    let url = || EtcdStorage::builder().url("etcd://ann:sesame@h:1");
    let error = url().response_timeout(Duration::ZERO).build().unwrap_err();
    assert_eq!(error, ConfigurationError::ZeroDeadline { what: "response_timeout" });
    let error = url().connect_timeout(Duration::ZERO).build().unwrap_err();
    assert_eq!(error, ConfigurationError::ZeroDeadline { what: "connect_timeout" });
    assert_eq!(url().max_retries(0).build().unwrap_err(), ConfigurationError::ZeroRetries);
    assert!(matches!(url().key_prefix("").build().unwrap_err(), ConfigurationError::KeyPrefix { .. }));
    assert!(EtcdStorage::builder().build().unwrap_err().to_string().contains("etcd"));
    assert!(!format!("{:?}", url()).contains("sesame"));
}

#[tokio::test]
async fn a_url_and_a_client_are_one_too_many() {
    let client = etcd_client::Client::connect(["h:1"], None).await.unwrap();
    let both = EtcdStorage::builder().url("etcd://h:1").client(client).build();
    assert_eq!(both.unwrap_err(), ConfigurationError::TwoSources { one: "url", other: "client" });
}
