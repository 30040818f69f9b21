//! What stands in the table, and when it goes.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use limitra::{
    Algorithm, AnyStorage, Attempt, Clock, ConfigurationError, Key, Limit, Mode, PostgresStorage, Rule,
    Storage, StorageErrorKind, Subject, check_all, storage,
};
use limitra_tests::{PostgresServer, all_told};

use crate::stage::{HOUR, Lock, fresh, kind, limiter, postgres_at, storage_at};

const ROWS: &str = "SELECT count(*) FROM limitra_records";

/// Rows that expired an hour ago.
fn leave_expired(server: &PostgresServer, count: u32) {
    server.sql(&format!(
        "INSERT INTO limitra_records SELECT 'old' || number, '\\x4c52', number, now() - interval '1 hour' \
         FROM generate_series(1, {count}) AS number"
    ));
}

#[tokio::test]
async fn every_write_leaves_an_expiry_that_is_later_than_the_record_is_of_use_but_not_by_much() {
    let server = PostgresServer::start();
    let storage = storage_at(&server.url());
    for algorithm in Algorithm::ALL {
        let limiter = limiter(&storage, *algorithm, 5);
        for _ in 0..5 {
            assert!(limiter.allow_request("ada").await.unwrap());
        }
        let reset = limiter.test("ada").await.unwrap().reset_after().as_secs();
        let sql = format!(
            "SELECT ceil(extract(epoch FROM expires_at - now())) FROM limitra_records WHERE key = '{}'",
            limiter.key("ada")
        );
        let left: u64 = server.sql(&sql).parse().unwrap();
        assert!(left > reset, "{algorithm}: {left} s");
        assert!(left < 2 * 3600 * 5 / 4 + 100, "{algorithm}: {left} s");
    }
    assert_eq!(server.sql(ROWS), Algorithm::ALL.len().to_string());
}

#[tokio::test]
async fn an_expiry_that_is_late_enough_stays_so_that_the_index_is_left_alone() {
    let server = PostgresServer::start();
    let limiter = limiter(&storage_at(&server.url()), Algorithm::TokenBucket, 100);
    let expiry = || server.sql("SELECT expires_at FROM limitra_records");
    assert!(limiter.check_cost("ada", 90).await.unwrap().is_allowed());
    let first = expiry();
    for _ in 0..5 {
        assert!(limiter.allow_request("ada").await.unwrap());
        assert_eq!(expiry(), first);
    }
    // One that is too early is moved, and so is one that is much too late.
    for shift in ["- interval '1 hour'", "+ interval '1 day'"] {
        server.sql(&format!("UPDATE limitra_records SET expires_at = expires_at {shift}"));
        assert!(limiter.allow_request("ada").await.unwrap());
        let moved = server.sql(&format!(
            "SELECT abs(extract(epoch FROM expires_at - '{first}')) < 3000 FROM limitra_records"
        ));
        assert_eq!(moved, "t", "{shift}");
    }
}

#[tokio::test]
async fn expired_rows_go_with_the_writes_of_others() {
    let server = PostgresServer::start();
    let storage = storage_at(&server.url());
    storage.ping().await.unwrap();
    leave_expired(&server, 300);
    let limiter = limiter(&storage, Algorithm::FixedWindow, 100);
    // The first write of a process takes some, then every sixteenth. The next answer comes behind that.
    for (hits, left) in [(1, 172), (14, 172), (1, 44), (16, 0)] {
        for _ in 0..hits {
            assert!(limiter.allow_request("ada").await.unwrap());
        }
        storage.ping().await.unwrap();
        assert_eq!(server.sql(ROWS), (left + 1).to_string(), "after {hits} more");
    }
    assert_eq!(limiter.usage("ada").await.unwrap().count, 32);
}

#[tokio::test]
async fn a_sweep_removes_what_has_expired_and_nothing_else() {
    let server = PostgresServer::start();
    let storage = postgres_at(&server.url());
    let limiter = limiter(&AnyStorage::from(&storage), Algorithm::FixedWindow, 100);
    assert!(limiter.allow_request("ada").await.unwrap());
    // Behind the sweep of a first write.
    storage.ping().await.unwrap();
    leave_expired(&server, 300);
    assert_eq!(storage.sweep().await.unwrap(), 300);
    assert_eq!(storage.sweep().await.unwrap(), 0);
    assert_eq!(limiter.usage("ada").await.unwrap().count, 1);
}

