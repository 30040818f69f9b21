//! Servers that fail, hang or talk nonsense.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use limitra::{AnyStorage, Error, RateLimiter, StorageErrorKind};
use limitra_tests::{MemcachedServer, Proxy, ProxyMode, RedisServer, all_told, fresh_prefix};
use tokio::task::JoinSet;

use crate::stage::{CONNECT, Listening, RESPONSE, SLACK, carry, hasty, kind, limiter, storage_at};

/// How often the server is started again in one test; and what is said when it is over.
const LAST: u64 = 5;
const OVER: u64 = u64::MAX;

/// An outage of this kind for one who asks, and for many at once, within the deadline.
async fn is_an_outage(storage: &AnyStorage, kinds: &[StorageErrorKind]) {
    let limiter = limiter(storage, 5);
    let began = Instant::now();
    let found = kind(limiter.check("ada").await);
    assert!(kinds.contains(&found), "{found:?}");
    assert!(began.elapsed() < RESPONSE + CONNECT + SLACK, "{:?}", began.elapsed());
    assert!(kinds.contains(&kind(limiter.reset("ada").await)));
    let began = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..200 {
        let limiter = limiter.clone();
        running.spawn(async move { kind(limiter.check("ada").await) });
    }
    let found = running.join_all().await;
    assert!(
        found.iter().all(|found| kinds.contains(found) || *found == StorageErrorKind::Unavailable),
        "{found:?}"
    );
    assert!(began.elapsed() < RESPONSE + CONNECT + SLACK, "one after another: {:?}", began.elapsed());
    assert!(storage.ping().await.is_err());
    assert!(!storage.check().await);
    assert!(storage.reset().await.is_err());
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_unavailable_at_once() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    is_an_outage(&storage_at(&format!("memcached://127.0.0.1:{port}")), &[StorageErrorKind::Unavailable])
        .await;
    is_an_outage(&storage_at("memcached:///nowhere/socket"), &[StorageErrorKind::Unavailable]).await;
    is_an_outage(&hasty("memcached://nowhere.invalid:1"), &[StorageErrorKind::Unavailable]).await;
}

#[tokio::test]
async fn a_server_that_stands_still_is_a_timeout_and_goes_on_by_itself() {
    let server = MemcachedServer::start();
    let storage = hasty(&server.url());
    let limiter = limiter(&storage, 5);
    assert!(limiter.allow_request("ada").await.unwrap());
    server.pause();
    let began = Instant::now();
    assert_eq!(kind(limiter.allow_request("ada").await), StorageErrorKind::Timeout);
    assert!((RESPONSE..RESPONSE + SLACK).contains(&began.elapsed()), "{:?}", began.elapsed());
    is_an_outage(&storage, &[StorageErrorKind::Timeout]).await;
    server.resume();
    assert!(limiter.allow_request("ada").await.unwrap());
    // Only loads were on their way.
    assert_eq!(limiter.usage("ada").await.unwrap().count, 2);
}

#[tokio::test]
async fn the_default_deadlines_are_half_a_second_and_a_second() {
    let server = MemcachedServer::start();
    let limiter = limiter(&limitra::MemcachedStorage::from_url(&server.url()).unwrap().into(), 5);
    assert!(limiter.allow_request("ada").await.unwrap());
    server.pause();
    let began = Instant::now();
    assert_eq!(kind(limiter.allow_request("ada").await), StorageErrorKind::Timeout);
    let deadline = Duration::from_millis(500);
    assert!((deadline..deadline + SLACK).contains(&began.elapsed()), "{:?}", began.elapsed());
    server.resume();
}

