//! How many instructions a decision takes, counted by callgrind: what no other load on the machine changes.

use std::process::{Command, Stdio};
use std::time::Duration;

use limitra::{Algorithm, Limit, RateLimiter};

use crate::keys::{Keys, shuffled, walk};
use crate::limiters::{Allowance, limits};
use crate::memory::{EVERYBODY, attributed};
use crate::pass::at_once;
use crate::program::Program;
use crate::row::{INSTRUCTIONS, Name, Row};
use crate::rows::Rows;
use crate::scale::Scale;

/// The name of this group.
pub(crate) const GROUP: &str = "instructions";

/// What this program is called with for one run.
pub(crate) const ARGUMENT: &str = "one-run";

/// What was counted before limitra was made fast.
const BEFORE: &str = include_str!("../../../docs/performance/before.jsonl");

const KEYS: usize = 1000;
const BATCH: usize = 16;

/// What settles a case and then makes so many calls.
type Run = fn(usize);

const CASES: &[(&str, Run)] = &[
    ("unkeyed", |count| {
        let limitra = Allowance::Ample.limitra(Algorithm::Gcra, 1);
        collected(count, &mut || assert!(at_once(limitra.check(EVERYBODY)).unwrap().is_allowed()));
    }),
    ("1,000 keys, allowed", |count| keyed(count, Allowance::Ample)),
    ("1,000 keys, exceeded", |count| keyed(count, Allowance::One)),
    ("1,000 integer keys, allowed", |count| {
        let limitra = Allowance::Ample.limitra(Algorithm::Gcra, KEYS);
        let keys = shuffled(KEYS);
        let mut next = walk(&keys, 0);
        collected(count, &mut || assert!(at_once(limitra.check(*next())).unwrap().is_allowed()));
    }),
    (MANY, |count| {
        let limitra = Allowance::Ample.limitra(Algorithm::Gcra, KEYS);
        let keys = Keys::new(KEYS, 12);
        let mut next = keys.walk(0);
        collected(count, &mut || drop(at_once(limitra.check_many((0..BATCH).map(|_| next())))));
    }),
    ("1,000 keys, the attribute", |count| {
        let (keys, handle) = (Keys::new(KEYS, 12), limits());
        let mut next = keys.walk(0);
        collected(count, &mut || assert_eq!(at_once(attributed(next(), &handle)).unwrap(), 7));
    }),
    ("1,000 keys, sliding window", |count| of_algorithm(count, Algorithm::SlidingWindow)),
    ("1,000 keys, fixed window", |count| of_algorithm(count, Algorithm::FixedWindow)),
    ("1,000 keys, moving window of 10", |count| of_algorithm(count, Algorithm::MovingWindow)),
    ("1,000 keys, four rules", |count| {
        let limit = |seconds| Limit::new(1_000_000_000, Duration::from_secs(seconds)).unwrap();
        let limits = [1000, 2000, 4000, 8000].map(limit);
        let limitra = RateLimiter::builder().algorithm(Algorithm::Gcra).limits(limits).build().unwrap();
        decide(count, &limitra);
    }),
];

const MANY: &str = "1,000 keys, check_many of 16";

fn keyed(count: usize, allowance: Allowance) {
    decide(count, &allowance.limitra(Algorithm::Gcra, KEYS));
}

fn of_algorithm(count: usize, algorithm: Algorithm) {
    let allowance = if algorithm == Algorithm::MovingWindow { Allowance::Hourly } else { Allowance::Ample };
    decide(count, &allowance.limitra(algorithm, KEYS));
}

fn decide(count: usize, limitra: &RateLimiter) {
    let keys = Keys::new(KEYS, 12);
    let mut next = keys.walk(0);
    collected(count, &mut || drop(at_once(limitra.check(next())).unwrap()));
}

/// Makes the calls, after as many as come by every key.
fn collected(count: usize, call: &mut dyn FnMut()) {
    (0..2 * KEYS).for_each(|_| call());
    toggled(count, call);
}

/// Callgrind counts in here alone; it finds this by its name.
#[inline(never)]
fn toggled(count: usize, call: &mut dyn FnMut()) {
    (0..count).for_each(|_| call());
}

/// Counts each case by callgrind.
pub(crate) fn measure(scale: Scale, program: &Program) -> Vec<Row> {
    if Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_err() {
        eprintln!("{GROUP}: left out: valgrind is not installed");
        return Vec::new();
    }
    let count = scale.operations(40_000);
    let row = |case: &str| {
        eprintln!("{GROUP}: {case}");
        let each = if case == MANY { BATCH } else { 1 };
        let value = counted(program, case, count) / (count * each) as f64;
        Row::of(GROUP, &Name::new(case, "limitra"), INSTRUCTIONS, vec![value])
    };
    let mut rows: Vec<Row> = CASES.iter().map(|(case, _)| row(case)).collect();
    rows.extend(Rows::parse(BEFORE).rows);
    rows
}

/// The instructions of so many calls.
fn counted(program: &Program, case: &str, count: usize) -> f64 {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.arg("--toggle-collect=limitra_bench::instructions::toggled*").arg(program.path());
    let output = valgrind.args([ARGUMENT, case, &count.to_string()]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let line = said.lines().find_map(|line| line.split("Collected : ").nth(1));
    line.and_then(|number| number.trim().parse().ok()).expect("callgrind says what it collected")
}

/// Makes so many calls of one case.
pub(crate) fn run(arguments: &[String]) -> Option<()> {
    let [case, count] = arguments else { return None };
    let (_, run) = CASES.iter().find(|(name, _)| name == case)?;
    run(count.parse().ok()?);
    Some(())
}
