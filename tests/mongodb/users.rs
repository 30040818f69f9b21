//! Servers that ask who it is.

use limitra::{Algorithm, AnyStorage, Error, StorageError, StorageErrorKind};
use limitra_tests::{MongoDbServer, all_told};

use crate::stage::{limiter, storage_at};

const PASSWORD: &str = "s3cret@p:ss";

fn server() -> MongoDbServer {
    let server = MongoDbServer::builder().user("ann", PASSWORD, "readWrite");
    server.user("eve", PASSWORD, "read").start()
}

fn storage(server: &MongoDbServer, who: &str, more: &str) -> AnyStorage {
    storage_at(&format!("mongodb://{who}{}/admin?{more}", server.address()))
}

/// The error of a decision, which holds no password and no identifier however it is looked at.
async fn refusal(storage: &AnyStorage) -> StorageError {
    let answer = limiter(storage, Algorithm::FixedWindow, 1).check("ada").await;
    let Err(Error::Storage(error)) = answer else { panic!("{answer:?}") };
    let shown = format!("{storage:?} {}", all_told(&error));
    assert!(!shown.contains("s3cret") && !shown.contains("wr0ng"), "{shown}");
    // A server that forbids a command tells all of it, and with it who was asking.
    assert!(!shown.contains("ada"), "{shown}");
    error
}

#[tokio::test]
async fn a_user_with_a_password_is_let_in() {
    let server = server();
    // Escaped, and as it is.
    for who in ["ann:s3cret%40p%3Ass@", "ann:s3cret@p:ss@"] {
        let storage = storage(&server, who, "");
        assert!(limiter(&storage, Algorithm::FixedWindow, 1).allow_request("ada").await.unwrap());
    }
}

#[tokio::test]
async fn whoever_is_not_let_in_is_refused() {
    let server = server();
    for who in ["ann:wr0ng@", "nobody:wr0ng@", ""] {
        let error = refusal(&storage(&server, who, "")).await;
        assert_eq!(error.kind(), StorageErrorKind::Refused, "{who}: {error}");
    }
}

#[tokio::test]
async fn one_who_may_not_create_the_index_is_told_what_to_do() {
    let server = server();
    let error = refusal(&storage(&server, "eve:s3cret@p:ss@", "")).await;
    assert_eq!(error.kind(), StorageErrorKind::Refused, "{error}");
    assert!(error.to_string().contains("set `create_index` to false"), "{error}");
    // Then it is the write that is refused.
    let error = refusal(&storage(&server, "eve:s3cret@p:ss@", "create_index=false")).await;
    assert_eq!(error.kind(), StorageErrorKind::Refused, "{error}");
    assert!(!error.to_string().contains("create_index"), "{error}");
}
