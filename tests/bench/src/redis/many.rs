//! Many decisions in one call.

use std::rc::Rc;

use limitra::Algorithm;
use limitra_tests::RedisServer;

use crate::keys::key;
use crate::rounds::Rounds;
use crate::row::{Name, RATE};
use crate::scale::Scale;

use super::contestant::{AMOUNT, ByHand, KEYS, limitra, multiplexed};
use super::load::{Load, runtime};

const SIZE: usize = 128;

pub(super) fn add(rounds: &mut Rounds<'_>, scale: Scale, server: &RedisServer) {
    let runtime = Rc::new(runtime(2));
    let round = scale.round();
    for tasks in [1, 4] {
        let case = format!("check_many of {SIZE}, {tasks} in flight");
        let limiter = runtime.block_on(async { limitra(server, Algorithm::Gcra, AMOUNT) });
        let with = Rc::clone(&runtime);
        rounds.add(Name::new(&case, "limitra"), &[RATE], move || {
            let limiter = limiter.clone();
            let load = Load::run(&with, tasks, round, SIZE, move |who| {
                let limiter = limiter.clone();
                async move {
                    let identifiers = (0..SIZE as u64).map(|next| key((who + next * 773) % KEYS, 12));
                    let decisions = limiter.check_many(identifiers).await;
                    assert!(decisions.iter().all(|decision| decision.as_ref().unwrap().is_allowed()));
                }
            });
            vec![load.rate()]
        });

        let connection = runtime.block_on(multiplexed(server));
        let script = ByHand::gcra();
        runtime.block_on(script.load(&mut connection.clone()));
        let (with, prefix) = (Rc::clone(&runtime), ByHand::prefix(Algorithm::Gcra));
        rounds.add(Name::new(&case, "a pipeline of EVALSHAs"), &[RATE], move || {
            let (connection, script, prefix) = (connection.clone(), script.clone(), prefix.clone());
            let load = Load::run(&with, tasks, round, SIZE, move |who| {
                let (mut connection, mut pipeline) = (connection.clone(), redis::pipe());
                for next in 0..SIZE as u64 {
                    pipeline.add_command(script.call(&prefix, (who + next * 773) % KEYS));
                }
                async move {
                    let replies: Vec<u8> = pipeline.query_async(&mut connection).await.unwrap();
                    assert!(replies.iter().all(|reply| *reply == 1));
                }
            });
            vec![load.rate()]
        });
    }
}
