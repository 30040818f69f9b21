//! Limiters, strategies and attributed functions for code without an async runtime.
#![allow(clippy::unwrap_used)]

mod attribute;
mod contexts;
mod failures;
mod limiter;
mod stage;
mod strategies;
#[path = "../attribute/witness.rs"]
mod witness;
