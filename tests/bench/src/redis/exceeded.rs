//! Identifiers that are known to be exceeded.

use std::rc::Rc;

use limitra::{Algorithm, AnyStorage, DenyCache, RateLimiter};
use limitra_tests::{RedisServer, fresh_prefix};

use crate::keys::key;
use crate::rounds::Rounds;
use crate::row::{Name, RATE};
use crate::scale::Scale;

use super::contestant::{ByHand, multiplexed, storage};
use super::load::{Load, runtime};
use super::tasks::EVALSHA;

pub(super) const CASE: &str = "1,000 exceeded identifiers, 64 tasks";

const TASKS: usize = 64;
const EXCEEDED: u64 = 1000;

/// limitra as it is, and with what it offers for refused identifiers.
fn storages(server: &RedisServer) -> Vec<(&'static str, AnyStorage)> {
    let cached = DenyCache::over(storage(server)).build().unwrap();
    vec![("limitra", storage(server).into()), ("limitra, deny cache", cached.into())]
}

pub(super) fn add(rounds: &mut Rounds<'_>, scale: Scale, server: &RedisServer) {
    let runtime = Rc::new(runtime(2));
    let round = scale.round();
    for (subject, storage) in runtime.block_on(async { storages(server) }) {
        let builder = RateLimiter::builder().algorithm(Algorithm::Gcra).requests(1).window(3600);
        let limiter = builder.storage(storage).build().unwrap();
        // The first request of each is allowed: one in an hour.
        runtime.block_on(async {
            for who in 0..EXCEEDED {
                assert!(limiter.allow_request(key(who, 12)).await.unwrap());
            }
        });
        let with = Rc::clone(&runtime);
        rounds.add(Name::new(CASE, subject), &[RATE], move || {
            let limiter = limiter.clone();
            let load = Load::run(&with, TASKS, round, 1, move |who| {
                let limiter = limiter.clone();
                async move { assert!(!limiter.allow_request(key(who % EXCEEDED, 12)).await.unwrap()) }
            });
            vec![load.rate()]
        });
    }

    let connection = runtime.block_on(multiplexed(server));
    let script = ByHand::gcra_of([3_600_000_000, 3_600_000_000]);
    let prefix = fresh_prefix();
    runtime.block_on(async {
        let mut connection = connection.clone();
        script.load(&mut connection).await;
        for who in 0..EXCEEDED {
            let call = script.call(&prefix, who);
            assert_eq!(call.query_async::<u8>(&mut connection).await.unwrap(), 1);
        }
    });
    rounds.add(Name::new(CASE, EVALSHA), &[RATE], move || {
        let (connection, script, prefix) = (connection.clone(), script.clone(), prefix.clone());
        let load = Load::run(&runtime, TASKS, round, 1, move |who| {
            let (mut connection, call) = (connection.clone(), script.call(&prefix, who % EXCEEDED));
            async move { assert_eq!(call.query_async::<u8>(&mut connection).await.unwrap(), 0) }
        });
        vec![load.rate()]
    });
}
