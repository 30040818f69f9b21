//! The decisions recorded from the two reference libraries, step by step, on every storage.
//!
//! Reads every `.jsonl` file of the folder that `LIMITRA_ORACLE` names (an absolute path), by default the project's own copy.
//! `allowed` and `remaining` have to agree at every step; what the libraries report as waiting and reset times is known to
//! be wrong in places and is not compared. The waiting times of limitra are held against their law instead.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::fresh_prefix;
use limitra::{Algorithm, AnyStorage, Decision, Error, Limit, ManualClock, Micros, RateLimiter};
use serde_json::Value;

/// One line of a file: a limit, and what was asked of it.
pub struct Trace {
    /// File and line, for messages.
    pub place: String,
    /// What decided.
    pub algorithm: Algorithm,
    /// By what.
    pub limit: Limit,
    /// What was asked, in order.
    pub steps: Vec<Step>,
}

/// One recorded decision.
#[derive(Debug)]
pub struct Step {
    /// When, in microseconds.
    pub instant: u64,
    /// What was asked, and what was answered.
    pub verb: Verb,
    /// How much was asked for.
    pub cost: u64,
    /// What was left afterwards, if that was recorded.
    pub remaining: Option<u64>,
}

/// What a recorded step asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verb {
    /// A hit, and whether it was allowed.
    Hit {
        /// Whether it was.
        allowed: bool,
    },
    /// A test, and whether a hit would have been allowed.
    Test {
        /// Whether it would.
        allowed: bool,
    },
    /// What is left.
    Stats,
    /// Forget everything.
    Clear,
}

/// Why a folder of traces cannot be replayed.
#[derive(Debug)]
pub struct Malformed(String);

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

/// Every recorded trace.
pub fn recorded() -> Vec<Trace> {
    read(&folder()).unwrap_or_else(|malformed| panic!("{malformed}"))
}

/// Every trace of every `.jsonl` file in this folder; an error if there is none.
///
/// # Errors
/// [`Malformed`] if a file cannot be read.
pub fn read(folder: &Path) -> Result<Vec<Trace>, Malformed> {
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
pub struct Report {
    steps: usize,
    differences: Vec<String>,
}

impl Report {
    /// Compares one step.
    pub fn compare(&mut self, trace: &Trace, step: &Step, allowed: Option<bool>, remaining: u64) {
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

    /// Panics if anything differed.
    pub fn conclude(self, who: &str) {
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

/// Asks a storage every recorded question, and panics if it answers one otherwise.
pub async fn replay(storage: AnyStorage, who: &str) {
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