#[tokio::test]
async fn an_expired_row_that_is_still_there_counts() {
    let server = PostgresServer::start();
    let storage = storage_at(&server.url());
    let limiter = limiter(&storage, Algorithm::FixedWindow, 100);
    assert!(limiter.allow_request("ada").await.unwrap());
    // Behind the sweep of a first write.
    storage.ping().await.unwrap();
    server.sql("UPDATE limitra_records SET expires_at = now() - interval '1 hour'");
    assert!(limiter.allow_request("ada").await.unwrap());
    assert_eq!(limiter.usage("ada").await.unwrap().count, 2);
}

#[tokio::test]
async fn a_key_never_has_a_version_twice() {
    let server = PostgresServer::start();
    let limiter = limiter(&storage_at(&server.url()), Algorithm::FixedWindow, 1000);
    let mut versions = std::collections::HashSet::new();
    for _ in 0..20 {
        assert!(limiter.allow_request("ada").await.unwrap());
        assert!(versions.insert(server.sql("SELECT version FROM limitra_records")));
        assert!(limiter.allow_request("ada").await.unwrap());
        assert!(versions.insert(server.sql("SELECT version FROM limitra_records")));
        limiter.reset("ada").await.unwrap();
    }
}

#[tokio::test]
async fn an_allowed_hit_is_two_statements_and_anything_else_is_one() {
    let server = PostgresServer::builder().setting("log_statement", "all").start();
    let storage = storage_at(&server.url());
    let (one, other) = (limiter(&storage, Algorithm::FixedWindow, 2), limiter(&storage, Algorithm::Gcra, 9));
    let statements = || {
        let log = server.log();
        (log.matches("execute s").count(), log.matches("statement: ").count())
    };
    assert!(one.allow_request("ada").await.unwrap());
    // The table is there, and the sweep of a first write is over.
    storage.ping().await.unwrap();
    let (mut before, _) = statements();
    let mut executed = || {
        let (after, _) = statements();
        let executed = after - before;
        before = after;
        executed
    };
    assert!(one.allow_request("ada").await.unwrap());
    assert_eq!(executed(), 2);
    assert!(!one.allow_request("ada").await.unwrap());
    assert_eq!(executed(), 1);
    one.test("ada").await.unwrap();
    assert_eq!(executed(), 1);
    assert!(other.allow_request("ada").await.unwrap());
    assert_eq!(executed(), 2);
    assert!(check_all([other.of("ada"), other.of("bob"), other.of("eve")]).await.unwrap().is_allowed());
    assert_eq!(executed(), 2);
}

#[tokio::test]
async fn the_servers_clock_decides() {
    let ahead = Duration::from_secs(7 * 3600);
    let server = PostgresServer::builder().clock_ahead(ahead).start();
    let storage = postgres_at(&server.url());
    let rules = [Rule::new(Algorithm::FixedWindow, Limit::new(5, HOUR).unwrap()).unwrap()];
    let subjects = [Subject { key: Key::from_text("clock"), rules: Cow::Borrowed(&rules), cost: 1 }];
    let before = SystemTime::now();
    let attempt = Attempt { subjects: &subjects, clock: Clock::Storage, mode: Mode::Hit };
    let now = storage.decide(&attempt).await.unwrap().now.to_duration();
    let since = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert!(
        now + Duration::from_secs(1) > since(before) + ahead && now < since(SystemTime::now()) + ahead + HOUR
    );
}

