//! What only Redis has: one command for each decision, lifetimes, foreign values, connections, outages.
#![allow(missing_docs, clippy::unwrap_used)]

mod access;
mod by_url;
mod clock;
mod coalescing;
mod commands;
mod conformance;
mod connections;
mod foreign;
mod give_back;
mod identifiers;
mod lifetimes;
mod monitor;
mod outages;
mod records;
mod replies;
mod reset;
mod room;
mod stage;
mod subjects;
mod versions;

use limitra_tests::RedisServer;
use limitra_tests::contract::Place;

fn place() -> Place {
    let server = RedisServer::start();
    Place::new(server.url(), server)
}

limitra_tests::storage_contract!(place());
