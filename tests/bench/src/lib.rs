//! What a decision of limitra costs, beside its peers: `cargo run --release -p limitra-bench -- all`.
//!
//! Every repetition runs every case once; a figure is the median of its repetitions. See `docs/performance.md`.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)] // A bench that cannot go on ends.
#![allow(clippy::cast_precision_loss)] // Figures are for reading.

mod command;
mod curves;
mod goals;
mod http;
mod instructions;
mod keys;
mod limiters;
mod memory;
mod page;
mod pass;
mod picture;
mod program;
mod redis;
mod report;
mod rounds;
mod row;
mod rows;
mod scale;
mod sizing;

pub use command::run;

/// Prints how often each subject allocates, as `count` counts it.
#[doc(hidden)]
pub fn print_allocations(count: fn(&mut dyn FnMut()) -> u64) {
    memory::print_allocations(count);
    http::print_allocations(count);
}