#[tokio::test]
async fn any_key_is_a_key() {
    let server = PostgresServer::start();
    let storage = postgres_at(&server.url());
    let rules = [Rule::new(Algorithm::FixedWindow, Limit::new(1, HOUR).unwrap()).unwrap()];
    let ask = async |key: &str| {
        let subjects = [Subject { key: Key::from_text(key), rules: Cow::Borrowed(&rules), cost: 1 }];
        let attempt = Attempt { subjects: &subjects, clock: Clock::Storage, mode: Mode::Hit };
        storage.decide(&attempt).await.map(|outcome| outcome.is_allowed())
    };
    let long = "k".repeat(1100);
    let keys = [
        "a", "A", "a ", " a", "", "ä", "a\u{308}", "日本", "🦀", "a'b", "a\"b", "a\\b", "%", "_", "{a,b}",
        "NULL", "a\n", "a\u{1}", "$1", &long,
    ];
    for key in keys {
        assert!(ask(key).await.unwrap(), "{key:?} is another's");
        assert!(!ask(key).await.unwrap(), "{key:?} is not found again");
    }
    assert_eq!(server.sql(ROWS), keys.len().to_string());
    storage.clear(Key::from_text("ä")).await.unwrap();
    assert!(ask("ä").await.unwrap());
    // PostgreSQL has no such character; a limiter's keys have it escaped.
    assert_eq!(ask("a\0b").await.unwrap_err().kind(), StorageErrorKind::Refused);
    let limiter = limiter(&AnyStorage::from(&storage), Algorithm::FixedWindow, 1);
    assert!(limiter.allow_request("a\0b").await.unwrap());
}

#[tokio::test]
async fn what_is_not_limitras_stays() {
    let server = PostgresServer::start();
    let storage = storage_at(&server.url());
    let limiter = limiter(&storage, Algorithm::FixedWindow, 5);
    assert!(limiter.allow_request("ada").await.unwrap());
    server.sql("UPDATE limitra_records SET value = 'something'");
    assert_eq!(kind(limiter.allow_request("ada").await), StorageErrorKind::ForeignValue);
    assert_eq!(storage.reset().await.unwrap(), 0);
    assert_eq!(server.sql("SELECT convert_from(value, 'UTF8') FROM limitra_records"), "something");
}

#[tokio::test]
async fn without_a_prefix_everything_is_reset() {
    let server = PostgresServer::start();
    let storage = storage_at(&server.url());
    storage.ping().await.unwrap();
    server.sql(
        "INSERT INTO limitra_records SELECT 'key' || number, '\\x4c52', number, now() + interval '1 hour' \
         FROM generate_series(1, 2500) AS number",
    );
    assert_eq!(storage.reset().await.unwrap(), 2500);
    assert_eq!(server.sql(ROWS), "0");
}

#[tokio::test]
async fn the_table_is_the_one_that_was_named() {
    let server = PostgresServer::start();
    server.sql("CREATE SCHEMA limits");
    for name in ["other", "limits.records", "limits.Order", "select", "public.limitra_records"] {
        let storage = storage::from_url(
            &server.url(),
            [("table_name", name), ("connect_timeout", "60"), ("response_timeout", "60")],
        );
        assert!(limiter(&storage.unwrap(), Algorithm::FixedWindow, 5).allow_request("ada").await.unwrap());
        let quoted = name.replace('.', "\".\"");
        assert_eq!(server.sql(&format!("SELECT count(*) FROM \"{quoted}\"")), "1");
    }
    let by_query = storage_at(&format!("{}?table_name=limits.fromquery", server.url()));
    by_query.ping().await.unwrap();
    assert_eq!(server.sql("SELECT count(*) FROM limits.fromquery"), "0");
    for name in ["x; DROP TABLE other", "x\" (a int); --", "a.b.c", "", "x y", "é"] {
        let mistake = storage::from_url(&server.url(), [("table_name", name)]).unwrap_err();
        assert!(matches!(mistake, ConfigurationError::StorageOption { name: "table_name", .. }), "{mistake}");
        assert!(PostgresStorage::migration(name).is_err());
    }
}

#[tokio::test]
async fn a_table_that_is_dropped_is_made_again() {
    let server = PostgresServer::start();
    let limiter = limiter(&storage_at(&server.url()), Algorithm::FixedWindow, 5);
    assert!(limiter.allow_request("ada").await.unwrap());
    server.sql("DROP TABLE limitra_records");
    assert_eq!(kind(limiter.allow_request("ada").await), StorageErrorKind::Refused);
    assert!(limiter.allow_request("ada").await.unwrap());
    assert_eq!(limiter.usage("ada").await.unwrap().count, 1);
}

#[tokio::test]
async fn a_table_of_somebody_else_is_refused_and_left_alone() {
    let server = PostgresServer::start();
    server.sql(
        "CREATE TABLE limitra_records (key text, amount int); INSERT INTO limitra_records VALUES ('a', 1)",
    );
    let storage = storage_at(&server.url());
    assert_eq!(storage.ping().await.unwrap_err().kind(), StorageErrorKind::Refused);
    assert_eq!(server.sql("SELECT * FROM limitra_records"), "a|1");
}

