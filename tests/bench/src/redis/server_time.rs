//! How long the server itself is busy with a decision.

use std::rc::Rc;
use std::time::Duration;

use limitra::{Algorithm, AnyStorage, ManualClock, RateLimiter};
use limitra_tests::RedisServer;

use crate::keys::key;
use crate::rounds::Rounds;
use crate::row::{Name, SERVER_TIME};
use crate::scale::Scale;

use super::contestant::{AMOUNT, ByHand, limitra, multiplexed, storage};
use super::load::{Load, runtime};

/// The logs of moving windows should not grow without end.
const LOG: u64 = 100;

pub(super) fn add<'a>(rounds: &mut Rounds<'a>, scale: Scale, server: &'a RedisServer, tasks: usize) {
    let runtime = Rc::new(runtime(1));
    let round = scale.round();
    let algorithms =
        [Algorithm::Gcra, Algorithm::FixedWindow, Algorithm::SlidingWindow, Algorithm::MovingWindow];
    for algorithm in algorithms {
        let amount = if algorithm == Algorithm::MovingWindow { LOG } else { AMOUNT };
        let plural = if tasks == 1 { "task" } else { "tasks" };
        let case = format!("server time, {algorithm}, {tasks} {plural}");
        let limiter = runtime.block_on(async { limitra(server, algorithm, amount) });
        let with = Rc::clone(&runtime);
        rounds.add(Name::new(&case, "limitra"), &[SERVER_TIME], move || {
            let limiter = limiter.clone();
            busy(server, || {
                let load = Load::run(&with, tasks, round, 1, move |who| {
                    let limiter = limiter.clone();
                    async move { drop(limiter.check(key(who, 12)).await.unwrap()) }
                });
                load.decisions()
            })
        });

        let by_hand = ("a script written by hand", ByHand::of(algorithm, amount), ByHand::prefix(algorithm));
        let flexible = ("script of rate-limiter-flexible", ByHand::flexible(), "flexible".to_owned());
        let others = [Some(by_hand), (algorithm == Algorithm::FixedWindow).then_some(flexible)];
        for (name, script, prefix) in others.into_iter().flatten() {
            let connection = runtime.block_on(multiplexed(server));
            runtime.block_on(script.load(&mut connection.clone()));
            let with = Rc::clone(&runtime);
            rounds.add(Name::new(&case, name), &[SERVER_TIME], move || {
                let (connection, script, prefix) = (connection.clone(), script.clone(), prefix.clone());
                busy(server, || {
                    let load = Load::run(&with, tasks, round, 1, move |who| {
                        let (mut connection, call) = (connection.clone(), script.call(&prefix, who));
                        async move { drop(call.query_async::<redis::Value>(&mut connection).await.unwrap()) }
                    });
                    load.decisions()
                })
            });
        }
    }
}

/// How long the server is busy with a decision of this limiter, by one task.
pub(crate) fn busy_with<L>(server: &RedisServer, scale: Scale, limiter: L) -> impl FnMut() -> f64 + use<'_, L>
where
    L: FnOnce(AnyStorage) -> RateLimiter,
{
    let runtime = runtime(1);
    let limiter = runtime.block_on(async { limiter(storage(server).into()) });
    move || {
        let limiter = limiter.clone();
        let figures = busy(server, || {
            let load = Load::run(&runtime, 1, scale.round(), 1, move |who| {
                let limiter = limiter.clone();
                async move { assert!(limiter.check(key(who, 12)).await.unwrap().is_allowed()) }
            });
            load.decisions()
        });
        figures[0]
    }
}

/// How long the server is busy with a hit on a full log of so many, by a clock that is set by hand.
pub(crate) fn busy_with_log<L>(
    server: &RedisServer,
    scale: Scale,
    amount: u32,
    between: Duration,
    limiter: L,
) -> impl FnMut() -> f64 + use<'_, L>
where
    L: FnOnce(AnyStorage) -> (RateLimiter, ManualClock),
{
    let runtime = runtime(1);
    let (limiter, clock) = runtime.block_on(async { limiter(storage(server).into()) });
    let hit = move |hits: u32| {
        runtime.block_on(async {
            for _ in 0..hits {
                clock.advance(between);
                assert!(limiter.allow_request("log").await.unwrap());
            }
        });
    };
    hit(amount);
    let hits = u32::try_from(scale.operations(3000)).unwrap();
    move || {
        let figures = busy(server, || {
            hit(hits);
            scale.operations(3000)
        });
        figures[0]
    }
}

/// Microseconds that the server says it spent in scripts for each of the decisions that were had meanwhile.
fn busy(server: &RedisServer, load: impl FnOnce() -> usize) -> Vec<f64> {
    server.forget_counts();
    let decisions = load();
    let micros = |line: &str| -> Option<f64> {
        let (name, values) = line.strip_prefix("cmdstat_")?.split_once(':')?;
        let micros = values.split("usec=").nth(1)?.split(',').next()?;
        matches!(name, "evalsha" | "eval" | "fcall").then(|| micros.parse().unwrap())
    };
    let spent: f64 = server.cli(&["INFO", "commandstats"]).lines().filter_map(micros).sum();
    vec![spent / decisions as f64]
}
