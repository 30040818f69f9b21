//! However many ask at once, exactly as many are admitted as fit in.

use std::collections::HashMap;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use limitra::{Algorithm, AnyStorage, Limit, ManualClock, RateLimiter, check_all};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::fresh_prefix;

const TASKS: u64 = 300;

fn limit(amount: u64, seconds: u64) -> Limit {
    Limit::new(amount, Duration::from_secs(seconds)).unwrap()
}

/// A limiter whose time stands still, so that nothing comes back while they race.
fn limiter(algorithm: Algorithm, limits: &[Limit], storage: &AnyStorage, clock: &ManualClock) -> RateLimiter {
    RateLimiter::builder()
        .algorithm(algorithm)
        .limits(limits.iter().copied())
        .storage(storage)
        .clock(clock.clone())
        .prefix(fresh_prefix())
        .build()
        .unwrap()
}

/// Starts so many tasks at one moment, and returns how many of them were allowed.
async fn race<F>(tasks: u64, ask: impl Fn(u64) -> F) -> u64
where
    F: Future<Output = bool> + Send + 'static,
{
    let start = Arc::new(Barrier::new(usize::try_from(tasks).unwrap()));
    let mut running = JoinSet::new();
    for task in 0..tasks {
        let (start, asked) = (start.clone(), ask(task));
        running.spawn(async move {
            start.wait().await;
            asked.await
        });
    }
    let answers = running.join_all().await;
    answers.into_iter().map(u64::from).sum()
}

/// Tasks on one key.
pub async fn racing_tasks_admit_exactly_the_limit(storage: AnyStorage) {
    for algorithm in Algorithm::ALL {
        let limiter = limiter(*algorithm, &[limit(100, 3600)], &storage, &ManualClock::new());
        let admitted = race(TASKS, |_| {
            let limiter = limiter.clone();
            async move { limiter.allow_request("ada").await.unwrap() }
        });
        assert_eq!(admitted.await, 100, "{algorithm}");
        assert_eq!(limiter.usage("ada").await.unwrap().remaining, 0, "{algorithm}");
    }
}

/// Tasks that ask for more than one.
pub async fn racing_tasks_with_costs_spend_no_more_than_the_limit(storage: AnyStorage) {
    for algorithm in Algorithm::ALL {
        let limiter = limiter(*algorithm, &[limit(100, 3600)], &storage, &ManualClock::new());
        let admitted = race(TASKS, |_| {
            let limiter = limiter.clone();
            async move { limiter.check_cost("ada", 3).await.unwrap().is_allowed() }
        });
        assert_eq!(admitted.await, 33, "{algorithm}");
        assert_eq!(limiter.usage("ada").await.unwrap().remaining, 1, "{algorithm}");
    }
}

/// Tasks under several limits.
pub async fn racing_tasks_charge_every_limit_or_none(storage: AnyStorage) {
    for algorithm in Algorithm::ALL {
        let limits = [limit(100, 10), limit(40, 60), limit(70, 3600)];
        let limiter = limiter(*algorithm, &limits, &storage, &ManualClock::new());
        let admitted = race(TASKS, |_| {
            let limiter = limiter.clone();
            async move { limiter.allow_request("ada").await.unwrap() }
        });
        assert_eq!(admitted.await, 40, "{algorithm}");
        let left = limiter.test("ada").await.unwrap();
        let left: Vec<u64> = left.rules().iter().map(limitra::RuleDecision::remaining).collect();
        assert_eq!(left, [60, 0, 30], "{algorithm}");
    }
}

/// Ten users of one tenant: each may 20, all together 90.
pub async fn racing_tasks_charge_every_subject_or_none(storage: AnyStorage) {
    for algorithm in Algorithm::ALL {
        let clock = ManualClock::new();
        let user = limiter(*algorithm, &[limit(20, 3600)], &storage, &clock);
        // The other subject, whatever the first one's algorithm is.
        let tenant = limiter(Algorithm::Gcra, &[limit(90, 3600)], &storage, &clock);
        let admitted = race(TASKS, |task| {
            let (user, tenant) = (user.clone(), tenant.clone());
            async move {
                let who = format!("user{}", task % 10);
                // Half of them name the two in the other order.
                let charges = if task % 20 < 10 {
                    [user.of(&who), tenant.of("acme")]
                } else {
                    [tenant.of("acme"), user.of(&who)]
                };
                check_all(charges).await.unwrap().is_allowed()
            }
        });
        assert_eq!(admitted.await, 90, "{algorithm}");
        assert_eq!(tenant.usage("acme").await.unwrap().count, 90, "{algorithm}");
        let mut spent = 0;
        for who in 0..10 {
            let usage = user.usage(&format!("user{who}")).await.unwrap();
            assert!(usage.count <= 20, "{algorithm}: {usage:?}");
            spent += usage.count;
        }
        assert_eq!(spent, 90, "{algorithm}: what the tenant refused was charged to a user");
    }
}

