//! Memcached, on real servers.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod access;
mod connections;
mod outages;
mod records;
mod reset;
mod stage;

use limitra_tests::contract::Place;
use limitra_tests::{MemcachedServer, storage_contract};

mod one_server {
    use super::*;

    fn place() -> Place {
        let server = MemcachedServer::start();
        Place::new(server.url(), server)
    }

    storage_contract!(place());
}

mod two_servers {
    use super::*;

    fn place() -> Place {
        let (one, other) = (MemcachedServer::start(), MemcachedServer::start());
        Place::new(format!("memcached://{},{}", one.address(), other.address()), (one, other))
    }

    storage_contract!(place());
}

mod unix_socket {
    use super::*;

    fn place() -> Place {
        let server = MemcachedServer::builder().unix_socket().start();
        Place::new(server.url(), server)
    }

    storage_contract!(place());
}
