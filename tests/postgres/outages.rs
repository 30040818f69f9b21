//! What a caller gets while PostgreSQL cannot be asked, and that all is well when it can be again.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use limitra::{Algorithm, AnyStorage, PostgresStorage, StorageErrorKind, check_all};
use limitra_tests::{PostgresServer, Proxy, ProxyMode, RedisServer};
use tokio::task::JoinSet;

use crate::stage::{Lock, fresh, kind, limiter, storage_at, url_by, wait_for, wait_for_a_waiting_statement};

const RESPONSE: Duration = Duration::from_millis(300);
const CONNECT: Duration = Duration::from_millis(400);
/// What a busy machine may add to a deadline.
const SLACK: Duration = Duration::from_secs(5);

fn hasty(url: &str) -> AnyStorage {
    let storage = PostgresStorage::builder().url(url).response_timeout(RESPONSE).connect_timeout(CONNECT);
    storage.build().unwrap().into()
}

/// An outage of this kind for one who asks, and for many at once, within the deadline; counted, and let through where that
/// is wanted.
async fn is_an_outage(storage: &AnyStorage, kinds: &[StorageErrorKind]) {
    let closed = limiter(storage, Algorithm::SlidingWindow, 5);
    let began = Instant::now();
    let found = kind(closed.check("ada").await);
    assert!(kinds.contains(&found), "{found:?}");
    assert!(began.elapsed() < 2 * RESPONSE + CONNECT + SLACK, "{:?}", began.elapsed());
    let open = fresh(storage).requests(5).window(3600).fail_open(true).build().unwrap();
    assert!(open.check("ada").await.unwrap().is_degraded());
    assert!(check_all([open.of("ada"), open.of("bob")]).await.unwrap().is_degraded());
    assert!(kinds.contains(&kind(open.reset("ada").await)));
    let began = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..100 {
        let closed = closed.clone();
        running.spawn(async move { kind(closed.check("ada").await) });
    }
    let found = running.join_all().await;
    assert!(found.iter().all(|found| kinds.contains(found)), "{found:?}");
    assert!(began.elapsed() < 2 * RESPONSE + CONNECT + SLACK, "one after another: {:?}", began.elapsed());
    assert!(!storage.check().await);
    assert!(storage.reset().await.is_err());
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_unavailable() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let storage = storage_at(&format!("postgres://postgres@127.0.0.1:{port}"));
    is_an_outage(&storage, &[StorageErrorKind::Unavailable]).await;
}

#[tokio::test]
async fn a_server_that_takes_connections_and_says_nothing_is_unavailable_within_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let storage = hasty(&format!("postgres://postgres@{}", listener.local_addr().unwrap()));
    is_an_outage(&storage, &[StorageErrorKind::Unavailable]).await;
}

#[tokio::test]
async fn a_server_of_another_kind_is_an_error_within_the_deadline() {
    let redis = RedisServer::start();
    let storage = hasty(&format!("postgres://postgres@{}", redis.address()));
    is_an_outage(&storage, &[StorageErrorKind::Unavailable, StorageErrorKind::Malformed]).await;
    // One that speaks first, and nonsense.
    for words in ["HTTP/1.1 400 Bad Request\r\n\r\n", "RRRRRRRRRRRRRRRRRRRR", "\0\0\0\0\0\0\0\0"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let storage = hasty(&format!("postgres://postgres@{}", listener.local_addr().unwrap()));
        let speaker = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            std::io::Write::write_all(&mut stream, words.as_bytes()).unwrap();
            stream
        });
        let error = storage.ping().await.unwrap_err();
        let kinds = [StorageErrorKind::Unavailable, StorageErrorKind::Malformed];
        assert!(kinds.contains(&error.kind()), "{words}: {error}");
        drop(speaker.join());
    }
}