/// Tasks of which half give back what they were charged: what is kept and what is left is what there was.
pub async fn racing_tasks_that_give_back_lose_and_gain_nothing(storage: AnyStorage) {
    for algorithm in Algorithm::ALL {
        let limits = [limit(100, 3600), limit(100, 7200)];
        let limiter = limiter(*algorithm, &limits, &storage, &ManualClock::new());
        let kept = Arc::new(AtomicU64::new(0));
        let admitted = race(TASKS, |task| {
            let (limiter, kept, cost) = (limiter.clone(), Arc::clone(&kept), 1 + task % 3);
            async move {
                let decision = limiter.check_cost("ada", cost).await.unwrap();
                let is_allowed = decision.is_allowed();
                if task % 2 == 0 {
                    let is_back = limiter.give_back("ada", decision).await.unwrap();
                    assert_eq!(is_back, is_allowed, "{algorithm}");
                } else if is_allowed {
                    kept.fetch_add(cost, Ordering::Relaxed);
                }
                is_allowed
            }
        });
        assert!(admitted.await > 0);
        let kept = kept.load(Ordering::Relaxed);
        let left = limiter.test("ada").await.unwrap();
        let left: Vec<u64> = left.rules().iter().map(limitra::RuleDecision::remaining).collect();
        assert_eq!(left, [100 - kept, 100 - kept], "{algorithm}");
    }
}

/// A subject that refuses.
pub async fn a_refused_subject_charges_no_other(storage: AnyStorage) {
    for algorithm in Algorithm::ALL {
        let clock = ManualClock::new();
        let user = limiter(*algorithm, &[limit(1, 3600)], &storage, &clock);
        let everyone = limiter(*algorithm, &[limit(10, 3600)], &storage, &clock);
        let abused = race(TASKS, |_| {
            let (user, everyone) = (user.clone(), everyone.clone());
            async move { check_all([everyone.of("all"), user.of("mallory")]).await.unwrap().is_allowed() }
        });
        assert_eq!(abused.await, 1, "{algorithm}");
        let other = check_all([everyone.of("all"), user.of("ada")]).await.unwrap();
        assert!(other.is_allowed(), "{algorithm}");
        assert_eq!(everyone.usage("all").await.unwrap().count, 2, "{algorithm}");
    }
}

/// Wherever a caller gave up, the record is as it was or as it should be.
pub async fn dropped_tasks_leave_all_limits_with_one_count(storage: AnyStorage) {
    for algorithm in Algorithm::ALL {
        let limits = [limit(1000, 60), limit(2000, 3600)];
        let limiter = limiter(*algorithm, &limits, &storage, &ManualClock::new());
        let mut running = JoinSet::new();
        for task in 0..TASKS {
            let limiter = limiter.clone();
            running.spawn(async move {
                let asked = limiter.allow_request("ada");
                // Some of them give up somewhere on the way.
                let patience = Duration::from_micros(task * 20);
                tokio::time::timeout(patience, asked).await.is_ok()
            });
        }
        let answered = running.join_all().await.into_iter().filter(|answered| *answered).count();
        // Whatever was given up is done with, one way or the other, when a later command was answered.
        let left = limiter.test("ada").await.unwrap();
        let spent: Vec<u64> =
            left.rules().iter().map(|rule| rule.limit().amount() - rule.remaining()).collect();
        assert_eq!(spent[0], spent[1], "{algorithm}");
        let answered = u64::try_from(answered).unwrap();
        assert!((answered..=TASKS).contains(&spent[0]), "{algorithm}: {answered} <= {spent:?}");
    }
}

/// How many each process admitted, by algorithm.
fn counts(racer: std::process::Child) -> HashMap<String, u64> {
    let output = racer.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let count = |line: &str| {
        let (algorithm, count) = line.split_once(' ').unwrap();
        (algorithm.to_owned(), count.parse().unwrap())
    };
    text.lines().map(count).collect()
}

/// Processes on one key; `racer` is the program, `url` names the storage.
pub fn racing_processes_admit_exactly_the_limit(racer: &str, url: &str, options: &[(String, String)]) {
    let prefix = fresh_prefix();
    let start = || {
        let options = options.iter().map(|(name, value)| format!("{name}={value}"));
        let mut command = Command::new(racer);
        command.args([url, &prefix]).args(options);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let racers = [start(), start(), start(), start()];
    let racers = racers.map(counts);
    let late = counts(start());
    for algorithm in Algorithm::ALL.iter().map(|algorithm| algorithm.name()) {
        let counts = racers.each_ref().map(|racer| racer[algorithm]);
        assert_eq!(counts.iter().sum::<u64>(), 100, "{algorithm}: {counts:?}");
        assert_eq!(late[algorithm], 0, "{algorithm}");
    }
}

/// Storages of their own, as so many processes have them, on one key and with the retries that are the default.
pub async fn racing_storages_do_not_run_out_of_retries(open: impl Fn() -> AnyStorage) {
    const STORAGES: usize = 64;
    let (prefix, clock) = (fresh_prefix(), ManualClock::new());
    let limiters: Vec<RateLimiter> = (0..STORAGES)
        .map(|_| {
            let limiter = RateLimiter::builder().limit(limit(32, 3600)).storage(open()).prefix(&prefix);
            limiter.clock(clock.clone()).build().unwrap()
        })
        .collect();
    for limiter in &limiters {
        // Connected before they race.
        limiter.test("ada").await.unwrap();
    }
    let limiters = Arc::new(limiters);
    let admitted = race(64, |task| {
        let limiters = limiters.clone();
        async move { limiters[usize::try_from(task).unwrap()].allow_request("ada").await.unwrap() }
    });
    assert_eq!(admitted.await, 32);
}
