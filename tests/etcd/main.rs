//! etcd, real ones.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod access;
mod connections;
mod leases;
mod members;
mod outages;
mod records;
mod settings;
mod stage;
mod tap;

use limitra_tests::contract::Place;
use limitra_tests::{EtcdServer, storage_contract};

fn place() -> Place {
    let server = EtcdServer::start();
    Place::new(server.url(), server)
}

storage_contract!(place());
