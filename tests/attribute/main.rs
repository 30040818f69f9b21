//! The behaviour of `#[rate_limit]`, on memory.

mod forms;
mod functions;
mod handling;
mod instrument;
mod keys;
mod notation;
mod parameters;
mod plain;
mod stacked;
mod witness;
