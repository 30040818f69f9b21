//! Strategies over a storage, asked with a limit at each call.
#![allow(clippy::unwrap_used)]

mod agreement;
mod costs;
mod isolation;
mod names;
mod oracle;
mod ordinary;
mod stage;
mod stats;
mod worked_examples;
