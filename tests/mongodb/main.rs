//! MongoDB.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod connections;
mod documents;
mod outages;
mod settings;
mod stage;
mod users;

use limitra_tests::MongoDbServer;
use limitra_tests::contract::Place;

fn place() -> Place {
    let server = MongoDbServer::start();
    Place::new(server.url(), server)
}

limitra_tests::storage_contract!(place());
