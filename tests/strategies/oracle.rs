//! The decisions recorded from the two reference libraries, through the strategies' own methods.

use std::path::Path;
use std::time::Duration;

use limitra::strategies::{Strategy, by_name};
use limitra::{AnyStorage, Error, Granularity, ManualClock, Micros, RateLimit};
use limitra_tests::fresh_prefix;
use serde_json::Value;

use crate::stage::storages;

/// The traces of every file of the project's copy: what was asked of a limit, and what was answered.
fn traces() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/oracle");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let texts = files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "jsonl"));
    let texts: Vec<String> = texts.map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let lines = texts.iter().flat_map(|text| text.lines()).filter(|line| !line.trim().is_empty());
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap()
}

/// The trace's limit; one of a window that is no number of seconds gets a granularity of its own.
fn limit(trace: &Value, index: usize) -> RateLimit {
    let (amount, window) = (number(trace, "amount"), number(trace, "window_us"));
    let limit = if window % 1_000_000 == 0 {
        RateLimit::new(amount, window / 1_000_000, Granularity::Second)
    } else {
        let name: String = format!("oracle{index}")
            .chars()
            .map(|it| it.to_digit(10).map_or(it, |digit| char::from(b'a' + u8::try_from(digit).unwrap())))
            .collect();
        let granularity = Granularity::register(&name, Duration::from_micros(window)).unwrap();
        RateLimit::new(amount, 1_u64, granularity)
    };
    limit.unwrap().with_namespace(fresh_prefix())
}

/// A name's strategy with the clock of its replay.
fn strategy(trace: &Value, storage: &AnyStorage) -> (Strategy, ManualClock) {
    let clock = ManualClock::new();
    let name = trace["algorithm"].as_str().unwrap().replace('_', "-");
    (by_name(&name, storage).unwrap().with_clock(clock.clone()), clock)
}

/// How many steps and how many times of a reset were compared.
async fn replay(storage: &AnyStorage) -> (usize, usize) {
    let (mut steps, mut resets) = (0, 0);
    for (index, trace) in traces().iter().enumerate() {
        let (limit, (strategy, clock)) = (limit(trace, index), strategy(trace, storage));
        for step in trace["steps"].as_array().unwrap() {
            let place = || format!("trace {index}, {} {limit}, {step}", trace["algorithm"]);
            clock.set(Micros::new(number(step, "t")));
            let answer = match step["op"].as_str().unwrap() {
                "hit" => Some(strategy.hit_cost(&limit, "who", number(step, "cost")).await),
                "test" => Some(strategy.test_cost(&limit, "who", number(step, "cost")).await),
                "clear" => {
                    strategy.clear(&limit, "who").await.unwrap();
                    None
                }
                _ => None,
            };
            let allowed = answer.map(|answer| match answer {
                Ok(allowed) => allowed,
                Err(Error::CostAboveLimit { .. }) => false,
                Err(error) => panic!("{}: {error}", place()),
            });
            assert_eq!(allowed, step["allowed"].as_bool().filter(|_| allowed.is_some()), "{}", place());
            let stats = strategy.window_stats(&limit, "who").await.unwrap();
            if let Some(remaining) = step["remaining"].as_u64() {
                assert_eq!(stats.remaining, remaining, "{}", place());
            }
            if let Some(recorded) =
                step["reset_at"].as_f64().filter(|_| is_right(trace, &limit, stats.remaining))
            {
                let reset_at = Micros::from(stats.reset_time).to_duration().as_secs_f64();
                resets += 1;
                // Recorded as a double, in the older library cut off to whole seconds.
                let error = if trace["source"] == "limits 3" { 1.0 } else { 2e-6 };
                assert!((reset_at - recorded).abs() < error, "{}: reset at {reset_at}", place());
            }
            steps += 1;
        }
    }
    (steps, resets)
}

/// Whether what the library reports as the time of its reset is right for this strategy: of the sliding window it is
/// not, and an empty moving window it resets a window later.
fn is_right(trace: &Value, limit: &RateLimit, remaining: u64) -> bool {
    match trace["algorithm"].as_str().unwrap() {
        "fixed_window" | "fixed_window_elastic_expiry" => true,
        "moving_window" => remaining < limit.amount(),
        _ => false,
    }
}

#[tokio::test]
async fn every_strategy_agrees_with_every_recorded_decision_on_memory_and_redis() {
    for storage in storages() {
        let (steps, resets) = replay(&storage).await;
        assert!(steps > 6000 && resets > 2000, "only {steps} steps and {resets} resets were compared");
    }
}
