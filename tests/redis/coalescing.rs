//! Decisions that are made at the same time go together.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use limitra::{
    Algorithm, AnyStorage, Attempt, Clock, Key, Micros, Mode, RateLimiter, RedisStorage, Rule, Storage,
    StorageErrorKind, Subject,
};
use limitra_tests::{Proxy, ProxyMode, RedisServer, fresh_prefix, shared};
use tokio::task::{JoinHandle, JoinSet};

use crate::stage::{HOUR, Look, fresh, kind, limit, limiter, rule, storage_at};

const NOW: Micros = Micros::new(1_700_000_000_000_000);

/// Commands that a server ran, but for those that scripts called.
fn evalshas(server: &RedisServer) -> u64 {
    server.command_counts().get("evalsha").copied().unwrap_or_default()
}

/// Decisions that are under way until the server goes on; the first two go alone, the others wait for them.
async fn under_way(
    limiter: &RateLimiter,
    identifiers: &[&str],
) -> Vec<JoinHandle<Result<bool, limitra::Error>>> {
    let mut running = Vec::new();
    for identifier in identifiers {
        let (limiter, identifier) = (limiter.clone(), (*identifier).to_owned());
        running.push(tokio::spawn(async move { limiter.allow_request(&identifier).await }));
        // On a runtime of one thread: until it has done all that it can.
        tokio::task::yield_now().await;
    }
    running
}

#[tokio::test]
async fn decisions_at_the_same_time_take_few_commands() {
    let server = RedisServer::start();
    for algorithm in Algorithm::ALL {
        let limiter = limiter(&storage_at(&server.url()), *algorithm, 50);
        limiter.allow_request("first").await.unwrap();
        server.forget_counts();
        server.pause();
        let identifiers: Vec<&str> = [vec!["ada"; 60], vec!["bob"; 60]].concat();
        let running = under_way(&limiter, &identifiers).await;
        server.resume();
        let mut allowed = Vec::new();
        for answer in running {
            allowed.push(answer.await.unwrap().unwrap());
        }
        // First come, first served: the last ten of each are refused.
        let expected = [vec![true; 50], vec![false; 10]].concat().repeat(2);
        assert_eq!(allowed, expected, "{algorithm}");
        // Two alone, and the rest by 59, 32 and 27, once more if the server had not seen that script.
        assert!(evalshas(&server) <= 6, "{algorithm}: {}", evalshas(&server));
    }
}

