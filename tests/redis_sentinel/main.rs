//! Redis Sentinel: whoever is the master; on a master, a replica and three sentinels.
#![allow(missing_docs, clippy::unwrap_used)]

mod access;
mod failover;

use limitra_tests::RedisSentinels;
use limitra_tests::contract::Place;

fn place() -> Place {
    let sentinels = RedisSentinels::start();
    Place::new(sentinels.url(), sentinels)
}

limitra_tests::storage_contract!(place());