#[tokio::test]
async fn a_server_that_was_killed_and_started_again_starts_with_fresh_records() {
    let mut server = MemcachedServer::start();
    let limiter = limiter(&storage_at(&server.url()), 2);
    for _ in 0..3 {
        assert!(limiter.allow_request("ada").await.unwrap());
        assert!(limiter.allow_request("ada").await.unwrap());
        assert!(!limiter.allow_request("ada").await.unwrap());
        server.kill();
        assert_eq!(kind(limiter.allow_request("ada").await), StorageErrorKind::Unavailable);
        assert_eq!(kind(limiter.allow_request("ada").await), StorageErrorKind::Unavailable);
        server.restart();
    }
    assert!(limiter.allow_request("ada").await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_counted_after_a_restart_under_load_is_not_overwritten_by_what_was_loaded_before() {
    let mut server = MemcachedServer::start();
    let prefix = fresh_prefix();
    // How often the server was started again, and how many were allowed that asked since; then all is over.
    let (life, answered) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut running = JoinSet::new();
    // Each a storage of its own: they contend.
    for _ in 0..8 {
        let limiter =
            RateLimiter::builder().requests(1_000_000).window(3600).storage(storage_at(&server.url()));
        let limiter = limiter.prefix(&prefix).build().unwrap();
        let (life, answered) = (life.clone(), answered.clone());
        running.spawn(async move {
            let mut in_last_life = 0;
            loop {
                match life.load(Ordering::SeqCst) {
                    OVER => return in_last_life,
                    began => match limiter.allow_request("ada").await {
                        Ok(_) if began == LAST => in_last_life += 1,
                        Ok(_) => {}
                        Err(error) => assert!(matches!(
                            kind::<()>(Err(error)),
                            StorageErrorKind::Unavailable | StorageErrorKind::ConcurrentUpdate
                        )),
                    },
                }
                answered.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    for next in (1..=LAST).chain([OVER]) {
        let goal = answered.load(Ordering::SeqCst) + 300;
        while answered.load(Ordering::SeqCst) < goal {
            tokio::task::yield_now().await;
        }
        if next != OVER {
            server.restart();
        }
        life.store(next, Ordering::SeqCst);
    }
    let allowed: u64 = running.join_all().await.into_iter().sum();
    let limiter = RateLimiter::builder().requests(1_000_000).window(3600).storage(storage_at(&server.url()));
    let counted = limiter.prefix(&prefix).build().unwrap().usage("ada").await.unwrap().count;
    assert!(allowed > 0 && counted >= allowed, "{counted} counted, {allowed} allowed");
}

#[tokio::test]
async fn a_dropped_answer_to_a_swap_is_an_error_and_counts_once() {
    let server = MemcachedServer::start();
    let address = server.address();
    let listening = Listening::with(move |number, client| {
        carry(client, address, |command, answer| {
            // The first connection's first swap: it has run, and nobody hears of it.
            !(number == 0 && command.starts_with(b"ms ") && answer.is_some())
        });
    });
    let limiter = limiter(&storage_at(&listening.url()), 5);
    let before = server.figure("cmd_set");
    assert_eq!(kind(limiter.allow_request("ada").await), StorageErrorKind::Unavailable);
    assert_eq!(server.figure("cmd_set"), before + 1);
    assert_eq!(limiter.usage("ada").await.unwrap().count, 1);
    assert!(limiter.allow_request("ada").await.unwrap());
    assert_eq!(limiter.usage("ada").await.unwrap().count, 2);
    assert_eq!(server.figure("cmd_set"), before + 2);
}

#[tokio::test]
async fn a_swap_that_never_arrived_is_an_error_and_does_not_count() {
    let server = MemcachedServer::start();
    let address = server.address();
    let listening = Listening::with(move |number, client| {
        carry(client, address, |command, _| !(number == 0 && command.starts_with(b"ms ")));
    });
    let limiter = limiter(&storage_at(&listening.url()), 5);
    assert_eq!(kind(limiter.allow_request("ada").await), StorageErrorKind::Unavailable);
    assert_eq!(limiter.usage("ada").await.unwrap().count, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_dropped_under_load_double_no_count() {
    let server = MemcachedServer::start();
    let proxy = Proxy::start(server.address());
    let limiter = limiter(&storage_at(&format!("memcached://{}", proxy.address())), 1_000_000);
    let (mut allowed, mut unknown) = (0, 0);
    for round in 0..20 {
        let mut running = JoinSet::new();
        for task in 0..20 {
            let limiter = limiter.clone();
            running.spawn(async move { limiter.allow_request(task % 4).await });
        }
        if round % 2 == 0 {
            tokio::task::yield_now().await;
            proxy.set(ProxyMode::DropReply);
        }
        for answer in running.join_all().await {
            match answer {
                Ok(_) => allowed += 1,
                Err(_) => unknown += 1,
            }
        }
        proxy.set(ProxyMode::Pass);
    }
    let mut counted = 0;
    for who in 0..4 {
        counted += limiter.usage(who).await.unwrap().count;
    }
    assert!((allowed..=allowed + unknown).contains(&counted), "{allowed} + {unknown}: {counted}");
    // As many as were stored, and no command was stored twice.
    assert_eq!(server.figure("cmd_set") - server.figure("cas_misses") - server.figure("cas_badval"), counted);
}

#[tokio::test]
async fn of_two_servers_the_one_that_is_away_is_an_error_for_its_keys_only() {
    let (mut one, other) = (MemcachedServer::start(), MemcachedServer::start());
    let storage = storage_at(&format!("memcached://{},{}", one.address(), other.address()));
    // The order does not matter.
    let turned = storage_at(&format!("memcached://{},{}", other.address(), one.address()));
    let prefix = fresh_prefix();
    let limiter = |storage: &AnyStorage| {
        let limiter = limitra::RateLimiter::builder().requests(2).window(3600).storage(storage);
        limiter.prefix(&prefix).build().unwrap()
    };
    let (limiter, turned) = (limiter(&storage), limiter(&turned));
    for who in 0..40 {
        assert!(limiter.allow_request(who).await.unwrap());
        assert!(turned.allow_request(who).await.unwrap());
        assert!(!limiter.allow_request(who).await.unwrap());
    }
    let (its, others) = (one.figure("curr_items"), other.figure("curr_items"));
    assert_eq!(its + others, 40);
    assert!(its > 5 && others > 5, "{its}, {others}");
    one.kill();
    let (mut refused, mut lost) = (0, 0);
    for who in 0..40 {
        match limiter.allow_request(who).await {
            Ok(allowed) => {
                assert!(!allowed, "{who} was counted elsewhere");
                refused += 1;
            }
            Err(Error::Storage(error)) => {
                assert_eq!(error.kind(), StorageErrorKind::Unavailable);
                assert!(error.to_string().contains(&one.address().to_string()), "{error}");
                lost += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((refused, lost), (others, its));
    assert_eq!(other.figure("curr_items"), others);
    // Health is all of them.
    assert!(!storage.check().await);
    one.restart();
    assert!(storage.check().await);
}

#[tokio::test]
async fn a_server_of_another_kind_is_an_error_within_the_deadline() {
    let redis = RedisServer::start();
    let url = format!("memcached://{}", redis.address());
    is_an_outage(&hasty(&url), &[StorageErrorKind::Malformed]).await;
    let with_password = format!("memcached://user:secret@{}", redis.address());
    is_an_outage(&hasty(&with_password), &[StorageErrorKind::Malformed, StorageErrorKind::Refused]).await;
}

#[tokio::test]
async fn a_server_that_repeats_what_it_was_asked_does_not_make_an_error_name_who_was_asking() {
    let redis = RedisServer::start();
    let limiter = limiter(&hasty(&format!("memcached://{}", redis.address())), 5);
    let told = all_told(&limiter.check("ada").await.unwrap_err());
    assert!(told.contains("-ERR") && !told.contains("ada"), "{told}");
}

#[tokio::test]
async fn a_server_that_takes_connections_and_says_nothing_is_a_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let storage = hasty(&format!("memcached://{}", listener.local_addr().unwrap()));
    is_an_outage(&storage, &[StorageErrorKind::Timeout]).await;
}

#[tokio::test]
async fn garbage_is_a_malformed_answer() {
    let value = "x".repeat(40);
    let garbage = [
        "VA 99999999999 c1 O0\r\n".to_owned(),
        "VA 18446744073709551615 c1 O0\r\n".to_owned(),
        "VA 1048577 c1 O0\r\n".to_owned(),
        "VA 99999999999999999999999 c1 O0\r\n".to_owned(),
        "VA -1 c1 O0\r\n".to_owned(),
        "VA\r\n".to_owned(),
        "VA x c1 O0\r\nx\r\n".to_owned(),
        format!("VA 3 c1 O0\r\n{value}\r\n"),
        format!("VA 40 c1 O1\r\n{value}\r\n"),
        format!("VA 40 c1\r\n{value}\r\n"),
        format!("VA 40 O0\r\n{value}\r\n"),
        format!("VA 40 cx O0\r\n{value}\r\n"),
        "HD O0\r\n".to_owned(),
        "HD\r\n".to_owned(),
        "EX O0\r\n".to_owned(),
        "EN O7\r\n".to_owned(),
        "MN\r\n".to_owned(),
        "\r\n".to_owned(),
        "\n\n\n".to_owned(),
        "VALUE a 0 40\r\n".to_owned(),
        "x".repeat(1 << 20),
        "HTTP/1.1 400 Bad Request\r\n\r\n".to_owned(),
        "-ERR unknown command 'mg'\r\n".to_owned(),
        "\u{0}\u{1}\u{7f}\u{fffd}\r\n".to_owned(),
    ];
    for garbage in garbage {
        let listening = Listening::answering(garbage.clone());
        let limiter = limiter(&storage_at(&listening.url()), 5);
        let error = limiter.allow_request("ada").await.unwrap_err();
        assert_eq!(kind::<()>(Err(error)), StorageErrorKind::Malformed, "{garbage:.60?}");
        // On a connection of its own, again.
        let error = limiter.allow_request("ada").await.unwrap_err();
        assert!(error.to_string().len() < 600, "{error}");
        assert_eq!(kind::<()>(Err(error)), StorageErrorKind::Malformed, "{garbage:.60?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_an_outage() {
    for cut in ["VA 40 c1 O0\r\nxxx", "VA 40 c1 O", "", "E"] {
        let listening = Listening::answering(cut);
        is_an_outage(&hasty(&listening.url()), &[StorageErrorKind::Timeout]).await;
    }
    let closing = Listening::with(|_, mut stream| {
        use std::io::{Read as _, Write as _};
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"VA 40 c1 O0\r\nxxx");
    });
    assert_eq!(
        kind(limiter(&storage_at(&closing.url()), 5).allow_request("ada").await),
        StorageErrorKind::Unavailable
    );
}

#[tokio::test]
async fn what_the_server_refuses_is_said_in_its_words() {
    for (said, expected) in [
        ("SERVER_ERROR out of memory reading request\r\n", StorageErrorKind::Refused),
        ("CLIENT_ERROR unauthenticated\r\n", StorageErrorKind::Refused),
        ("ERROR\r\n", StorageErrorKind::Refused),
        ("SERVER_ERROR object too large for cache\r\n", StorageErrorKind::Full),
        ("ERROR Too many open connections\r\n", StorageErrorKind::Unavailable),
    ] {
        let listening = Listening::answering(said);
        let error = limiter(&storage_at(&listening.url()), 5).allow_request("ada").await.unwrap_err();
        assert!(error.to_string().contains(said.trim()), "{error}");
        assert_eq!(kind::<()>(Err(error)), expected);
    }
}

#[tokio::test]
async fn a_connection_that_is_dead_is_given_up_even_if_all_callers_give_up_earlier() {
    let server = MemcachedServer::start();
    let address = server.address();
    let listening = Listening::with(move |number, client| {
        if number == 0 {
            // Kept, and never answered.
            std::mem::forget(client);
        } else {
            carry(client, address, |_, _| true);
        }
    });
    let limiter = limiter(&hasty(&listening.url()), 5);
    let began = Instant::now();
    loop {
        // Longer than an answer takes, shorter than the deadline.
        if let Ok(answer) = tokio::time::timeout(RESPONSE / 3, limiter.allow_request("ada")).await {
            match answer {
                Ok(allowed) => break assert!(allowed),
                Err(error) => assert_eq!(kind::<()>(Err(error)), StorageErrorKind::Timeout),
            }
        }
        assert!(began.elapsed() < SLACK * 10, "it holds on to the dead connection");
    }
}
