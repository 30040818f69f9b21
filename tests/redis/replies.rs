//! What a server may say instead of an answer.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use limitra::{Algorithm, Attempt, Clock, Key, Mode, RedisStorage, Refund, State, StorageErrorKind, Subject};
use limitra_tests::ScriptedRedis;

use crate::stage::{HOUR, SECOND, fresh, kind, limit, limiter, rule, storage_at};

#[tokio::test]
async fn what_the_server_says_is_an_error_of_its_kind_and_the_command_is_sent_once() {
    use StorageErrorKind::{ForeignValue, Full, Malformed, OtherVersion, Refused, Unavailable};
    for (reply, expected) in [
        ("-READONLY You can't write against a read only replica.\r\n", Unavailable),
        ("-LOADING Redis is loading the dataset in memory\r\n", Unavailable),
        (
            "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n",
            Unavailable,
        ),
        (
            "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
            Unavailable,
        ),
        ("-CLUSTERDOWN The cluster is down\r\n", Unavailable),
        ("-TRYAGAIN Multiple keys request during rehashing of slot\r\n", Unavailable),
        ("-MOVED 3999 127.0.0.1:6381\r\n", Unavailable),
        ("-ASK 3999 127.0.0.1:6381\r\n", Unavailable),
        ("-NOREPLICAS Not enough good replicas to write.\r\n", Unavailable),
        ("-CROSSSLOT Keys in request don't hash to the same slot\r\n", Refused),
        ("-OOM command not allowed when used memory > 'maxmemory'.\r\n", Refused),
        ("-MISCONF Redis is configured to save RDB snapshots\r\n", Refused),
        ("-NOPERM this user has no permissions to run the 'evalsha' command\r\n", Refused),
        ("-NOAUTH Authentication required.\r\n", Refused),
        ("-ERR whatever\r\n", Refused),
        ("-SOMETHING that no version has said yet\r\n", Refused),
        ("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n", ForeignValue),
        ("-ERR Error running script: @user_script:1: WRONGTYPE Operation against a key\r\n", ForeignValue),
        ("-LIMITRAFOREIGN the value is not a limitra record\r\n", ForeignValue),
        ("-LIMITRAFULL the record holds as many other rules as it may\r\n", Full),
        ("-LIMITRAVERSION the record is of another version\r\n", OtherVersion),
        (":1\r\n", Malformed),
        ("+OK\r\n", Malformed),
        ("$-1\r\n", Malformed),
        ("*0\r\n", Malformed),
        ("*1\r\n:1\r\n", Malformed),
        ("*6\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:-1\r\n", Malformed),
        ("*6\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n$1\r\n1\r\n", Malformed),
        ("*7\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n", Malformed),
        ("*6\r\n:1\r\n:7\r\n:1\r\n:1\r\n:1\r\n:1\r\n", Malformed),
    ] {
        let server = ScriptedRedis::start(reply.as_bytes()).await;
        let storage = storage_at(&server.url());
        let limiter = limiter(&storage, Algorithm::SlidingWindow, 5);
        assert_eq!(kind(limiter.check("ada").await), expected, "{reply}");
        assert_eq!(server.asked(), 1, "{reply}");
        // And again, by the same connection or another one.
        assert_eq!(kind(limiter.check("ada").await), expected, "{reply}");
        assert_eq!(server.asked(), 2, "{reply}");
        let open = fresh(&storage).limit(limit(5, HOUR)).fail_open(true).build().unwrap();
        assert!(open.check("ada").await.unwrap().is_degraded(), "{reply}");
    }
}

