//! Tasks that ask as fast as they are answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::keys::random;

use super::contestant::KEYS;

/// A runtime with so many worker threads.
pub(super) fn runtime(workers: usize) -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap()
}

/// Operations a second, and the median and the 99th percentile of how long they took, in microseconds.
pub(super) struct Load {
    rate: f64,
    took: Vec<Duration>,
}

impl Load {
    /// Lets `tasks` tasks run `operation` for random identifiers over and over; each call decides `each` at once.
    pub(super) fn run<F>(
        runtime: &Runtime,
        tasks: usize,
        round: Duration,
        each: usize,
        operation: impl Fn(u64) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send,
    {
        let operation = Arc::new(operation);
        runtime.block_on(async {
            let (started, mut running) = (Instant::now(), JoinSet::new());
            for task in 0..tasks {
                let operation = Arc::clone(&operation);
                running.spawn(async move {
                    let (mut took, mut state) = (Vec::new(), task as u64);
                    // Each asks once at least.
                    while took.is_empty() || started.elapsed() < round {
                        let from = Instant::now();
                        operation(random(&mut state) % KEYS).await;
                        took.push(from.elapsed());
                    }
                    took
                });
            }
            let mut took = running.join_all().await.concat();
            let rate = (took.len() * each) as f64 / started.elapsed().as_secs_f64();
            took.sort_unstable();
            Self { rate, took }
        })
    }

    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    /// How many decisions were had.
    pub(super) fn decisions(&self) -> usize {
        self.took.len()
    }

    /// Rate, p50, p99.
    pub(super) fn figures(&self) -> Vec<f64> {
        let at = |percent: usize| self.took[(self.took.len() - 1) * percent / 100].as_secs_f64() * 1e6;
        vec![self.rate, at(50), at(99)]
    }
}