#[tokio::test]
async fn a_server_that_stands_still_is_a_timeout_and_goes_on_by_itself() {
    let server = PostgresServer::start();
    storage_at(&server.url()).ping().await.unwrap();
    let storage = hasty(&server.url());
    let limiter = limiter(&storage, Algorithm::FixedWindow, 50);
    while limiter.allow_request("ada").await.is_err() {}
    let before = limiter.usage("ada").await.unwrap().count;
    server.pause();
    let began = Instant::now();
    assert_eq!(kind(limiter.allow_request("ada").await), StorageErrorKind::Timeout);
    assert!((RESPONSE..RESPONSE + SLACK).contains(&began.elapsed()), "{:?}", began.elapsed());
    // From now on no connection can be made.
    is_an_outage(&storage, &[StorageErrorKind::Unavailable, StorageErrorKind::Timeout]).await;
    server.resume();
    let patient = storage_at(&server.url());
    patient.ping().await.unwrap();
    // It was asked for the row, and nothing was written.
    assert_eq!(limiter.usage("ada").await.map_or(before, |usage| usage.count), before);
    // Nobody's connection is left over.
    drop((patient, storage, limiter));
    wait_for(
        &server,
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
        "0",
    )
    .await;
}

#[tokio::test]
async fn the_default_deadlines_are_half_a_second_and_a_second() {
    let server = PostgresServer::start();
    let storage: AnyStorage = PostgresStorage::from_url(&server.url()).unwrap().into();
    let limiter = limiter(&storage, Algorithm::FixedWindow, 5);
    // A machine that is busy may need a few.
    while limiter.allow_request("ada").await.is_err() {}
    server.pause();
    let began = Instant::now();
    assert_eq!(kind(limiter.allow_request("ada").await), StorageErrorKind::Timeout);
    let answered = began.elapsed();
    assert!((Duration::from_millis(500)..SLACK).contains(&answered), "{answered:?}");
    let began = Instant::now();
    assert_eq!(kind(limiter.allow_request("ada").await), StorageErrorKind::Unavailable);
    let answered = began.elapsed();
    assert!((Duration::from_secs(1)..SLACK).contains(&answered), "{answered:?}");
    server.resume();
}

