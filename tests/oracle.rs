//! The decisions recorded from the two reference libraries, step by step, on every storage.
//!
//! Reads every `.jsonl` file of the folder that `LIMITRA_ORACLE` names (an absolute path), by default the project's own copy.
//! `allowed` and `remaining` have to agree at every step; what the libraries report as waiting and reset times is known to
//! be wrong in places and is not compared. The waiting times of limitra are held against their law instead.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use limitra::{
    Algorithm, AnyStorage, Decision, Error, Limit, ManualClock, MemoryStorage, Micros, RateLimiter,
};
use limitra_tests::{
    Reference, ReferenceRule, ReferenceSubject, TemporaryFolder, fresh_prefix, patient_storage, shared,
};
use serde_json::Value;

/// One line of a file: a limit, and what was asked of it.
struct Trace {
    /// File and line, for messages.
    place: String,
    algorithm: Algorithm,
    limit: Limit,
    steps: Vec<Step>,
}

struct Step {
    instant: u64,
    verb: Verb,
    cost: u64,
    remaining: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Verb {
    Hit { allowed: bool },
    Test { allowed: bool },
    Stats,
    Clear,
}

/// Why a folder of traces cannot be replayed.
#[derive(Debug)]
struct Malformed(String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn folder() -> PathBuf {
    match std::env::var_os("LIMITRA_ORACLE") {
        Some(folder) => {
            let folder = PathBuf::from(folder);
            assert!(folder.is_absolute(), "LIMITRA_ORACLE={} has to be an absolute path", folder.display());
            folder
        }
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("data/oracle"),
    }
}

fn recorded() -> Vec<Trace> {
    read(&folder()).unwrap_or_else(|malformed| panic!("{malformed}"))
}

/// Every trace of every `.jsonl` file in this folder; an error if there is none.
fn read(folder: &Path) -> Result<Vec<Trace>, Malformed> {
    let unreadable = |path: &Path, error: std::io::Error| Malformed(format!("{}: {error}", path.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
        let path = entry.map_err(|error| unreadable(folder, error))?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            files.push(path);
        }
    }
    files.sort();
    let mut traces = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).map_err(|error| unreadable(&file, error))?;
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        for (index, line) in lines {
            let place = format!("{}:{}", file.display(), index + 1);
            let trace = parse(line, &place);
            traces.push(trace.map_err(|what| Malformed(format!("{place}: {what}")))?);
        }
    }
    if traces.iter().all(|trace| trace.steps.is_empty()) {
        return Err(Malformed(format!("no recorded decision in any .jsonl file of {}", folder.display())));
    }
    Ok(traces)
}

fn parse(line: &str, place: &str) -> Result<Trace, String> {
    let trace: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let text = |value: &Value, name: &str| {
        let found = value[name].as_str().map(str::to_owned);
        found.ok_or_else(|| format!("`{name}` is not a string"))
    };
    let number = |value: &Value, name: &str| {
        value[name].as_u64().ok_or_else(|| format!("`{name}` is not a whole number"))
    };
    let boolean = |value: &Value, name: &str| {
        value[name].as_bool().ok_or_else(|| format!("`{name}` is neither true nor false"))
    };
    let algorithm = text(&trace, "algorithm")?;
    let algorithm = algorithm.parse().map_err(|error| format!("{algorithm}: {error}"))?;
    let window = Duration::from_micros(number(&trace, "window_us")?);
    let limit = Limit::new(number(&trace, "amount")?, window).map_err(|error| error.to_string())?;
    let mut steps = Vec::new();
    for step in trace["steps"].as_array().ok_or("`steps` is not a list")? {
        let verb = match text(step, "op")?.as_str() {
            "hit" => Verb::Hit { allowed: boolean(step, "allowed")? },
            "test" => Verb::Test { allowed: boolean(step, "allowed")? },
            "stats" => Verb::Stats,
            "clear" => Verb::Clear,
            other => return Err(format!("unknown `op` {other}")),
        };
        let is_given = |name: &str| !step[name].is_null();
        let asks = matches!(verb, Verb::Hit { .. } | Verb::Test { .. });
        let says = verb != Verb::Clear || is_given("remaining");
        steps.push(Step {
            instant: number(step, "t")?,
            verb,
            cost: if asks || is_given("cost") { number(step, "cost")? } else { 1 },
            remaining: if says { Some(number(step, "remaining")?) } else { None },
        });
    }
    Ok(Trace { place: place.to_owned(), algorithm, limit, steps })
}

/// Steps that were compared, and those that differ.
#[derive(Default)]
struct Report {
    steps: usize,
    differences: Vec<String>,
}

impl Report {
    fn compare(&mut self, trace: &Trace, step: &Step, allowed: Option<bool>, remaining: u64) {
        self.steps += 1;
        let recorded = match step.verb {
            Verb::Hit { allowed } | Verb::Test { allowed } => Some(allowed),
            Verb::Stats | Verb::Clear => None,
        };
        let agrees = step.remaining.is_none_or(|recorded| recorded == remaining);
        if allowed != recorded || !agrees {
            self.differences.push(format!(
                "{} ({} {}) at {}, {:?} of {}: recorded {recorded:?} with {:?} remaining, decided {allowed:?} with {remaining}",
                trace.place, trace.algorithm, trace.limit, step.instant, step.verb, step.cost, step.remaining
            ));
        }
    }

    fn conclude(self, who: &str) {
        assert!(
            self.differences.is_empty(),
            "{who} differs at {} of {} steps, first:\n{}",
            self.differences.len(),
            self.steps,
            self.differences[..self.differences.len().min(10)].join("\n")
        );
        assert!(self.steps > 0);
        println!("{who} agrees at each of {} steps", self.steps);
    }
}

