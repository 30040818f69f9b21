//! Who gets in, and by which way.

use limitra::{
    Algorithm, AnyStorage, ConfigurationError, LimitraConfig, PostgresStorage, StorageErrorKind, storage,
};
use limitra_tests::{Certificates, PostgresServer, TemporaryFolder};

use crate::stage::{PATIENCE, kind, limiter, storage_at};

async fn decides(storage: AnyStorage) {
    let limiter = limiter(&storage, Algorithm::SlidingWindow, 1);
    assert!(limiter.allow_request("ada").await.unwrap());
    assert!(!limiter.allow_request("ada").await.unwrap());
    storage.ping().await.unwrap();
}

/// A typed error, to look at.
async fn is_an_error(storage: AnyStorage, expected: StorageErrorKind) -> String {
    let limiter = limiter(&storage, Algorithm::SlidingWindow, 1);
    let error = limiter.check("ada").await.unwrap_err();
    let shown = format!("{error} {error:?} {storage:?} {limiter:?}");
    assert_eq!(kind::<()>(Err(error)), expected, "{shown}");
    assert!(!storage.check().await);
    shown
}

#[tokio::test]
async fn a_password_opens_and_a_wrong_one_is_refused() {
    let server = PostgresServer::builder().password("sesame").start();
    decides(storage_at(&server.url())).await;
    let none = server.url().replace(":sesame", "");
    is_an_error(storage_at(&none), StorageErrorKind::Refused).await;
    for wrong in [
        server.url().replace("sesame", "wrong-word"),
        server.url().replace("postgres:sesame", "nobody:wrong-word"),
        format!("{none}?password=wrong-word"),
    ] {
        let shown = is_an_error(storage_at(&wrong), StorageErrorKind::Refused).await;
        assert!(!shown.contains("wrong-word"), "{shown}");
        assert!(shown.contains("password authentication failed"), "{shown}");
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_is_refused() {
    let server = PostgresServer::start();
    let shown = is_an_error(storage_at(&format!("{}x", server.url())), StorageErrorKind::Refused).await;
    assert!(shown.contains("\"postgresx\" does not exist (SQLSTATE 3D000)"), "{shown}");
}

#[tokio::test]
async fn a_user_who_may_not_make_the_table_is_told_what_to_do() {
    let server = PostgresServer::start();
    server.sql("CREATE ROLE clerk LOGIN");
    let storage = storage_at(&server.url().replace("postgres@", "clerk@"));
    let shown = is_an_error(storage.clone(), StorageErrorKind::Refused).await;
    assert!(shown.contains("there is no table limitra_records and it may not be made"), "{shown}");
    assert!(shown.contains("permission denied for schema public"), "{shown}");
    server.sql(&PostgresStorage::migration("limitra_records").unwrap());
    let shown = is_an_error(storage.clone(), StorageErrorKind::Refused).await;
    assert!(shown.contains("permission denied for table limitra_records"), "{shown}");
    // What a decision takes, and nothing else.
    server.sql("GRANT SELECT, INSERT, UPDATE, DELETE ON limitra_records TO clerk");
    decides(storage.clone()).await;
    assert_eq!(storage.reset().await.unwrap(), 1);
}

#[tokio::test]
async fn a_unix_socket_is_a_way() {
    let server = PostgresServer::builder().password("sesame").start();
    let (folder, port) = (server.socket_folder().display().to_string(), server.address().port());
    decides(storage_at(&format!("postgres:///postgres?host={folder}&port={port}&user=postgres"))).await;
    let encoded = folder.replace('/', "%2F");
    decides(storage_at(&format!("postgresql://postgres@{encoded}:{port}/postgres"))).await;
    let nowhere = storage_at(&format!("postgres://postgres@{encoded}x:{port}/postgres"));
    is_an_error(nowhere, StorageErrorKind::Unavailable).await;
}

#[tokio::test]
async fn tls_needs_the_authority_that_signed() {
    let server = PostgresServer::builder().tls().password("sesame").start();
    let authority = server.certificate_authority();
    let pem = std::fs::read(&authority).unwrap();
    let folder = TemporaryFolder::new("authority");
    let another = Certificates::in_folder(folder.path()).authority;
    let url = format!("{}?sslmode=require", server.url());
    let with = |url: &str, pem: &[u8]| {
        let storage = PostgresStorage::builder().url(url).ca_certificate(pem).connect_timeout(PATIENCE);
        AnyStorage::from(storage.response_timeout(PATIENCE).build().unwrap())
    };
    decides(with(&url, &pem)).await;
    decides(with(&url.replace("localhost", "127.0.0.1").replace("require", "verify-full"), &pem)).await;
    decides(storage_at(&format!("{url}&ssl_ca_certs={}", authority.display()))).await;
    for stranger in [with(&url, &std::fs::read(another).unwrap()), storage_at(&url)] {
        let shown = is_an_error(stranger, StorageErrorKind::Unavailable).await;
        assert!(shown.contains("certificate") && !shown.contains("sesame"), "{shown}");
    }
    // No TLS where TLS is spoken, and TLS where none is.
    is_an_error(storage_at(&server.url()), StorageErrorKind::Refused).await;
    let other = PostgresServer::start();
    is_an_error(with(&format!("{}?sslmode=require", other.url()), &pem), StorageErrorKind::Unavailable).await;
    let nonsense = PostgresStorage::builder().url(&url).ca_certificate(b"no pem").build();
    assert_eq!(nonsense.unwrap_err(), ConfigurationError::Certificate);
    // A certificate that would not be used.
    let in_clear = PostgresStorage::builder().url(server.url()).ca_certificate(pem).build();
    assert!(in_clear.unwrap_err().to_string().contains("sslmode"));
    let nowhere = PostgresStorage::from_url(&format!("{url}&ssl_ca_certs=/nowhere"));
    assert!(nowhere.unwrap_err().to_string().contains("ssl_ca_certs"));
}

#[tokio::test]
async fn no_password_is_shown_by_whatever_can_be_printed() {
    let server = PostgresServer::builder().password("sesame").start();
    let url = server.url();
    let mut config = deadpool_postgres::Config::new();
    config.url = Some(url.clone());
    let pool = config.create_pool(None, tokio_postgres::NoTls).unwrap();
    let mut shown = Vec::new();
    for storage in [PostgresStorage::from_url(&url).unwrap(), PostgresStorage::new(pool)] {
        let any = AnyStorage::from(&storage);
        let limiter = limiter(&any, Algorithm::Gcra, 5);
        shown.push(format!("{storage:?} {any:?} {limiter:?} {:?} {:?}", limiter.of("ada"), limiter.config()));
        shown.push(format!("{:?} {:?}", limiter.check("ada").await, PostgresStorage::builder().url(&url)));
    }
    let config = LimitraConfig::new().storage_url(&url);
    shown.push(format!("{config:?} {:?}", config.clone().build().unwrap()));
    let shown = shown.join("\n");
    assert!(!shown.contains("sesame"), "{shown}");
    for wrong in [
        "postgres://u:sesame@",
        "postgres://u:sesame@h:port",
        "postgres://u:sesame@h,/x",
        "postgres://u:sesame@h?sslmod=x",
        "postgres://u:ses%ame@h",
        "postgres://h?password=sesame&sslmode=x",
        "postgres:sesame@h",
    ] {
        let error = PostgresStorage::from_url(wrong).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("sesa") && !shown.contains("ses%"), "{wrong}: {shown}");
    }
}

#[test]
fn a_mistake_in_url_or_options_is_said_at_once() {
    let mistake = |url: &str, options: &[(&str, &str)]| {
        storage::from_url(url, options.iter().copied().collect::<storage::StorageOptions>())
            .map(drop)
            .expect_err(url)
            .to_string()
    };
    for (url, options, said) in [
        ("postgres://", &[][..], "no host"),
        ("postgresql://h:port", &[], "port `port`"),
        ("async+postgres://h,", &[], "hosts is empty"),
        ("postgres://h?sslmode=maybe", &[], "`sslmode` is `maybe`"),
        ("postgres://h?nonsense=1", &[], "no option `nonsense`"),
        ("postgres://h", &[("nonsense", "1")], "no option `nonsense`"),
        ("postgres://h?collection_name=x", &[], "no option `collection_name`"),
        ("postgres://h", &[("create_table", "maybe")], "`create_table` is `maybe`"),
        ("postgres://h", &[("response_timeout", "0")], "`response_timeout` is `0`"),
        ("postgres://h", &[("max_retries", "-1")], "`max_retries` is `-1`"),
        ("postgres://h", &[("max_retries", "0")], "max_retries must be at least 1"),
        ("postgres://h", &[("key_prefix", "a b")], "key_prefix"),
    ] {
        let message = mistake(url, options);
        assert!(message.contains(said), "{url}: {message}");
    }
    let builder = || PostgresStorage::builder().url("postgres://h");
    let zero = std::time::Duration::ZERO;
    for late in [builder().response_timeout(zero).build(), builder().connect_timeout(zero).build()] {
        assert!(matches!(late.unwrap_err(), ConfigurationError::ZeroDeadline { .. }));
    }
    assert!(PostgresStorage::builder().build().unwrap_err().to_string().contains("no host"));
    assert!(PostgresStorage::from_url("redis://h").unwrap_err().to_string().contains("scheme"));
    // An option wins over the query, and every one of ours may stand there.
    let all = "postgres://h?key_prefix=a&response_timeout=1&connect_timeout=100ms&max_retries=3&table_name=t&create_table=no";
    assert!(storage::from_url(all, [("wrap_exceptions", "true")]).is_ok());
    assert!(storage::from_url("postgres://h?create_table=maybe", [("create_table", "true")]).is_ok());
}
