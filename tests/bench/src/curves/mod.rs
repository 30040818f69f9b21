//! What a decision costs as something grows.

mod keys;
mod moving_window;
mod rules;

use limitra_tests::RedisServer;

use crate::program::Program;
use crate::redis;
use crate::rounds::Rounds;
use crate::row::Row;
use crate::scale::Scale;

/// The name of this group.
pub(crate) const GROUP: &str = "curves";

/// The cases of this group, each of which is a picture.
pub(crate) const KEYS: &str = "keys in memory";
pub(crate) const RULES: &str = "rules of one decision";
pub(crate) const MOVING_WINDOW: &str = "limit of a moving window";
pub(crate) const TASKS: &str = "tasks on Redis";

pub(crate) fn measure(scale: Scale, _: &Program) -> Vec<Row> {
    let server = RedisServer::start();
    let mut rows = keys::measure(scale);
    let mut rounds = Rounds::new(GROUP);
    rules::add(&mut rounds, scale, &server);
    moving_window::add(&mut rounds, scale, &server);
    redis::add_curve(&mut rounds, scale, &server, TASKS);
    rows.extend(rounds.run(scale.repetitions));
    rows
}
