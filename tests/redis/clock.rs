//! The server's clock decides, not the process's.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use limitra::{Algorithm, Clock, Micros, Mode};
use limitra_tests::{RedisServer, ShiftedClock, TemporaryFolder, fresh_prefix, shared};

use crate::stage::{HOUR, Look, SECOND, ask, fresh, limit, rule, storage_at};

fn server_time(look: &mut Look) -> Micros {
    let (seconds, micros): (u64, u64) = look.run(&["TIME"]);
    Micros::new(seconds * 1_000_000 + micros)
}

#[tokio::test]
async fn a_decision_takes_place_at_the_servers_instant() {
    const AHEAD: Duration = Duration::from_secs(3 * 365 * 86_400);
    let server = RedisServer::builder().clock_ahead(AHEAD).start();
    let ahead = Micros::from_duration(AHEAD);
    let mut look = Look::at(&server);
    let storage = storage_at(&server.url()).shared();
    for algorithm in Algorithm::ALL {
        let rules = [rule(*algorithm, 5, HOUR), rule(*algorithm, 50, HOUR * 10)];
        for (rules, mode) in [(&rules[..1], Mode::Hit), (&rules, Mode::Hit), (&rules[..1], Mode::Peek)] {
            let before = server_time(&mut look);
            let key = fresh_prefix();
            let outcome = ask(&*storage, &key, rules, Clock::Storage, mode, 1).await.unwrap();
            let after = server_time(&mut look);
            assert!((before..=after).contains(&outcome.now), "{algorithm}: {before:?} {outcome:?}");
            let own = Micros::from_system_time(SystemTime::now());
            assert!(outcome.now.minus(own).plus(Micros::from_duration(HOUR)) > ahead, "{algorithm}");
        }
    }
}

#[tokio::test]
async fn waits_are_right_for_a_client_whose_clock_is_off() {
    let server = RedisServer::builder().clock_ahead(HOUR * 24 * 1000).start();
    let storage = storage_at(&server.url());
    for algorithm in Algorithm::ALL {
        let limiter = fresh(&storage).algorithm(*algorithm).limit(limit(1, HOUR)).build().unwrap();
        assert!(limiter.allow_request("ada").await.unwrap());
        let refused = limiter.check("ada").await.unwrap();
        assert!(!refused.is_allowed());
        // A sliding window needs up to two windows, an aligned one less than one.
        assert!(refused.retry_after() > Duration::ZERO, "{algorithm}");
        assert!(refused.retry_after() <= HOUR * 2, "{algorithm}: {refused:?}");
        if algorithm.is_bucket() || *algorithm == Algorithm::FixedWindow {
            assert!(refused.retry_after() + SECOND * 20 > HOUR, "{algorithm}: {refused:?}");
        }
    }
}

#[tokio::test]
async fn short_windows_are_held_by_the_servers_clock() {
    const AMOUNT: u32 = 20;
    let storage = storage_at(&shared().url());
    for algorithm in Algorithm::ALL {
        for window in [Duration::from_millis(1), Duration::from_millis(30)] {
            let limiter =
                fresh(&storage).algorithm(*algorithm).limit(limit(AMOUNT.into(), window)).build().unwrap();
            let began = Instant::now();
            let mut admitted = 0;
            while began.elapsed() < Duration::from_millis(150) {
                admitted += u32::from(limiter.allow_request("ada").await.unwrap());
            }
            // One more for the window in which it began, one for the one in which it ended.
            let windows = began.elapsed().as_micros() / window.as_micros() + 2;
            assert!(
                u128::from(admitted) <= windows * u128::from(AMOUNT),
                "{algorithm}, {window:?}: {admitted}"
            );
            assert!(admitted > 0, "{algorithm}, {window:?}");
        }
    }
}

#[test]
fn processes_whose_clocks_are_decades_apart_share_one_limit() {
    let folder = TemporaryFolder::new("clock");
    let clock = ShiftedClock::in_folder(folder.path());
    let (url, prefix) = (shared().url(), fresh_prefix());
    let start = |years: i64| {
        Command::new(env!("CARGO_BIN_EXE_racer"))
            .args([&url, &prefix, "response_timeout=60", "connect_timeout=60"])
            .envs(clock.environment(years * 365 * 86_400))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap()
    };
    // Windows of 100 years: by the last one's own clock they would all be over.
    let racers = [start(-40), start(0), start(150)];
    let outputs = racers.map(|racer| {
        let output = racer.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    });
    for algorithm in Algorithm::ALL {
        let admitted = outputs.iter().filter_map(|output| {
            let line = output.lines().find_map(|line| line.strip_prefix(&format!("{algorithm} ")));
            line.map(|count| count.parse::<u64>().unwrap())
        });
        assert_eq!(admitted.sum::<u64>(), 100, "{algorithm}: {outputs:?}");
    }
}

#[test]
fn a_shifted_clock_shifts_what_a_process_takes_for_now() {
    let folder = TemporaryFolder::new("clock");
    let clock = ShiftedClock::in_folder(folder.path());
    let year = |years: i64| -> i64 {
        let environment = clock.environment(years * 365 * 86_400);
        let output = Command::new("date").arg("+%Y").envs(environment).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    };
    assert!((149..=150).contains(&(year(150) - year(0))));
    assert!((40..=41).contains(&(year(0) - year(-40))));
}
