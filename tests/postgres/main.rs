//! What only PostgreSQL has: rows in a table, crashes that lose nothing, users and their rights.
#![allow(missing_docs, clippy::unwrap_used)]

mod access;
mod connections;
mod outages;
mod rows;
mod stage;
mod subjects;

use limitra_tests::contract::Place;
use limitra_tests::{PostgresServer, storage_contract};

fn place() -> Place {
    let server = PostgresServer::start();
    Place::new(server.url(), server)
}

storage_contract!(place());
