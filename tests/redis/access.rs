//! Ways to a server: sockets, passwords, users, databases, TLS; and that no password is ever shown.

use std::time::Duration;

use limitra::{Algorithm, AnyStorage, LimitraConfig, RedisStorage, StorageErrorKind};
use limitra_tests::{Certificates, RedisServer, TemporaryFolder, all_told};

use crate::stage::{Look, kind, limiter, storage_at};

async fn decides(storage: AnyStorage) {
    let limiter = limiter(&storage, Algorithm::SlidingWindow, 1);
    assert!(limiter.allow_request("ada").await.unwrap());
    assert!(!limiter.allow_request("ada").await.unwrap());
    storage.ping().await.unwrap();
}

/// A typed error, to look at.
async fn is_refused(storage: AnyStorage, expected: StorageErrorKind) -> String {
    let limiter = limiter(&storage, Algorithm::SlidingWindow, 1);
    let error = limiter.check("ada").await.unwrap_err();
    let shown = format!("{error} {error:?} {storage:?} {limiter:?}");
    assert_eq!(kind::<()>(Err(error)), expected, "{shown}");
    assert!(storage.ping().await.is_err());
    shown
}

#[tokio::test]
async fn a_unix_socket_is_a_way() {
    let server = RedisServer::builder().unix_socket().start();
    let path = server.socket_path();
    for scheme in ["redis+unix", "unix", "valkey+unix"] {
        decides(storage_at(&format!("{scheme}://{}", path.display()))).await;
    }
    decides(storage_at(&format!("redis+unix://{}?db=4", path.display()))).await;
    assert_eq!(server.cli(&["-n", "4", "DBSIZE"]), "1");
    let nowhere = storage_at(&format!("redis+unix://{}x", path.display()));
    is_refused(nowhere, StorageErrorKind::Unavailable).await;
}

#[tokio::test]
async fn a_unix_socket_with_a_password_is_a_way() {
    let server = RedisServer::builder().unix_socket().password("sesame").start();
    decides(storage_at(&server.url())).await;
    let wrong = storage_at(&server.url().replace("sesame", "wrong-word"));
    let shown = is_refused(wrong, StorageErrorKind::Refused).await;
    assert!(!shown.contains("wrong-word"), "{shown}");
}

#[tokio::test]
async fn valkey_is_another_name_for_it() {
    let server = RedisServer::start();
    decides(storage_at(&server.url().replace("redis://", "valkey://"))).await;
}

#[tokio::test]
async fn a_password_opens_and_a_wrong_one_is_refused() {
    let server = RedisServer::builder().password("sesame").start();
    decides(storage_at(&server.url())).await;
    for url in [format!("redis://{}", server.address()), server.url().replace("sesame", "wrong-word")] {
        for protocol in ["", "?protocol=resp2", "?protocol=resp3"] {
            let shown = is_refused(storage_at(&format!("{url}{protocol}")), StorageErrorKind::Refused).await;
            assert!(!shown.contains("wrong-word"), "{shown}");
        }
    }
}

#[tokio::test]
async fn a_user_opens_and_another_is_refused() {
    let server = RedisServer::builder().user("ann", "sesame").start();
    decides(storage_at(&server.url())).await;
    for wrong in ["ann:wrong-word", "bob:sesame", ":sesame"] {
        let url = server.url().replace("ann:sesame", wrong);
        let shown = is_refused(storage_at(&url), StorageErrorKind::Refused).await;
        assert!(!shown.contains("wrong-word") && !shown.contains("sesame"), "{shown}");
    }
}

