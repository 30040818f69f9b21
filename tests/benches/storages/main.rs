//! What a decision costs on each storage, beside what one write costs on the same server in the same run.
//!
//! `cargo bench -p limitra-tests --bench storages --all-features [-- NAME ..]`. Every task has an identifier of its own; all hits are allowed.
//! Rounds of writes and of decisions take turns; each figure is the median of the rounds.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss)] // A bench that cannot go on fails; figures are for reading.

mod raw;

use std::sync::Arc;
use std::time::{Duration, Instant};

use limitra::{Algorithm, AnyStorage, RateLimiter};
use limitra_tests::fresh_prefix;
use raw::{Contestant, Write};
use tokio::task::JoinSet;

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(1500);

/// Operations a second, and how long the middle one took.
#[derive(Clone, Copy)]
struct Figure {
    rate: f64,
    p50: Duration,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let chosen: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    println!(
        "| storage | tasks | one write: a second, p50 | decision: a second, p50 | hot key: a second, p50 |"
    );
    println!("|---|---|---|---|---|");
    for (name, start) in raw::ALL {
        if chosen.is_empty() || chosen.iter().any(|chosen| chosen == name) {
            let contestant = start().await;
            for tasks in [1, 64] {
                compare(name, tasks, &contestant).await;
            }
        }
    }
}

async fn compare(name: &str, tasks: usize, contestant: &Contestant) {
    let (own, hot) = (limiter(&contestant.storage), limiter(&contestant.storage));
    let (mut writes, mut decisions, mut hots) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        writes.push(written(tasks, &contestant.write).await);
        decisions.push(decided(tasks, &own, false).await);
        hots.push(decided(tasks, &hot, true).await);
    }
    let [write, decision, hot] = [writes, decisions, hots].map(|figures| shown(median(figures)));
    println!("| {name} | {tasks} | {write} | {decision} | {hot} |");
}

fn limiter(storage: &AnyStorage) -> RateLimiter {
    let limiter = RateLimiter::builder().algorithm(Algorithm::Gcra).requests(1_u64 << 40).window(3600);
    limiter.storage(storage).prefix(fresh_prefix()).build().unwrap()
}

async fn written(tasks: usize, write: &Write) -> Figure {
    let write = Arc::clone(write);
    run(tasks, move |task| write(task)).await
}

async fn decided(tasks: usize, limiter: &RateLimiter, is_hot: bool) -> Figure {
    let limiter = limiter.clone();
    run(tasks, move |task| {
        let limiter = limiter.clone();
        let who = if is_hot { 0 } else { task };
        Box::pin(async move { assert!(limiter.allow_request(who).await.unwrap()) })
    })
    .await
}

async fn run<F>(tasks: usize, operation: impl Fn(usize) -> F + Send + Sync + 'static) -> Figure
where
    F: Future<Output = ()> + Send,
{
    let operation = Arc::new(operation);
    let (started, mut running) = (Instant::now(), JoinSet::new());
    for task in 0..tasks {
        let operation = Arc::clone(&operation);
        running.spawn(async move {
            let mut took = Vec::new();
            while started.elapsed() < ROUND {
                let from = Instant::now();
                operation(task).await;
                took.push(from.elapsed());
            }
            took
        });
    }
    let mut took: Vec<Duration> = running.join_all().await.into_iter().flatten().collect();
    let elapsed = started.elapsed();
    took.sort_unstable();
    Figure { rate: took.len() as f64 / elapsed.as_secs_f64(), p50: took[took.len() / 2] }
}

fn median(mut figures: Vec<Figure>) -> Figure {
    figures.sort_by(|one, other| one.rate.total_cmp(&other.rate));
    figures[figures.len() / 2]
}

fn shown(figure: Figure) -> String {
    format!("{:.0}, {:.3} ms", figure.rate, figure.p50.as_secs_f64() * 1000.0)
}
