//! Users, passwords and roles.

use etcd_client::{Client, ConnectOptions};
use limitra::{Algorithm, AnyStorage, EtcdStorage, RateLimiter, StorageErrorKind};
use limitra_tests::EtcdServer;

use crate::stage::{etcd_at, kind, limiter};

/// A server with a user who may touch what begins with `limitra:` or `shop:`, and one who may do everything.
fn guarded() -> EtcdServer {
    let server = EtcdServer::start();
    for command in [
        "user add root:sesame",
        "role add root",
        "user grant-role root root",
        "role add clerk",
        "role grant-permission clerk --prefix=true readwrite limitra:",
        "role grant-permission clerk --prefix=true readwrite shop:",
        "user add ann:open%sesame",
        "user grant-role ann clerk",
        "auth enable",
    ] {
        server.cli(&command.split(' ').collect::<Vec<_>>());
    }
    server
}

fn with(server: &EtcdServer, who: &str) -> EtcdStorage {
    etcd_at(&server.url().replace("etcd://", &format!("etcd://{who}@")))
}

fn limiter_of(storage: &EtcdStorage) -> RateLimiter {
    RateLimiter::builder().storage(storage).requests(2).window(3600).build().unwrap()
}

#[tokio::test]
async fn a_user_decides_within_what_the_role_permits() {
    let server = guarded();
    let storage = with(&server, "ann:open%25sesame");
    let ours = limiter_of(&storage);
    for allowed in [true, true, false] {
        assert_eq!(ours.allow_request("ada").await.unwrap(), allowed);
    }
    ours.reset("ada").await.unwrap();
    assert!(AnyStorage::from(&storage).check().await);
    let theirs = limiter(&storage, Algorithm::Gcra, 5);
    assert_eq!(kind(theirs.allow_request("ada").await), StorageErrorKind::Refused);
    // All keys there are, are not hers to list; those with her prefix are.
    let all = AnyStorage::from(&storage).reset().await;
    assert_eq!(all.unwrap_err().kind(), StorageErrorKind::Refused);
    let url = server.url().replace("etcd://", "etcd://ann:open%25sesame@");
    let shop =
        EtcdStorage::from_url(&format!("{url}?key_prefix=shop&response_timeout=60&connect_timeout=60"));
    let shop = shop.unwrap();
    assert!(limiter_of(&shop).allow_request("ada").await.unwrap());
    assert_eq!(AnyStorage::from(&shop).reset().await.unwrap(), 1);
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_shown_nowhere() {
    let server = guarded();
    for who in ["ann:wrong-word", "bob:wrong-word", "ann:sesame"] {
        let storage = with(&server, who);
        let limiter = limiter_of(&storage);
        let error = limiter.allow_request("ada").await.unwrap_err();
        let shown = format!("{error} {error:?} {storage:?} {:?} {limiter:?}", AnyStorage::from(&storage));
        assert!(!shown.contains("wrong-word") && !shown.contains("sesame"), "{shown}");
        assert_eq!(kind::<bool>(Err(error)), StorageErrorKind::Refused);
    }
    let nobody = limiter_of(&etcd_at(&server.url()));
    assert_eq!(kind(nobody.allow_request("ada").await), StorageErrorKind::Refused);
}

#[tokio::test]
async fn credentials_where_none_are_asked_for_are_refused() {
    let server = EtcdServer::start();
    let storage = with(&server, "ann:sesame");
    assert_eq!(kind(limiter_of(&storage).allow_request("ada").await), StorageErrorKind::Refused);
}

// With threads that hear of the restart while the test waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_has_forgotten_its_tokens_is_shown_the_password_again() {
    let mut server = guarded();
    let storage = with(&server, "ann:open%25sesame");
    let limiter = limiter_of(&storage);
    assert!(limiter.allow_request("ada").await.unwrap());
    server.restart();
    assert!(limiter.allow_request("ada").await.unwrap());
    assert!(!limiter.allow_request("ada").await.unwrap());
    assert_eq!(limiter.outages(), 0);
}

#[tokio::test]
async fn a_client_of_ones_own_brings_its_user() {
    let server = guarded();
    let options = ConnectOptions::new().with_user("root", "sesame");
    let client = Client::connect([server.endpoint()], Some(options)).await.unwrap();
    let storage =
        EtcdStorage::builder().client(client).response_timeout(crate::stage::PATIENCE).build().unwrap();
    assert!(limiter(&storage, Algorithm::Gcra, 5).allow_request("ada").await.unwrap());
    assert!(!format!("{storage:?}").contains("sesame"));
}