#[tokio::test]
async fn a_server_that_never_has_the_script_is_asked_twice_and_no_more() {
    let server = ScriptedRedis::start(b"-NOSCRIPT No matching script. Please use EVAL.\r\n").await;
    let limiter = limiter(&storage_at(&server.url()), Algorithm::SlidingWindow, 5);
    assert!(limiter.check("ada").await.is_err());
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn a_script_that_is_sent_again_has_no_second_deadline() {
    let server = ScriptedRedis::saying(|name| match name {
        "EVALSHA" => (SECOND * 3 / 2, b"-NOSCRIPT No matching script. Please use EVAL.\r\n".to_vec()),
        "EVAL" => (Duration::ZERO, Vec::new()),
        _ => ScriptedRedis::greeting(name),
    })
    .await;
    let storage = RedisStorage::builder().url(server.url()).response_timeout(SECOND * 2);
    let limiter = limiter(&storage.build().unwrap().into(), Algorithm::SlidingWindow, 5);
    for count in [1, 2] {
        let began = Instant::now();
        for answer in limiter.check_many(vec!["ada"; count]).await {
            assert_eq!(kind(answer), StorageErrorKind::Timeout);
        }
        assert!(began.elapsed() < SECOND * 3, "{count}: {:?}", began.elapsed());
    }
    assert_eq!(server.asked(), 4);
}

#[tokio::test]
async fn a_server_that_cannot_greet_for_a_while_is_greeted_again_by_the_next_decision() {
    for error in ["-LOADING Redis is loading the dataset in memory", "-BUSY Redis is busy running a script."]
    {
        let greeted = AtomicU64::new(0);
        let server = ScriptedRedis::saying(move |name| match name {
            "HELLO" if greeted.fetch_add(1, Ordering::SeqCst) == 0 => {
                (Duration::ZERO, format!("{error}\r\n").into_bytes())
            }
            "HELLO" => (Duration::ZERO, b"%1\r\n+proto\r\n:3\r\n".to_vec()),
            // What only RESP3 has.
            "EVALSHA" if greeted.load(Ordering::SeqCst) == 2 => (Duration::ZERO, b"#t\r\n".to_vec()),
            "EVALSHA" => (Duration::ZERO, b"-ERR by RESP2\r\n".to_vec()),
            _ => ScriptedRedis::greeting(name),
        })
        .await;
        let limiter = limiter(&storage_at(&server.url()), Algorithm::SlidingWindow, 5);
        assert_eq!(kind(limiter.check("ada").await), StorageErrorKind::Unavailable, "{error}");
        assert_eq!(kind(limiter.check("ada").await), StorageErrorKind::Malformed, "{error}");
    }
}

/// It may be the answer to somebody else, as from then on each would be.
#[tokio::test]
async fn after_what_is_no_answer_the_next_decision_is_had_by_another_connection() {
    let connections = Arc::new(AtomicU64::new(0));
    let count = connections.clone();
    let server = ScriptedRedis::saying(move |name| {
        count.fetch_add(u64::from(name == "HELLO"), Ordering::SeqCst);
        if name == "EVALSHA" { (Duration::ZERO, b"+OK\r\n".to_vec()) } else { ScriptedRedis::greeting(name) }
    })
    .await;
    let storage = storage_at(&server.url()).shared();
    let rules = [rule(Algorithm::SlidingWindow, 5, HOUR)];
    let subjects = ["ada", "bob"].map(|name| Subject {
        key: Key::from_text(name),
        rules: Cow::Borrowed(&rules),
        cost: 1,
    });
    let attempt = |subjects| Attempt { subjects, clock: Clock::Storage, mode: Mode::Hit };
    let [one, other] = subjects.each_ref().map(std::slice::from_ref);
    for round in 1..=3 {
        let answers = match round {
            1 => vec![storage.decide(&attempt(one)).await],
            2 => storage.decide_many(&[attempt(one), attempt(other)]).await,
            _ => vec![storage.decide(&attempt(&subjects)).await],
        };
        for answer in answers {
            assert_eq!(answer.unwrap_err().kind(), StorageErrorKind::Malformed);
        }
        assert_eq!(connections.load(Ordering::SeqCst), round);
    }
    let refund = Refund { subjects: &subjects, receipts: &[State::default(); 2], clock: Clock::Storage };
    assert_eq!(storage.give_back(&refund).await.unwrap_err().kind(), StorageErrorKind::Malformed);
    assert_eq!(connections.load(Ordering::SeqCst), 4);
    let _ = storage.give_back(&refund).await;
    assert_eq!(connections.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn something_that_is_no_redis_is_an_error_within_the_deadline() {
    for reply in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"\0\0\0\0", b"*5\r\n:1\r\n", b"$99999999999\r\n"]
    {
        let server = ScriptedRedis::start(reply).await;
        let builder = RedisStorage::builder().url(server.url()).response_timeout(Duration::from_millis(100));
        let limiter = limiter(&builder.build().unwrap().into(), Algorithm::SlidingWindow, 5);
        for _ in 0..2 {
            let found = kind(limiter.check("ada").await);
            let all = [StorageErrorKind::Malformed, StorageErrorKind::Timeout, StorageErrorKind::Unavailable];
            assert!(all.contains(&found), "{reply:?}: {found:?}");
        }
    }
}
