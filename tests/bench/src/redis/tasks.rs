//! Single decisions by one or many tasks.

use std::rc::Rc;

use deadpool_redis::{Config, PoolConfig, Runtime as PoolRuntime};
use limitra::Algorithm;
use limitra_tests::RedisServer;
use tokio::runtime::Runtime;

use crate::keys::key;
use crate::rounds::Rounds;
use crate::row::{Metric, Name, P50, P99, RATE};
use crate::scale::Scale;

use super::contestant::{AMOUNT, ByHand, limitra, multiplexed};
use super::load::{Load, runtime};

const METRICS: &[Metric] = &[RATE, P50, P99];
const POOL: usize = 16;

pub(super) const EVALSHA: &str = "one EVALSHA each, same client";

pub(super) fn add(rounds: &mut Rounds<'_>, scale: Scale, server: &RedisServer, numbers: &[usize]) {
    for workers in [1, 2] {
        let runtime = Rc::new(runtime(workers));
        let threads = if workers == 1 { "1 worker thread" } else { "2 worker threads" };
        for &tasks in numbers {
            let plural = if tasks == 1 { "task" } else { "tasks" };
            let case = format!("{tasks} {plural}, {threads}");
            let name = |subject: &str| Name::new(&case, subject);
            add_all(rounds, scale, server, &runtime, tasks, &name);
        }
    }
}

/// Rate by number of tasks.
pub(crate) fn add_curve(rounds: &mut Rounds<'_>, scale: Scale, server: &RedisServer, case: &str) {
    let runtime = Rc::new(runtime(2));
    for tasks in [1, 4, 16, 64, 256, 1024] {
        let name = |subject: &str| Name::new(case, subject).at(f64::from(tasks));
        add_all(rounds, scale, server, &runtime, usize::try_from(tasks).unwrap(), &name);
    }
}

fn add_all(
    rounds: &mut Rounds<'_>,
    scale: Scale,
    server: &RedisServer,
    runtime: &Rc<Runtime>,
    tasks: usize,
    name: &dyn Fn(&str) -> Name,
) {
    let round = scale.round();
    let limiter = runtime.block_on(async { limitra(server, Algorithm::Gcra, AMOUNT) });
    let with = Rc::clone(runtime);
    rounds.add(name("limitra"), METRICS, move || {
        let limiter = limiter.clone();
        let load = Load::run(&with, tasks, round, 1, move |who| {
            let limiter = limiter.clone();
            async move { assert!(limiter.check(key(who, 12)).await.unwrap().is_allowed()) }
        });
        load.figures()
    });

    let connection = runtime.block_on(multiplexed(server));
    let script = ByHand::gcra();
    runtime.block_on(script.load(&mut connection.clone()));
    let (with, prefix) = (Rc::clone(runtime), ByHand::prefix(Algorithm::Gcra));
    let (shared, by_hand) = (connection.clone(), script.clone());
    rounds.add(name(EVALSHA), METRICS, move || {
        let (connection, script, prefix) = (shared.clone(), by_hand.clone(), prefix.clone());
        let load = Load::run(&with, tasks, round, 1, move |who| {
            let (mut connection, call) = (connection.clone(), script.call(&prefix, who));
            async move { assert_eq!(call.query_async::<u8>(&mut connection).await.unwrap(), 1) }
        });
        load.figures()
    });

    let (with, prefix) = (Rc::clone(runtime), "incr".to_owned());
    rounds.add(name("raw INCR, same client"), METRICS, move || {
        let (connection, prefix) = (connection.clone(), prefix.clone());
        let load = Load::run(&with, tasks, round, 1, move |who| {
            let mut connection = connection.clone();
            let call = redis::Cmd::incr(format!("{prefix}:{}", key(who, 12)), 1);
            async move { assert!(call.query_async::<u64>(&mut connection).await.unwrap() > 0) }
        });
        load.figures()
    });

    let mut config = Config::from_url(server.url());
    config.pool = Some(PoolConfig::new(POOL));
    let pool = config.create_pool(Some(PoolRuntime::Tokio1)).unwrap();
    let (with, prefix) = (Rc::clone(runtime), ByHand::prefix(Algorithm::Gcra));
    rounds.add(name("deadpool-redis, a checkout each"), METRICS, move || {
        let (pool, script, prefix) = (pool.clone(), script.clone(), prefix.clone());
        let load = Load::run(&with, tasks, round, 1, move |who| {
            let (pool, call) = (pool.clone(), script.call(&prefix, who));
            async move {
                let mut connection = pool.get().await.unwrap();
                assert_eq!(call.query_async::<u8>(&mut connection).await.unwrap(), 1);
            }
        });
        load.figures()
    });
}
