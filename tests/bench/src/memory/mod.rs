//! Decisions in this process.

mod allocations;
mod attribute;
mod bytes;
mod insertion;
mod keyed;
mod many;
mod pauses;
mod unkeyed;

pub(crate) use allocations::print as print_allocations;
pub(crate) use attribute::attributed;
pub(crate) use bytes::{ARGUMENT as BYTES_ARGUMENT, print as print_bytes};
pub(crate) use unkeyed::EVERYBODY;

use crate::program::Program;
use crate::rounds::Rounds;
use crate::row::Row;
use crate::scale::Scale;

/// The name of this group.
pub(crate) const GROUP: &str = "memory";

pub(crate) fn measure(scale: Scale, program: &Program) -> Vec<Row> {
    let mut rounds = Rounds::new(GROUP);
    unkeyed::add(&mut rounds, scale);
    keyed::add_thousand(&mut rounds, scale);
    keyed::add_one(&mut rounds, scale);
    attribute::add(&mut rounds, scale);
    let mut rows = rounds.run(scale.repetitions);

    let fixture = many::Fixture::new(scale);
    let mut rounds = Rounds::new(GROUP);
    many::add(&mut rounds, scale, &fixture);
    rows.extend(rounds.run(scale.repetitions));
    drop(fixture);

    let mut rounds = Rounds::new(GROUP);
    insertion::add(&mut rounds, scale);
    pauses::add(&mut rounds, scale);
    bytes::add(&mut rounds, scale, program);
    rows.extend(rounds.run(scale.fewer_repetitions()));
    rows.extend(allocations::measure(program));
    rows
}

/// How a case says how many threads are at it.
fn threads(count: usize) -> &'static str {
    if count == 1 { "1 thread" } else { "2 threads" }
}
