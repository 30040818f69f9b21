//! Storages by URL and options.

use limitra::{AnyStorage, RateLimiter, RedisStorage, StorageErrorKind, storage};
use limitra_tests::{Certificates, RedisServer, TemporaryFolder, fresh_prefix};

use crate::stage::Look;

const PATIENT: [(&str, &str); 2] = [("response_timeout", "60"), ("connect_timeout", "60s")];

fn open(url: &str, options: &[(&str, &str)]) -> AnyStorage {
    storage::from_url(url, options.iter().copied().chain(PATIENT).collect::<storage::StorageOptions>())
        .unwrap()
}

async fn decides(storage: &AnyStorage) {
    assert_eq!(storage.name(), "redis");
    let limiter = RateLimiter::builder().requests(1).window(3600).storage(storage).prefix(fresh_prefix());
    let limiter = limiter.build().unwrap();
    assert!(limiter.allow_request("ada").await.unwrap());
    assert!(!limiter.allow_request("ada").await.unwrap());
}

async fn refused(storage: &AnyStorage) -> String {
    let error = storage.ping().await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Refused, "{error}");
    format!("{error} {error:?} {storage:?}")
}

#[tokio::test]
async fn credentials_stand_in_the_url_or_beside_it_where_they_win() {
    let server = RedisServer::builder().user("ann", "se:s@me/?").start();
    let address = server.address();
    decides(&open(&format!("redis://ann:se%3As%40me%2F%3F@{address}"), &[])).await;
    decides(&open(&format!("valkey://{address}"), &[("username", "ann"), ("password", "se:s@me/?")])).await;
    decides(&open(&format!("redis://ann:wrong-word@{address}"), &[("password", "se:s@me/?")])).await;
    decides(&open(&format!("redis://{address}?username=ann&password=se%3As%40me%2F%3F"), &[])).await;
    for storage in [
        open(&format!("redis://ann:se%3As%40me%2F%3F@{address}"), &[("password", "wrong-word")]),
        open(&format!("redis://{address}"), &[("username", "wrong-word"), ("password", "se:s@me/?")]),
        open(&format!("redis://{address}"), &[]),
        open(&format!("redis://:@{address}"), &[]),
    ] {
        let shown = refused(&storage).await;
        assert!(!shown.contains("wrong-word") && !shown.contains("s@me"), "{shown}");
    }
}

#[tokio::test]
async fn a_socket_takes_credentials_like_any_server() {
    let server = RedisServer::builder().unix_socket().password("sesame").start();
    let path = server.socket_path().display().to_string();
    decides(&open(&format!("redis+unix://:sesame@{path}"), &[])).await;
    decides(&open(&format!("valkey+unix://{path}?pass=sesame&db=2"), &[])).await;
    decides(&open(&format!("async+redis+unix://{path}"), &[("password", "sesame"), ("db", "3")])).await;
    assert_eq!(server.cli(&["-n", "3", "DBSIZE"]), "1");
}

#[tokio::test]
async fn the_database_and_the_protocol_are_options() {
    let server = RedisServer::start();
    for (url, options, db) in [
        (format!("{}/2", server.url()), &[][..], "2"),
        (format!("{}?db=3", server.url()), &[], "3"),
        (format!("{}/2", server.url()), &[("db", "4"), ("protocol", "2")], "4"),
        (format!("{}/5?protocol=resp3", server.url()), &[("protocol", "resp2")], "5"),
        (format!("{}/6?protocol=3", server.url()), &[], "6"),
    ] {
        decides(&open(&url, options)).await;
        assert_eq!(server.cli(&["-n", db, "DBSIZE"]), "1", "{url}");
    }
}

#[tokio::test]
async fn a_prefix_stands_before_every_key() {
    let server = RedisServer::start();
    let mut look = Look::at(&server);
    decides(&open(&format!("{}?key_prefix=lost", server.url()), &[("key_prefix", "shop")])).await;
    let keys = look.keys("*");
    assert!(keys.len() == 1 && keys[0].starts_with("shop:"), "{keys:?}");
}

#[tokio::test]
async fn tls_takes_its_authority_from_a_file() {
    let folder = TemporaryFolder::new("authority");
    let certificates = Certificates::in_folder(folder.path());
    let server = RedisServer::builder().certificates(&certificates).password("sesame").start();
    let path = certificates.authority.display().to_string();
    decides(&open(&format!("{}?ssl_ca_certs={path}", server.url()), &[])).await;
    decides(&open(&server.url().replace("rediss", "valkeys"), &[("ssl_ca_certs", &path)])).await;
    let stranger = open(&server.url(), &[]);
    assert_eq!(stranger.ping().await.unwrap_err().kind(), StorageErrorKind::Unavailable);
    let key = certificates.key.display().to_string();
    for (url, problem) in [
        (format!("{}?ssl_ca_certs=/no/such/file", server.url()), "`ssl_ca_certs` is `/no/such/file`"),
        (format!("{}?ssl_ca_certs={key}", server.url()), "the CA certificate cannot be used"),
        (format!("redis://localhost?ssl_ca_certs={path}"), "speaks no TLS"),
    ] {
        let error = storage::from_url(&url, ()).unwrap_err().to_string();
        assert!(error.contains(problem) && !error.contains("sesame"), "{error}");
    }
}

#[test]
fn a_mistake_names_the_part() {
    for (url, problem) in [
        ("redis://", "it names no host"),
        ("redis://host:port", "its port `port` is not a number"),
        ("redis://host:1,", "one of its hosts is empty"),
        ("redis://host:1,other:1", "its host is more than one"),
        ("redis://ho st", "its host `ho st` cannot be one"),
        ("redis://host/first", "its database is not a number"),
        ("redis://host?db=first", "`db` is `first`"),
        ("redis://host?protocol=4", "`protocol` is `4`"),
        ("redis://host?response_timeout=0", "`response_timeout` is `0`"),
        ("redis://host?connect_timeout=soon", "`connect_timeout` is `soon`"),
        ("redis://host?key_prefix=a%20b", "`a b` cannot be a key_prefix"),
        ("redis://host?max_connections=5", "has no option `max_connections`; known are connect_timeout, db"),
        ("redis+unix://", "its path is missing"),
        ("redis+unix://host/run/x", "it names a host"),
        ("redis://ann:se/cret@host", "its password is not percent-encoded"),
        ("redis://ann:se?cret@host", "its password is not percent-encoded"),
        ("redis://ann:%zz@host", "its password is not percent-encoded"),
    ] {
        let error = storage::from_url(url, ()).unwrap_err();
        assert!(error.to_string().contains(problem), "{url}: {error}");
        assert!(!error.to_string().contains("cret"), "{error}");
        assert!(RedisStorage::from_url(url).is_err(), "{url}");
    }
    for (name, value) in [("db", "-1"), ("db", "x"), ("protocol", "resp4"), ("response_timeout", "-1")] {
        let error = storage::from_url("redis://host", [(name, value)]).unwrap_err().to_string();
        assert!(error.contains(&format!("`{name}` is `{value}`")), "{error}");
    }
    let client = redis::Client::open("redis://host").unwrap();
    let error = RedisStorage::builder().client(client).password("sesame").build().unwrap_err().to_string();
    assert!(error.contains("`client` and `password`") && !error.contains("sesame"), "{error}");
}
