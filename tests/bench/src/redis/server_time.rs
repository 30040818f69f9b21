//! How long the server itself is busy with a decision.

use std::rc::Rc;

use limitra::Algorithm;
use limitra_tests::{RedisServer, fresh_prefix};

use crate::keys::key;
use crate::rounds::Rounds;
use crate::row::{Name, SERVER_TIME};
use crate::scale::Scale;

use super::contestant::{AMOUNT, ByHand, limitra, multiplexed};
use super::load::{Load, runtime};

/// The logs of moving windows should not grow without end.
const LOG: u64 = 100;

pub(super) fn add<'a>(rounds: &mut Rounds<'a>, scale: Scale, server: &'a RedisServer) {
    let runtime = Rc::new(runtime(1));
    let round = scale.round();
    let algorithms =
        [Algorithm::Gcra, Algorithm::FixedWindow, Algorithm::SlidingWindow, Algorithm::MovingWindow];
    for algorithm in algorithms {
        let amount = if algorithm == Algorithm::MovingWindow { LOG } else { AMOUNT };
        let case = format!("server time, {algorithm}, 1 task");
        let limiter = runtime.block_on(async { limitra(server, algorithm, amount) });
        let with = Rc::clone(&runtime);
        rounds.add(Name::new(&case, "limitra"), &[SERVER_TIME], move || {
            let limiter = limiter.clone();
            busy(server, || {
                Load::run(&with, 1, round, 1, move |who| {
                    let limiter = limiter.clone();
                    async move { drop(limiter.check(key(who, 12)).await.unwrap()) }
                });
            })
        });

        let connection = runtime.block_on(multiplexed(server));
        let script = ByHand::of(algorithm, amount);
        runtime.block_on(script.load(&mut connection.clone()));
        let (with, prefix) = (Rc::clone(&runtime), fresh_prefix());
        rounds.add(Name::new(&case, "a script written by hand"), &[SERVER_TIME], move || {
            let (connection, script, prefix) = (connection.clone(), script.clone(), prefix.clone());
            busy(server, || {
                Load::run(&with, 1, round, 1, move |who| {
                    let (mut connection, call) = (connection.clone(), script.call(&prefix, who));
                    async move { assert!(call.query_async::<u8>(&mut connection).await.unwrap() < 2) }
                });
            })
        });
    }
}

/// Microseconds that the server says it spent on each script that was called meanwhile.
fn busy(server: &RedisServer, load: impl FnOnce()) -> Vec<f64> {
    server.forget_counts();
    load();
    let said = server.cli(&["INFO", "commandstats"]);
    let (mut calls, mut micros) = (0.0, 0.0);
    for line in said.lines().filter(|line| {
        ["evalsha", "eval", "fcall"].iter().any(|name| line.starts_with(&format!("cmdstat_{name}:")))
    }) {
        let number = |name: &str| -> f64 {
            let rest = line.split(name).nth(1).expect("a number of the command's");
            rest.split(',').next().and_then(|number| number.parse().ok()).expect("a number")
        };
        calls += number("calls=");
        micros += number("usec=");
    }
    vec![micros / calls]
}