async fn replay(storage: AnyStorage, who: &str) {
    let mut report = Report::default();
    for trace in recorded() {
        let clock = ManualClock::new();
        let limiter = RateLimiter::builder()
            .algorithm(trace.algorithm)
            .limit(trace.limit)
            .storage(&storage)
            .prefix(fresh_prefix())
            .clock(clock.clone())
            .build()
            .unwrap();
        for step in &trace.steps {
            let now = Micros::new(step.instant);
            clock.set(now);
            let answer = match step.verb {
                Verb::Hit { .. } => Some(limiter.check_cost("who", step.cost).await),
                Verb::Test { .. } => Some(limiter.test_cost("who", step.cost).await),
                Verb::Stats => None,
                Verb::Clear => {
                    limiter.reset("who").await.unwrap();
                    None
                }
            };
            match answer {
                Some(Ok(decision)) => {
                    let (allowed, remaining) = (decision.is_allowed(), decision.remaining());
                    report.compare(&trace, step, Some(allowed), remaining);
                    if !allowed {
                        waiting_is_exact(&limiter, &clock, &decision, step.cost, &trace).await;
                        clock.set(now);
                    }
                }
                Some(Err(Error::CostAboveLimit { .. })) => {
                    let left = limiter.test("who").await.unwrap().remaining();
                    report.compare(&trace, step, Some(false), left);
                }
                Some(Err(error)) => panic!("{}: {error}", trace.place),
                None => {
                    let left = limiter.usage("who").await.unwrap().remaining;
                    report.compare(&trace, step, None, left);
                }
            }
        }
    }
    report.conclude(who);
}

/// After a refusal: a microsecond before `retry_after` it is refused still, then it is allowed.
async fn waiting_is_exact(
    limiter: &RateLimiter,
    clock: &ManualClock,
    refusal: &Decision,
    cost: u64,
    trace: &Trace,
) {
    let wait = refusal.retry_after();
    assert!(!wait.is_zero(), "{}: a refusal without a wait", trace.place);
    clock.advance(wait.saturating_sub(Duration::from_micros(1)));
    let early = limiter.test_cost("who", cost).await.unwrap();
    clock.advance(Duration::from_micros(1));
    let then = limiter.test_cost("who", cost).await.unwrap();
    assert!(
        !early.is_allowed() && then.is_allowed(),
        "{} at {:?}: {wait:?} is not the exact wait",
        trace.place,
        clock.now()
    );
}

#[tokio::test]
async fn memory_agrees_with_every_recorded_decision() {
    replay(MemoryStorage::new().into(), "memory").await;
}

#[tokio::test]
async fn redis_agrees_with_every_recorded_decision() {
    let storage = patient_storage(&shared().url());
    replay(storage.into(), "Redis").await;
}

#[test]
fn the_reference_limiter_agrees_with_every_recorded_decision() {
    let mut report = Report::default();
    for trace in recorded() {
        let rule = ReferenceRule::of(trace.algorithm, trace.limit);
        let of = |cost| [ReferenceSubject { key: String::new(), rules: vec![rule], cost }];
        let mut reference = Reference::default();
        for step in &trace.steps {
            let answer = match step.verb {
                Verb::Hit { .. } => Some(reference.hit(&of(step.cost), step.instant)),
                Verb::Test { .. } => Some(reference.test(&of(step.cost), step.instant)),
                Verb::Stats => None,
                Verb::Clear => {
                    reference.clear("");
                    None
                }
            };
            let allowed = answer.map(|answer| answer.is_ok_and(|decision| decision.is_allowed()));
            let left = reference.test(&of(1), step.instant).unwrap().remaining();
            report.compare(&trace, step, allowed, left);
        }
    }
    report.conclude("the reference limiter");
}

#[test]
fn a_folder_without_traces_or_with_a_malformed_one_is_a_failure() {
    let folder = TemporaryFolder::new("oracle");
    let message = |folder: &Path| read(folder).err().unwrap().to_string();
    assert!(message(&folder.path().join("nowhere")).contains("nowhere"));
    assert!(message(folder.path()).contains("no recorded decision"));
    std::fs::write(folder.path().join("notes.txt"), "not a trace").unwrap();
    std::fs::write(folder.path().join("empty.jsonl"), "\n").unwrap();
    assert!(message(folder.path()).contains("no recorded decision"));

    let good = r#"{"algorithm":"fixed_window","amount":1,"window_us":1000,"steps":[{"t":1,"op":"hit","cost":1,"allowed":true,"remaining":0}]}"#;
    let mistakes = [
        ("fixed_window", "fixed_door", "fixed_door"),
        (r#""amount":1,"#, "", "`amount`"),
        (r#""amount":1"#, r#""amount":0"#, "amount of 0"),
        (r#""window_us":1000"#, r#""window_us":-1"#, "`window_us`"),
        (r#""allowed":true,"#, "", "`allowed`"),
        (r#""op":"hit""#, r#""op":"hop""#, "hop"),
        (r#","remaining":0"#, "", "`remaining`"),
        (r#""t":1,"#, "", "`t`"),
        ("}]}", "}]", "EOF"),
    ];
    let file = folder.path().join("traces.jsonl");
    for (right, wrong, complaint) in mistakes {
        std::fs::write(&file, format!("{good}\n{}\n", good.replacen(right, wrong, 1))).unwrap();
        let message = message(folder.path());
        assert!(message.contains(complaint), "{wrong}: {message}");
        assert!(message.contains("traces.jsonl:2"), "{message}");
    }
    std::fs::write(&file, good).unwrap();
    assert_eq!(read(folder.path()).unwrap().len(), 1);
}
