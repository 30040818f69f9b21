//! From requests a second and identifiers to bytes, cores and servers.

use std::fmt::Write as _;

use limitra::Algorithm;

use crate::picture::count;
use crate::report::figure;
use crate::rows::Rows;

/// What is measured may be reached; what is planned for should be less.
const HEADROOM: f64 = 2.0;

/// A part of the page.
pub(crate) fn part(name: &str, rows: &Rows) -> String {
    match name {
        "bytes" => bytes(rows),
        "decisions" => decisions(rows),
        "examples" => examples(rows),
        _ => panic!("the page has a part {name:?}, which nobody knows"),
    }
}

fn value(rows: &Rows, group: &str, case: &str, subject: &str, metric: &str) -> Option<f64> {
    let mut found = rows.of_group(group).filter(|row| row.case == case && row.subject == subject);
    found.find(|row| row.metric == metric).map(|row| row.value)
}

fn bytes_of(rows: &Rows, algorithm: Algorithm) -> Option<f64> {
    value(rows, "memory", &format!("one hit each, {algorithm}"), "limitra", "bytes per key")
}

/// Nanoseconds of a decision on one of a million keys.
fn cold(rows: &Rows) -> Option<f64> {
    value(rows, "memory", "1,000,000 keys, 1 thread", "limitra", "time per decision")
}

/// Decisions a second of one Redis under load.
fn redis_rate(rows: &Rows) -> Option<f64> {
    value(rows, "redis", "512 tasks, 2 worker threads", "limitra", "decisions a second")
}

fn bytes(rows: &Rows) -> String {
    let mut text = "| algorithm | bytes per key in memory | a million keys |\n|---|--:|--:|\n".to_owned();
    for algorithm in Algorithm::ALL {
        if let Some(bytes) = bytes_of(rows, *algorithm) {
            writeln!(text, "| `{algorithm}` | {bytes:.0} | {bytes:.0} MB |").unwrap();
        }
    }
    text
}

fn decisions(rows: &Rows) -> String {
    let mut text = "| where | case | decisions a second |\n|---|---|--:|\n".to_owned();
    let mut line = |place: &str, case: &str, rate: Option<f64>| {
        if let Some(rate) = rate {
            writeln!(text, "| {place} | {case} | {} |", figure(rate, "/s")).unwrap();
        }
    };
    let time = |case: &str, subject: &str| value(rows, "memory", case, subject, "time per decision");
    for (case, subject) in [
        ("unkeyed, 1 thread", "limitra"),
        ("1,000 keys, 1 thread", "limitra"),
        ("1,000,000 keys, 1 thread", "limitra"),
        ("1,000,000 keys, 1 thread", "limitra, check_many of 16"),
    ] {
        let name = if subject == "limitra" { case.to_owned() } else { format!("{case}, check_many of 16") };
        line("memory, a core", &name, time(case, subject).map(|nanoseconds| 1e9 / nanoseconds));
    }
    for tasks in ["1 task", "64 tasks", "512 tasks"] {
        let case = format!("{tasks}, 2 worker threads");
        line("one Redis", tasks, value(rows, "redis", &case, "limitra", "decisions a second"));
    }
    let many = "check_many of 128, 4 in flight";
    line("one Redis", many, value(rows, "redis", many, "limitra", "decisions a second"));
    for algorithm in ["gcra", "fixed_window", "sliding_window", "moving_window"] {
        let case = format!("server time, {algorithm}, 64 tasks");
        let busy = value(rows, "redis", &case, "limitra", "server time per decision");
        let name = format!("the script of `{algorithm}` alone, under load");
        line("one Redis, its core", &name, busy.map(|micros| 1e6 / micros));
    }
    text
}

/// Services of several sizes, with room for twice the traffic.
fn examples(rows: &Rows) -> String {
    let mut text =
        "| requests a second | identifiers | bytes in memory | cores, in memory | Redis servers |\n\
                    |--:|--:|--:|--:|--:|\n"
            .to_owned();
    let (Some(bytes), Some(nanoseconds), Some(rate)) =
        (bytes_of(rows, Algorithm::Gcra), cold(rows), redis_rate(rows))
    else {
        return "Not measured yet.\n".to_owned();
    };
    for (requests, identifiers) in
        [(100.0, 1e4), (1_000.0, 1e5), (10_000.0, 1e6), (100_000.0, 1e6), (1_000_000.0, 1e7)]
    {
        let cores = HEADROOM * requests * nanoseconds / 1e9;
        let cores = if cores < 0.01 { "below 0.01".to_owned() } else { format!("{cores:.2}") };
        let servers = (HEADROOM * requests / rate).ceil();
        writeln!(
            text,
            "| {} | {} | {:.1} MB | {cores} | {servers:.0} |",
            count(requests),
            count(identifiers),
            bytes * identifiers / 1e6,
        )
        .unwrap();
    }
    text
}