#[tokio::test]
async fn a_write_whose_reply_is_lost_is_an_error_and_counted_once() {
    let server = PostgresServer::start();
    let proxy = Proxy::start(server.address());
    let storage = storage_at(&url_by(&proxy));
    for algorithm in Algorithm::ALL {
        let (one, other) = (limiter(&storage, *algorithm, 5), limiter(&storage, *algorithm, 5));
        // A row that is changed, a row that is new, and two at once.
        for round in 0..3_u64 {
            proxy.set(ProxyMode::Pass);
            storage.ping().await.unwrap();
            let lock = Lock::of_writes(&server).await;
            let asking = tokio::spawn({
                let (one, other) = (one.clone(), other.clone());
                async move {
                    match round {
                        0 | 1 => one.check("ada").await.map(drop),
                        _ => check_all([one.of("ada"), other.of("ada")]).await.map(drop),
                    }
                }
            });
            // The rows were loaded; writing them waits.
            wait_for_a_waiting_statement(&server).await;
            proxy.set(ProxyMode::DropReply);
            lock.release().await;
            assert_eq!(kind(asking.await.unwrap()), StorageErrorKind::Unavailable, "{algorithm}");
            proxy.set(ProxyMode::Pass);
            assert_eq!(one.usage("ada").await.unwrap().count, round + 1, "{algorithm}");
        }
        assert_eq!(other.usage("ada").await.unwrap().count, 1, "{algorithm}");
    }
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_not_written_later() {
    let server = PostgresServer::start();
    let patient = storage_at(&server.url());
    patient.ping().await.unwrap();
    let limiter = limiter(&hasty(&server.url()), Algorithm::FixedWindow, 50);
    while limiter.allow_request("ada").await.is_err() {}
    let before = server.sql("SELECT value, version FROM limitra_records");
    let lock = Lock::of_writes(&server).await;
    for _ in 0..3 {
        let found = kind(limiter.allow_request("ada").await);
        assert!([StorageErrorKind::Timeout, StorageErrorKind::Unavailable].contains(&found), "{found:?}");
    }
    // The server gives them up by itself, though the lock is still held, and their connections with them.
    wait_for(&server, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'", "0").await;
    lock.release().await;
    assert_eq!(server.sql("SELECT value, version FROM limitra_records"), before);
}

#[tokio::test]
async fn a_connection_that_is_cut_before_the_request_is_an_error_that_counts_nothing() {
    let server = PostgresServer::start();
    let proxy = Proxy::start(server.address());
    let limiter = limiter(&storage_at(&url_by(&proxy)), Algorithm::FixedWindow, 5);
    assert!(limiter.allow_request("ada").await.unwrap());
    for mode in [ProxyMode::CutBeforeRequest, ProxyMode::DropReply] {
        proxy.set(mode);
        assert_eq!(kind(limiter.allow_request("ada").await), StorageErrorKind::Unavailable);
        proxy.set(ProxyMode::Pass);
        assert_eq!(limiter.usage("ada").await.unwrap().count, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_loses_no_count() {
    let mut server = PostgresServer::start();
    let storage = storage_at(&server.url());
    let limiters: Vec<_> = Algorithm::ALL.iter().map(|algorithm| limiter(&storage, *algorithm, 5)).collect();
    for limiter in &limiters {
        for _ in 0..3 {
            assert!(limiter.allow_request("ada").await.unwrap());
        }
    }
    server.crash();
    is_an_outage(&storage, &[StorageErrorKind::Unavailable]).await;
    server.restart();
    for limiter in &limiters {
        assert_eq!(limiter.usage("ada").await.unwrap().count, 3);
        assert!(limiter.allow_request("ada").await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_under_load_costs_errors_and_nothing_else() {
    let mut server = PostgresServer::start();
    let storage = storage_at(&server.url());
    let limiter = limiter(&storage, Algorithm::FixedWindow, 1_000_000);
    assert!(limiter.allow_request("ada").await.unwrap());
    let mut running = JoinSet::new();
    for _ in 0..20 {
        let limiter = limiter.clone();
        running.spawn(async move {
            let (mut allowed, mut errors) = (0, 0);
            // Until the outage was seen and is over.
            loop {
                match limiter.check("ada").await {
                    Ok(_) if errors > 0 => return (allowed + 1, errors),
                    Ok(_) => allowed += 1,
                    Err(_) => errors += 1,
                }
                tokio::task::yield_now().await;
            }
        });
    }
    let _server = tokio::task::spawn_blocking(move || {
        server.crash();
        std::thread::sleep(CONNECT);
        server.restart();
        server
    })
    .await
    .unwrap();
    let finished = tokio::time::timeout(crate::stage::PATIENCE, running.join_all()).await;
    let finished = finished.expect("some task never got over it");
    let allowed: u64 = finished.iter().map(|(allowed, _)| allowed).sum();
    let errors: u64 = finished.iter().map(|(_, errors)| errors).sum();
    let count = limiter.usage("ada").await.unwrap().count;
    assert!(
        (allowed + 1..=allowed + 1 + errors).contains(&count),
        "{count} for {allowed} and {errors} errors"
    );
}

#[tokio::test]
async fn a_server_that_takes_no_writes_is_unavailable_until_another_answers() {
    let server = PostgresServer::start();
    let storage = storage_at(&server.url());
    let limiter = limiter(&storage, Algorithm::FixedWindow, 5);
    assert!(limiter.allow_request("ada").await.unwrap());
    let terminate = "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity \
                     WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    // As on a standby.
    server.sql("ALTER DATABASE postgres SET default_transaction_read_only = on");
    server.sql(terminate);
    while storage.ping().await.is_err() {}
    assert_eq!(limiter.usage("ada").await.unwrap().count, 1);
    assert_eq!(kind(limiter.allow_request("ada").await), StorageErrorKind::Unavailable);
    server.sql("BEGIN READ WRITE; ALTER DATABASE postgres RESET default_transaction_read_only; COMMIT");
    // The connection was given up, so the next one leads to whoever answers now.
    assert!(limiter.allow_request("ada").await.unwrap());
    assert_eq!(limiter.usage("ada").await.unwrap().count, 2);
}

#[tokio::test]
async fn of_several_servers_one_that_answers_is_enough() {
    let server = PostgresServer::start();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let storage = storage_at(&format!("postgres://postgres@{gone},{}/postgres", server.address()));
    assert!(limiter(&storage, Algorithm::FixedWindow, 5).allow_request("ada").await.unwrap());
}