#[tokio::test]
async fn a_user_who_may_do_little_more_than_decide_decides() {
    let server = RedisServer::start();
    // What a decision takes, and nothing else; not even to say hello.
    server.cli(&[
        "ACL",
        "SETUSER",
        "clerk",
        "on",
        ">sesame",
        "~test*",
        "+evalsha",
        "+eval",
        "+get",
        "+mget",
        "+set",
        "+getrange",
        "+setrange",
        "+strlen",
        "+pttl",
        "+pexpire",
        "+time",
        "+exists",
        "+unlink",
        "+ping",
    ]);
    let url = server.url().replace("redis://", "redis://clerk:sesame@");
    decides(storage_at(&url)).await;
    let storage = storage_at(&url);
    for algorithm in Algorithm::ALL {
        let limiter = limiter(&storage, *algorithm, 9);
        for decision in limiter.check_many(["ada", "eve"]).await {
            decision.unwrap();
        }
        let decision = limiter.check("cleo").await.unwrap();
        assert!(limiter.give_back("cleo", decision).await.unwrap(), "{algorithm}");
    }
    assert_eq!(server.cli(&["ACL", "LOG"]), "", "the server has noted a refusal");
    // Who may not look at many records at once looks at each.
    server.cli(&["ACL", "SETUSER", "clerk", "-mget"]);
    for decision in limiter(&storage, Algorithm::Gcra, 9).check_many(["ada", "eve"]).await {
        decision.unwrap();
    }
    // A key that is not theirs.
    let other = limitra::RateLimiter::builder()
        .requests(1)
        .window(60)
        .prefix("other")
        .storage(&storage)
        .build()
        .unwrap();
    assert_eq!(kind(other.check("ada").await), StorageErrorKind::Refused);
    server.cli(&["ACL", "SETUSER", "clerk", "-set"]);
    assert_eq!(kind(limiter(&storage, Algorithm::Gcra, 1).check("ada").await), StorageErrorKind::Refused);
}

#[tokio::test]
async fn a_database_is_chosen_by_the_url_or_by_redis_db() {
    let server = RedisServer::start();
    let built = |builder: limitra::RedisStorageBuilder| AnyStorage::from(builder.build().unwrap());
    for (storage, db) in [
        (storage_at(&format!("{}/3", server.url())), "3"),
        (built(RedisStorage::builder().url(server.url()).redis_db(5)), "5"),
        (built(RedisStorage::builder().url(format!("{}/7", server.url())).redis_db(7)), "7"),
    ] {
        decides(storage).await;
        assert_eq!(server.cli(&["-n", db, "DBSIZE"]), "1");
    }
    let limitra = LimitraConfig::new().redis_url(server.url()).redis_db(9).deadline(None).build().unwrap();
    let limiter = limitra.limiter().requests(1).window(60).build().unwrap();
    limiter.check("ada").await.unwrap();
    assert_eq!(server.cli(&["-n", "9", "DBSIZE"]), "1");
    assert_eq!(server.cli(&["DBSIZE"]), "0");
    // One that the server does not have.
    is_refused(storage_at(&format!("{}/99999", server.url())), StorageErrorKind::Refused).await;
}

#[tokio::test]
async fn tls_needs_the_authority_that_signed() {
    let server = RedisServer::builder().tls().password("sesame").start();
    let authority = std::fs::read(server.certificate_authority()).unwrap();
    let folder = TemporaryFolder::new("authority");
    let another = std::fs::read(Certificates::in_folder(folder.path()).authority).unwrap();
    let with =
        |pem: &[u8]| RedisStorage::builder().url(server.url()).ca_certificate(pem).build().unwrap().into();
    decides(with(&authority)).await;
    decides(
        RedisStorage::builder()
            .url(server.url().replace("localhost", "127.0.0.1").replace("rediss://", "valkeys://"))
            .ca_certificate(&*authority)
            .build()
            .unwrap()
            .into(),
    )
    .await;
    for stranger in [with(&another), storage_at(&server.url())] {
        let shown = is_refused(stranger, StorageErrorKind::Unavailable).await;
        assert!(shown.contains("certificate") && !shown.contains("sesame"), "{shown}");
    }
    // No TLS where TLS is spoken, and TLS where none is.
    let plain = server.url().replace("rediss://", "redis://");
    is_refused(storage_at(&plain), StorageErrorKind::Unavailable).await;
    let other = RedisServer::start();
    let tls =
        RedisStorage::builder().url(other.url().replace("redis://", "rediss://")).ca_certificate(&*authority);
    is_refused(tls.build().unwrap().into(), StorageErrorKind::Unavailable).await;
    let nonsense = RedisStorage::builder().url(server.url()).ca_certificate(b"no pem").build();
    assert_eq!(nonsense.unwrap_err(), limitra::ConfigurationError::Certificate);
}

