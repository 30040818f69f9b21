//! What only Redis has: one command for each decision, lifetimes, foreign values, connections, outages.
#![allow(missing_docs, clippy::unwrap_used)]

mod access;
mod clock;
mod commands;
mod conformance;
mod connections;
mod foreign;
mod identifiers;
mod lifetimes;
mod monitor;
mod outages;
mod records;
mod replies;
mod room;
mod stage;
mod subjects;
