//! URLs, options and builders: what they reach, and what is wrong with them.

use std::time::Duration;

use limitra::{
    Algorithm, AnyStorage, Backend, ConfigurationError, LimitraConfig, MongoDbStorage, MongoDbStorageBuilder,
    storage,
};
use limitra_tests::MongoDbServer;
use mongodb::bson::{Document, doc};

use crate::stage::{PATIENCE, limiter};

async fn count(server: &MongoDbServer, database: &str, collection: &str) -> u64 {
    let collection = server.client().await.database(database).collection::<Document>(collection);
    collection.count_documents(doc! {}).await.unwrap()
}

fn mistake(builder: MongoDbStorageBuilder) -> String {
    builder.build().unwrap_err().to_string()
}

#[tokio::test]
async fn records_are_where_the_url_the_options_or_the_builder_say() {
    let server = MongoDbServer::start();
    let patience = "response_timeout=60&connect_timeout=60";
    let by_url = format!("{}/?database_name=shop&collection_name=limits&w=1&{patience}", server.url());
    let by_options = format!("async+{}/admin?{patience}", server.url());
    let builder = MongoDbStorage::builder().url(&by_url).database_name("builder").collection_name("wins");
    let own = MongoDbStorage::builder().client(server.client().await).database_name("own");
    let own = own.response_timeout(PATIENCE).connect_timeout(PATIENCE);
    let options = [("database_name", "options"), ("collection_name", "records.of.limitra")];
    let storages: [AnyStorage; 5] = [
        MongoDbStorage::from_url(&by_url).unwrap().into(),
        storage::from_url(&by_options, options).unwrap(),
        // What is given beside the URL wins.
        storage::from_url(&by_url, [("database_name", "beside")]).unwrap(),
        builder.build().unwrap().into(),
        own.build().unwrap().into(),
    ];
    for storage in &storages {
        assert!(limiter(storage, Algorithm::FixedWindow, 1).allow_request("ada").await.unwrap());
    }
    for (database, collection) in [
        ("shop", "limits"),
        ("options", "records.of.limitra"),
        ("beside", "limits"),
        ("builder", "wins"),
        ("own", "records"),
    ] {
        assert_eq!(count(&server, database, collection).await, 1, "{database}.{collection}");
    }
    // The database in the path is where users are, not where records go.
    assert_eq!(count(&server, "admin", "records.of.limitra").await, 0);
}

#[tokio::test]
async fn a_client_of_the_users_own_uses_the_defaults() {
    let server = MongoDbServer::start();
    let storage: AnyStorage = MongoDbStorage::new(server.client().await).into();
    // Its deadlines are a service's; this machine may be busier.
    while !storage.check().await {}
    let names = server.client().await.list_database_names().await.unwrap();
    assert!(names.contains(&"limitra".to_owned()), "{names:?}");
}

#[tokio::test]
async fn an_index_that_is_not_wanted_is_not_created() {
    let server = MongoDbServer::start();
    let url = format!("{}/?create_index=false&response_timeout=60&connect_timeout=60", server.url());
    let storage = storage::from_url(&url, ()).unwrap();
    assert!(limiter(&storage, Algorithm::FixedWindow, 1).allow_request("ada").await.unwrap());
    let answer = server.command("limitra", doc! { "listIndexes": "records" }).await;
    assert_eq!(answer.get_document("cursor").unwrap().get_array("firstBatch").unwrap().len(), 1);
}

#[test]
fn a_mistake_names_the_setting() {
    let builder = || MongoDbStorage::builder().url("mongodb://ann:secret@h");
    for (message, builder) in [
        ("response_timeout must be longer than zero", builder().response_timeout(Duration::ZERO)),
        ("connect_timeout must be longer than zero", builder().connect_timeout(Duration::ZERO)),
        ("max_retries must be at least 1", builder().max_retries(0)),
        ("`database_name` is `a.b`", builder().database_name("a.b")),
        ("`database_name` is ``", builder().database_name("")),
        ("`collection_name` is `a$b`", builder().collection_name("a$b")),
        ("`collection_name` is `system.users`", builder().collection_name("system.users")),
        ("`a b` cannot be a key_prefix", builder().key_prefix("a b")),
        ("the backend is mongodb but nothing says where it is", MongoDbStorage::builder()),
        ("`create_index` is `maybe`", MongoDbStorage::builder().url("mongodb://h/?create_index=maybe")),
        ("setting `table_name` is unknown", MongoDbStorage::builder().url("mongodb://h/?table_name=x")),
        // A write that nobody answers for.
        ("setting `w`", MongoDbStorage::builder().url("mongodb://h/?w=0&retryReads=true")),
        ("setting `w`", MongoDbStorage::builder().url("mongodb+srv://h/?w=0")),
        ("setting `colour`", MongoDbStorage::builder().url("mongodb://h/?colour=red")),
    ] {
        let found = mistake(builder);
        assert!(found.contains(message), "{found}");
        assert!(!found.contains("secret"), "{found}");
    }
    let error = storage::from_url("mongodb://h", [("colour", "red")]).unwrap_err();
    let known = "collection_name, connect_timeout, create_index, database_name, key_prefix, max_retries, response_timeout";
    assert!(error.to_string().contains(known), "{error}");
    assert!(matches!(
        MongoDbStorage::builder().build(),
        Err(ConfigurationError::NoSuchBackend { backend: Backend::Mongodb })
    ));
}

#[tokio::test]
async fn a_url_and_a_client_are_one_too_many() {
    let client = mongodb::Client::with_uri_str("mongodb://127.0.0.1:1").await.unwrap();
    let builder = MongoDbStorage::builder().url("mongodb://h").client(client);
    assert_eq!(mistake(builder), "`url` and `client` both say where to store; keep one of them");
}

#[test]
fn no_password_is_shown() {
    for url in [
        "mongodb://ann:secret@h:1/admin?authMechanism=SCRAM-SHA-256&appName=secret",
        "mongodb+srv://ann:secret@h/",
        "async+mongodb://ann:secret@h:1,[::1]:2",
    ] {
        let built = MongoDbStorage::from_url(url).unwrap();
        let any = storage::from_url(url, ()).unwrap();
        let config = LimitraConfig::new().storage_url(url);
        let shown = format!("{built:?} {any:?} {:?} {config:?}", MongoDbStorage::builder().url(url));
        assert!(!shown.contains("secret"), "{shown}");
        assert!(shown.contains("limitra.records"), "{shown}");
    }
}
