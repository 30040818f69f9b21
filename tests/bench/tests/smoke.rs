//! The bench runs, and every case says something. What it says of speed is for `docs/performance.md`.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

use std::collections::BTreeSet;
use std::process::Command;

use limitra_tests::TemporaryFolder;
use serde_json::Value;

/// Runs a group with tiny counts, and returns the case and subject of each row.
fn rows(group: &str) -> BTreeSet<(String, String)> {
    let folder = TemporaryFolder::new("bench");
    let mut bench = Command::new(env!("CARGO_BIN_EXE_limitra-bench"));
    // The program that counts allocations was built with this test; other languages are not for every machine.
    bench.env_remove("CARGO");
    let output = bench.args([group, "--tiny", "--out"]).arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(folder.path().join("rows.jsonl")).unwrap();
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let rows = rows.filter(|row| row["about"].is_null()).map(|row| {
        assert!(row["value"].as_f64().is_some(), "{row}");
        let cell = |name: &str| row[name].as_str().unwrap().to_owned();
        assert_eq!(cell("group"), group);
        (cell("case"), cell("subject"))
    });
    rows.collect()
}

fn assert_has(rows: &BTreeSet<(String, String)>, case: &str, subject: &str) {
    let row = (case.to_owned(), subject.to_owned());
    assert!(rows.contains(&row), "{row:?} is not among {rows:#?}");
}

#[test]
fn every_case_in_memory_has_a_row_for_limitra_and_for_its_peers() {
    let rows = rows("memory");
    let has = |case: &str, subject: &str| assert_has(&rows, case, subject);
    let strings = ["governor, a String per call", "governor, a String at hand"];
    for threads in ["1 thread", "2 threads"] {
        for subject in ["limitra", "limitra, coarse clock", "governor", "leaky-bucket"] {
            has(&format!("unkeyed, {threads}"), subject);
        }
        for keys in ["1,000 keys", "one key, allowed", "one key, exceeded", "1,000,000 keys"] {
            let case = format!("{keys}, {threads}");
            has(&case, "limitra");
            for subject in strings {
                has(&case, subject);
            }
        }
        for size in [16, 64] {
            has(&format!("1,000,000 keys, {threads}"), &format!("limitra, check_many of {size}"));
        }
    }
    for case in ["1,000 keys, 1 thread", "one key, allowed, 1 thread", "1,000,000 keys, 1 thread"] {
        has(case, "throttlecrab");
    }
    for case in ["1,000 keys, 1 thread", "one key, allowed, 1 thread", "one key, exceeded, 1 thread"] {
        has(case, "limitador");
    }
    for width in [12, 200] {
        for subject in ["limitra", "governor", "throttlecrab", "limitador, 100,000 keys"] {
            has(&format!("1,000,000 keys of {width} bytes"), subject);
        }
    }
    for algorithm in limitra::Algorithm::ALL {
        has(&format!("one hit each, {algorithm}"), "limitra");
    }
    for case in [
        "1,000 integer keys, 1 thread",
        "a function with #[rate_limit], 1,000 keys",
        "inserting 1,000,000 keys, 1 thread",
        "1,000,000 keys",
        "a key of text, allowed",
        "a key of text, exceeded",
        "an integer key, allowed",
        "a function with #[rate_limit]",
    ] {
        has(case, "limitra");
    }
}

#[test]
fn every_case_on_redis_has_a_row_for_limitra_and_for_its_peers() {
    let rows = rows("redis");
    for tasks in ["1 task", "64 tasks", "512 tasks"] {
        for threads in ["1 worker thread", "2 worker threads"] {
            for subject in [
                "limitra",
                "one EVALSHA each, same client",
                "raw INCR, same client",
                "deadpool-redis, a checkout each",
            ] {
                assert_has(&rows, &format!("{tasks}, {threads}"), subject);
            }
        }
    }
    for flights in [1, 4] {
        for subject in ["limitra", "a pipeline of EVALSHAs"] {
            assert_has(&rows, &format!("check_many of 128, {flights} in flight"), subject);
        }
    }
    for algorithm in ["gcra", "fixed_window", "sliding_window", "moving_window"] {
        for tasks in ["1 task", "64 tasks"] {
            for subject in ["limitra", "a script written by hand"] {
                assert_has(&rows, &format!("server time, {algorithm}, {tasks}"), subject);
            }
        }
    }
    for subject in ["limitra", "limitra, deny cache"] {
        assert_has(&rows, "1,000 exceeded identifiers, 64 tasks", subject);
    }
}

#[test]
fn every_request_has_a_row_for_limitra_and_for_its_peers() {
    let rows = rows("http");
    for counter in ["a counter for all", "a counter for each address"] {
        for answer in ["allowed", "denied"] {
            for subject in ["limitra", "tower_governor"] {
                assert_has(&rows, &format!("{answer}, {counter}"), subject);
            }
        }
    }
}

#[test]
fn every_curve_has_its_rows() {
    let rows = rows("curves");
    for (case, subject) in [
        ("keys in memory", "limitra"),
        ("keys in memory", "limitra, check_many of 16"),
        ("keys in memory", "governor, a String per call"),
        ("rules of one decision", "limitra in memory"),
        ("rules of one decision", "limitra on Redis"),
        ("limit of a moving window", "limitra in memory"),
        ("limit of a moving window", "limitra on Redis"),
        ("tasks on Redis", "limitra"),
    ] {
        assert_has(&rows, case, subject);
    }
}