#[tokio::test]
async fn a_client_with_tls_of_the_users_own_is_a_way() {
    let server = RedisServer::builder().tls().start();
    let authority = std::fs::read(server.certificate_authority()).unwrap();
    let certificates = redis::TlsCertificates { client_tls: None, root_cert: Some(authority) };
    let client = redis::Client::build_with_tls(server.url(), certificates).unwrap();
    decides(RedisStorage::new(client).into()).await;
}

#[tokio::test]
async fn no_password_is_shown_by_whatever_can_be_printed() {
    let server = RedisServer::builder().password("sesame").start();
    let url = server.url();
    let client = redis::Client::open(url.as_str()).unwrap();
    let connection = client.get_multiplexed_async_connection().await.unwrap();
    let pool = deadpool_redis::Config::from_url(&url).create_pool(None).unwrap();
    let mut shown = Vec::new();
    for storage in [
        RedisStorage::from_url(&url).unwrap(),
        RedisStorage::new(client),
        RedisStorage::new(connection),
        RedisStorage::new(pool),
    ] {
        let any = AnyStorage::from(&storage);
        let limiter = limiter(&any, Algorithm::Gcra, 5);
        shown.push(format!("{storage:?} {any:?} {limiter:?} {:?} {:?}", limiter.of("ada"), limiter.config()));
        shown.push(format!("{:?} {:?}", limiter.check("ada").await, RedisStorage::builder().url(&url)));
    }
    let config = LimitraConfig::new().redis_url(&url);
    shown.push(format!("{config:?} {:?}", config.clone().build().unwrap()));
    let shown = shown.join("\n");
    assert!(!shown.contains("sesame"), "{shown}");
    for wrong in [
        "redis://:sesame@",
        "redis://:sesame@host/x",
        "redis://:sesame@host:port",
        "redis://user:se?same@host:port",
        "redis://user:se#same@host:port",
        "redis://user:se/same@host:port",
        "sesame@host",
        "http://u:sesame@host",
        "redis+unix:///run/x?pass=sesame&db=x",
        "redis+unix:///run/x?pass=a@same&db=x",
        "redis://:a@same@host:port",
    ] {
        let error = RedisStorage::from_url(wrong).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains("se?") && !shown.contains("se#") && !shown.contains("same"),
            "{wrong}: {shown}"
        );
    }
    // A look that has the password sees the record.
    assert!(!Look::at(&server).keys("*").is_empty());
}

#[test]
fn a_certificate_that_would_not_be_used_is_a_mistake() {
    let pem = b"-----BEGIN CERTIFICATE-----";
    let in_clear = RedisStorage::builder().url("redis://127.0.0.1").ca_certificate(pem).build();
    let message = in_clear.expect_err("no TLS is spoken").to_string();
    assert!(message.contains("rediss://"), "{message}");
    let client = redis::Client::open("redis://127.0.0.1").expect("a client");
    let by_client = RedisStorage::builder().client(client).ca_certificate(pem).build();
    assert!(by_client.is_err());
}

#[test]
fn a_deadline_of_no_time_is_a_mistake() {
    let url = "redis://127.0.0.1";
    let late = RedisStorage::builder().url(url).response_timeout(Duration::ZERO).build();
    let message = late.expect_err("no time at all").to_string();
    assert!(message.starts_with("response_timeout must be"), "{message}");
    assert!(RedisStorage::builder().url(url).connect_timeout(Duration::ZERO).build().is_err());
}

#[tokio::test]
async fn a_server_that_knows_no_scripts_does_not_make_an_error_name_who_was_asking() {
    let server = RedisServer::builder().setting("rename-command", "EVALSHA hidden").start();
    let limiter = limiter(&storage_at(&server.url()), Algorithm::FixedWindow, 5);
    for answer in [limiter.check("ada").await, limiter.check_many(["ada", "bob"]).await.remove(0)] {
        let told = all_told(&answer.unwrap_err());
        assert!(told.contains("EVALSHA") && !told.contains("ada"), "{told}");
    }
}