#[tokio::test]
async fn the_migration_makes_the_table_that_is_needed_also_unlogged() {
    let server = PostgresServer::start();
    let url = format!("{}?create_table=false", server.url());
    let storage = storage_at(&url);
    let error = storage.ping().await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Refused);
    let message = error.to_string();
    assert!(
        message.contains("no table limitra_records") && message.contains("PostgresStorage::migration"),
        "{message}"
    );
    assert_eq!(server.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0");
    let migration = PostgresStorage::migration("limitra_records").unwrap();
    // Twice does no harm.
    server.sql(&migration.replace("CREATE TABLE", "CREATE UNLOGGED TABLE"));
    server.sql(&migration);
    assert!(limiter(&storage, Algorithm::FixedWindow, 5).allow_request("ada").await.unwrap());
    assert_eq!(server.sql("SELECT relpersistence FROM pg_class WHERE relname = 'limitra_records'"), "u");
    assert_eq!(server.sql("SELECT count(*) FROM pg_indexes WHERE tablename = 'limitra_records'"), "2");
}

#[tokio::test]
async fn a_row_that_somebody_holds_is_contention_after_so_many_tries_as_were_set() {
    let server = PostgresServer::start();
    let storage = storage_at(&format!("{}?max_retries=3", server.url()));
    let limiter = limiter(&storage, Algorithm::FixedWindow, 5);
    assert!(limiter.allow_request("ada").await.unwrap());
    let lock = Lock::by(&server, "SELECT FROM limitra_records FOR UPDATE").await;
    let Err(limitra::Error::Storage(error)) = limiter.check("ada").await else {
        panic!("a locked row was changed");
    };
    assert_eq!(error.kind(), StorageErrorKind::ConcurrentUpdate);
    assert_eq!(error.concurrent_update().unwrap().attempts, 3);
    // It is not in the way of others, nor of a test.
    assert!(limiter.allow_request("bob").await.unwrap());
    assert_eq!(limiter.usage("ada").await.unwrap().count, 1);
    lock.release().await;
    assert!(limiter.allow_request("ada").await.unwrap());
    let builder = fresh(&storage).requests(1).window(60);
    assert!(builder.build().is_ok());
    let mistake = PostgresStorage::from_url(&format!("{}?max_retries=0", server.url())).unwrap_err();
    assert_eq!(mistake, ConfigurationError::ZeroRetries);
}

#[tokio::test]
async fn another_default_isolation_of_the_database_makes_no_difference() {
    let server = PostgresServer::builder().setting("default_transaction_isolation", "serializable").start();
    let storages = [(); 4].map(|()| storage_at(&server.url()));
    let prefix = limitra_tests::fresh_prefix();
    let limiters = storages.each_ref().map(|storage| {
        limitra::RateLimiter::builder()
            .storage(storage)
            .prefix(&prefix)
            .requests(20)
            .window(3600)
            .build()
            .unwrap()
    });
    let mut running = tokio::task::JoinSet::new();
    for task in 0..60_usize {
        let limiter = limiters[task % 4].clone();
        running.spawn(async move { limiter.allow_request("ada").await.unwrap() });
    }
    assert_eq!(running.join_all().await.into_iter().filter(|allowed| *allowed).count(), 20);
}

#[tokio::test]
async fn no_error_names_who_was_asking() {
    let server = PostgresServer::start();
    let limiter = limiter(&storage_at(&server.url()), Algorithm::FixedWindow, 5);
    assert!(limiter.allow_request("bob").await.unwrap());
    // Whatever is written: the server tells the row that it did not take.
    server.sql("ALTER TABLE limitra_records ADD CONSTRAINT never CHECK (false) NOT VALID");
    for who in ["s3cret", "bob"] {
        let error = limiter.check(who).await.unwrap_err();
        let told = all_told(&error);
        assert!(told.contains("\"never\"") && told.contains("23514"), "{told}");
        assert!(!told.contains("s3cret") && !told.contains("bob"), "{told}");
        assert_eq!(kind::<()>(Err(error)), StorageErrorKind::Refused);
    }
}
