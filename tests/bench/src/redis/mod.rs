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
    // One task alone waits for a machine to wake, which takes now this long, now that: it is looked at more often, and shorter.
    let (mut alone, often) = (Rounds::new(GROUP), scale.often());
    tasks::add(&mut alone, often, &server, &[1]);
    server_time::add(&mut alone, often, &server, 1);
    let mut rows = alone.run(often.repetitions);

    let mut rounds = Rounds::new(GROUP);
    tasks::add(&mut rounds, scale, &server, &[64, 512]);
    many::add(&mut rounds, scale, &server);
    server_time::add(&mut rounds, scale, &server, 64);
    exceeded::add(&mut rounds, scale, &server);
    languages::add(&mut rounds, scale, &server);
    rows.extend(rounds.run(scale.repetitions));
    rows
}