#[tokio::test]
async fn a_caller_alone_sends_the_script_of_its_algorithm() {
    let server = RedisServer::start();
    let limiter = limiter(&storage_at(&server.url()), Algorithm::Gcra, 50);
    for _ in 0..10 {
        limiter.allow_request("ada").await.unwrap();
    }
    assert_eq!(Look::at(&server).info("memory", "number_of_cached_scripts"), 1);
    // The first one was not known.
    assert_eq!(evalshas(&server), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_tasks_of_several_runtimes_admit_exactly_the_limit() {
    const TASKS: u64 = 64;
    let server = RedisServer::start();
    for algorithm in Algorithm::ALL {
        let limits = [limit(1000, HOUR), limit(700, HOUR * 2)];
        let mixed = fresh(&storage_at(&server.url())).algorithm(*algorithm).limits(limits).build().unwrap();
        for limiter in [limiter(&storage_at(&server.url()), *algorithm, 700), mixed] {
            let race = |limiter: RateLimiter| async move {
                let mut running = JoinSet::new();
                for _ in 0..TASKS {
                    let limiter = limiter.clone();
                    running.spawn(async move {
                        let mut admitted = 0;
                        for _ in 0..8 {
                            admitted += u64::from(limiter.allow_request("ada").await.unwrap());
                        }
                        admitted
                    });
                }
                running.join_all().await.into_iter().sum::<u64>()
            };
            let other = std::thread::spawn({
                let limiter = limiter.clone();
                move || tokio::runtime::Runtime::new().unwrap().block_on(race(limiter))
            });
            let here = race(limiter.clone()).await;
            assert_eq!(here + other.join().unwrap(), 700, "{algorithm}");
            assert_eq!(limiter.outages(), 0);
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_one_record_is_its_callers_error_alone() {
    what_is_wrong_stays_with_its_caller(&RedisServer::start()).await;
}

pub(crate) async fn what_is_wrong_stays_with_its_caller(server: &RedisServer) {
    let mut look = Look::at(server);
    for algorithm in Algorithm::ALL {
        let limiter = limiter(&storage_at(&server.url()), *algorithm, 5);
        limiter.allow_request("first").await.unwrap();
        look.set(&limiter.key("foreign"), b"somebody else's");
        look.set(&limiter.key("forty"), &[b'x'; 40]);
        look.set(&limiter.key("later"), b"LR\x03\x01whatever comes then");
        look.run::<()>(&["RPUSH", &limiter.key("list"), "1"]);
        let before: Vec<Vec<u8>> =
            ["foreign", "forty", "later", "list"].iter().map(|who| look.dump(&limiter.key(who))).collect();
        server.pause();
        let identifiers = ["a", "b", "foreign", "ada", "forty", "list", "ada", "later", "eve"];
        let running = under_way(&limiter, &identifiers).await;
        server.resume();
        for (answer, identifier) in running.into_iter().zip(identifiers) {
            let answer = answer.await.unwrap();
            match identifier {
                "foreign" | "forty" | "list" => assert_eq!(kind(answer), StorageErrorKind::ForeignValue),
                "later" => assert_eq!(kind(answer), StorageErrorKind::OtherVersion),
                _ => assert!(answer.unwrap(), "{algorithm}: {identifier}"),
            }
        }
        assert_eq!(limiter.usage("ada").await.unwrap().count, 2, "{algorithm}");
        let after: Vec<Vec<u8>> =
            ["foreign", "forty", "later", "list"].iter().map(|who| look.dump(&limiter.key(who))).collect();
        assert_eq!(before, after, "{algorithm}");
    }
}

/// By `MGET` what is no text looks like nothing.
#[tokio::test]
async fn a_value_of_another_type_among_many_is_an_error_and_left_alone() {
    let (storage, mut look) = (storage_at(&shared().url()).shared(), Look::at(shared()));
    for algorithm in Algorithm::ALL {
        let rules = [rule(*algorithm, 5, HOUR)];
        for clock in [Clock::Storage, Clock::At(NOW)] {
            let names = ["first", "list", "last"].map(|name| format!("{}{name}", fresh_prefix()));
            look.run::<()>(&["RPUSH", &names[1], "1"]);
            let before = look.dump(&names[1]);
            for (mode, cost) in
                [(Mode::Hit, 1), (Mode::Hit, 6), (Mode::Hit, 0), (Mode::Peek, 1), (Mode::Peek, 6)]
            {
                let subjects = names
                    .each_ref()
                    .map(|name| [Subject { key: Key::from_text(name), rules: Cow::Borrowed(&rules), cost }]);
                let attempts = subjects.each_ref().map(|subjects| Attempt { subjects, clock, mode });
                let [one, list, other] = storage.decide_many(&attempts).await.try_into().unwrap();
                assert_eq!(list.map_err(|error| error.kind()).err(), Some(StorageErrorKind::ForeignValue));
                for outcome in [one, other] {
                    let allowed = outcome.unwrap().rules[0].allowed;
                    assert_eq!(allowed, cost <= 5, "{algorithm}: {mode:?}, {cost}");
                }
            }
            assert_eq!(look.dump(&names[1]), before, "{algorithm}: the value was touched");
        }
    }
}

#[tokio::test]
async fn a_caller_that_leaves_while_it_waits_is_left_out_and_one_that_was_sent_is_counted() {
    let server = RedisServer::start();
    let limiter = limiter(&storage_at(&server.url()), Algorithm::FixedWindow, 50);
    limiter.allow_request("first").await.unwrap();
    server.pause();
    let running = under_way(&limiter, &["ada", "ada", "ada", "ada", "ada", "ada"]).await;
    // The first went at once, the third waits.
    for (place, task) in running.iter().enumerate() {
        if place == 0 || place == 2 {
            task.abort();
        }
    }
    server.resume();
    let mut answered = 0;
    for task in running {
        answered += u64::from(task.await.is_ok_and(|answer| answer.unwrap()));
    }
    assert_eq!(answered, 4);
    assert_eq!(limiter.usage("ada").await.unwrap().count, 5);
}

#[tokio::test]
async fn a_reply_that_is_lost_is_the_error_of_all_who_went_together_and_nobody_is_counted_twice() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let limiter = limiter(&storage_at(&proxy.redis_url()), Algorithm::FixedWindow, 500);
    // The server knows both scripts: it runs what it is sent.
    limiter.allow_request("first").await.unwrap();
    limiter.check_many(["first", "second"]).await;
    server.pause();
    // Those that went alone are answered; the reply to the batch, which names this key, is lost.
    proxy.set(ProxyMode::DropReplyTo(b"lost"));
    let running = under_way(&limiter, &["a", "b", "lost", "ada", "ada", "ada"]).await;
    server.resume();
    let mut errors = 0;
    for task in running {
        errors += u64::from(task.await.unwrap().is_err());
    }
    proxy.set(ProxyMode::Pass);
    assert_eq!(errors, 4);
    assert_eq!(limiter.usage("ada").await.unwrap().count, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_answers_nobody_and_leaves_nobody_waiting() {
    let mut server = RedisServer::start();
    let storage = RedisStorage::builder().url(server.url()).response_timeout(Duration::from_secs(5));
    let limiter = limiter(&storage.build().unwrap().into(), Algorithm::FixedWindow, 500);
    limiter.allow_request("first").await.unwrap();
    server.pause();
    let running = under_way(&limiter, &["ada"; 300]).await;
    let began = Instant::now();
    server.kill();
    for task in running {
        assert_eq!(kind(task.await.unwrap()), StorageErrorKind::Unavailable);
    }
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_runtime_that_ends_leaves_nobody_waiting() {
    let server = RedisServer::start();
    let limiter = limiter(&storage_at(&server.url()), Algorithm::FixedWindow, 500);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(limiter.allow_request("first")).unwrap();
    server.pause();
    let waiting = runtime.block_on(under_way(&limiter, &["ada"; 300]));
    drop(runtime);
    assert_eq!(waiting.iter().filter(|task| task.is_finished()).count(), 300);
    server.resume();
    let other = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert!(other.block_on(limiter.allow_request("ada")).unwrap());
}

#[tokio::test]
async fn a_user_who_may_not_touch_one_of_the_keys_fails_with_that_one_alone() {
    let server = RedisServer::start();
    let mut look = Look::at(&server);
    let storage = storage_at(&format!("redis://some:secret@{}", server.address()));
    let limiter = limiter(&storage, Algorithm::SlidingWindow, 5);
    let pattern = limiter.key("ada").replace("ada", "a*");
    look.run::<()>(&["ACL", "SETUSER", "some", "on", ">secret", &format!("~{pattern}"), "+@all"]);
    limiter.allow_request("a").await.unwrap();
    server.pause();
    let identifiers = ["a", "a", "ada", "eve", "amy", "ada"];
    let running = under_way(&limiter, &identifiers).await;
    server.resume();
    for (answer, identifier) in running.into_iter().zip(identifiers) {
        let answer = answer.await.unwrap();
        if identifier == "eve" {
            assert_eq!(kind(answer), StorageErrorKind::Refused);
        } else {
            assert!(answer.unwrap(), "{identifier}");
        }
    }
    assert_eq!(limiter.usage("ada").await.unwrap().count, 2);
}

#[tokio::test]
async fn many_are_decided_in_one_command_for_each_hundred_and_twenty_eight() {
    let server = RedisServer::start();
    let limiter = limiter(&storage_at(&server.url()), Algorithm::Gcra, 2);
    limiter.check_many(["first", "second"]).await;
    server.forget_counts();
    let identifiers: Vec<String> = (0..300).map(|number| format!("{}", number % 100)).collect();
    let decided = limiter.check_many(identifiers.iter().map(String::as_str)).await;
    let allowed: Vec<bool> = decided.into_iter().map(|decision| decision.unwrap().is_allowed()).collect();
    assert_eq!(allowed, [vec![true; 200], vec![false; 100]].concat());
    assert_eq!(evalshas(&server), 3);
}

/// Decides one by one what it is asked, by the way that decides many: beside decisions of its own keys, the first one by so many rules.
#[derive(Debug)]
struct Together(AnyStorage, String, usize);

#[async_trait::async_trait]
impl Storage for Together {
    fn name(&self) -> &'static str {
        "together"
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<limitra::Outcome, limitra::StorageError> {
        let rules: Vec<Rule> =
            Algorithm::ALL.iter().map(|algorithm| rule(*algorithm, 1_000_000, HOUR)).collect();
        let beside = |name: &str| format!("{}{name}", self.1);
        let (one, other) = (beside("one"), beside("other"));
        let first = [Subject { key: Key::from_text(&one), rules: Cow::Borrowed(&rules[..self.2]), cost: 1 }];
        let last = [Subject { key: Key::from_text(&other), rules: Cow::Borrowed(&rules[..1]), cost: 1 }];
        let around = |subjects| Attempt { subjects, clock: attempt.clock, mode: Mode::Hit };
        let attempts = [around(&first), attempt.clone(), around(&last)];
        let mut outcomes = self.0.shared().decide_many(&attempts).await;
        outcomes.swap_remove(1)
    }

    async fn give_back(&self, refund: &limitra::Refund<'_>) -> Result<bool, limitra::StorageError> {
        self.0.shared().give_back(refund).await
    }

    async fn clear(&self, key: Key<'_>) -> Result<(), limitra::StorageError> {
        self.0.shared().clear(key).await
    }

    async fn ping(&self) -> Result<(), limitra::StorageError> {
        self.0.shared().ping().await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_together_keeps_every_promise() {
    let server = RedisServer::start();
    // All of one rule are seen by one look.
    for rules in [1, Algorithm::ALL.len()] {
        let together = Together(storage_at(&server.url()), fresh_prefix(), rules);
        limitra::conformance::check(Arc::new(together)).await.unwrap();
    }
}

#[tokio::test]
async fn a_caller_that_waits_has_the_same_deadline_as_one_that_was_sent() {
    let server = RedisServer::start();
    let storage = RedisStorage::builder().url(server.url()).response_timeout(Duration::from_millis(100));
    let limiter = limiter(&storage.build().unwrap().into(), Algorithm::FixedWindow, 500);
    limiter.allow_request("first").await.unwrap();
    server.pause();
    let running = under_way(&limiter, &["ada"; 50]).await;
    for task in running {
        assert_eq!(kind(task.await.unwrap()), StorageErrorKind::Timeout);
    }
    server.resume();
}

/// A future that is polled once and then no more, but kept.
async fn polled_once<F: Future>(future: F) -> std::pin::Pin<Box<F>> {
    let mut future = Box::pin(future);
    let _ = std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context).is_ready()))
        .await;
    future
}

#[tokio::test]
async fn two_futures_that_nobody_polls_stop_nobody_else() {
    let server = RedisServer::start();
    let limiter =
        limiter(&RedisStorage::from_url(&server.url()).unwrap().into(), Algorithm::FixedWindow, 500);
    limiter.allow_request("first").await.unwrap();
    let one = polled_once(limiter.allow_request("one")).await;
    let two = polled_once(limiter.allow_request("two")).await;
    let mut running = JoinSet::new();
    for _ in 0..20 {
        let limiter = limiter.clone();
        running.spawn(async move { limiter.allow_request("ada").await });
    }
    let answers = running.join_all().await;
    drop((one, two));
    let failed = answers.iter().filter(|answer| answer.is_err()).count();
    assert_eq!(failed, 0);
}

#[tokio::test]
async fn any_number_of_futures_that_nobody_polls_stop_nobody_else() {
    let server = RedisServer::start();
    let storage = RedisStorage::builder().url(server.url()).response_timeout(Duration::from_secs(5));
    let limiter = limiter(&storage.build().unwrap().into(), Algorithm::FixedWindow, 500);
    limiter.allow_request("first").await.unwrap();
    let mut kept = Vec::new();
    for _ in 0..300 {
        kept.push(polled_once(limiter.allow_request("kept")).await);
    }
    assert!(limiter.allow_request("ada").await.unwrap());
    drop(kept);
}

#[tokio::test]
async fn two_futures_that_nobody_polls_on_ones_own_connection() {
    let server = RedisServer::start();
    let client = redis::Client::open(server.url()).unwrap();
    let connection = client.get_multiplexed_async_connection().await.unwrap();
    let limiter = limiter(&RedisStorage::new(connection).into(), Algorithm::FixedWindow, 500);
    limiter.allow_request("first").await.unwrap();
    let one = polled_once(limiter.allow_request("one")).await;
    let two = polled_once(limiter.allow_request("two")).await;
    let mut failed = 0;
    for _ in 0..4 {
        failed += u64::from(limiter.allow_request("ada").await.is_err());
    }
    drop((one, two));
    assert_eq!(failed, 0);
}
