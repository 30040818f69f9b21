//! Decisions on a Redis of its own.

mod contestant;
mod exceeded;
mod languages;
mod load;
mod many;
mod server_time;
mod tasks;

pub(crate) use server_time::{busy_with, busy_with_log};
pub(crate) use tasks::add_curve;

use limitra_tests::RedisServer;

use crate::program::Program;
use crate::rounds::Rounds;
use crate::row::Row;
use crate::scale::Scale;

/// The name of this group.
pub(crate) const GROUP: &str = "redis";

pub(crate) fn measure(scale: Scale, _: &Program) -> Vec<Row> {
    let server = RedisServer::start();
    let mut rounds = Rounds::new(GROUP);
    tasks::add(&mut rounds, scale, &server);
    many::add(&mut rounds, scale, &server);
    server_time::add(&mut rounds, scale, &server);
    exceeded::add(&mut rounds, scale, &server);
    languages::add(&mut rounds, scale, &server);
    rounds.run(scale.repetitions)
}
