//! What the tests of limitra share: real servers, a proxy that misbehaves, and a slow reference limiter.
//!
//! Everything here panics when it cannot do its work: a test without its server must fail.
#![allow(clippy::missing_panics_doc, clippy::unwrap_used)]

mod certificates;
pub mod contract;
#[cfg(feature = "etcd")]
mod etcd_server;
mod fresh;
pub mod fuzz;
#[cfg(doctest)]
mod guides;
#[cfg(unix)]
mod memcached_server;
#[cfg(feature = "mongodb")]
mod mongodb_server;
mod mutants;
pub mod oracle;
mod patience;
#[cfg(feature = "postgres")]
mod postgres_server;
mod proxy;
pub mod race;
mod redis_cluster;
mod redis_sentinels;
mod redis_server;
mod reference;
mod scripted_redis;
mod server_process;
mod shifted_clock;
mod temporary_folder;
mod told;

pub use certificates::Certificates;
#[cfg(feature = "etcd")]
pub use etcd_server::{EtcdCluster, EtcdServer};
pub use fresh::{fresh_id, random_number};
#[cfg(unix)]
pub use memcached_server::{MemcachedServer, MemcachedServerBuilder};
#[cfg(feature = "mongodb")]
pub use mongodb_server::{MongoDbServer, MongoDbServerBuilder};
pub use mutants::Mutant;
pub use patience::patient_storage;
#[cfg(feature = "postgres")]
pub use postgres_server::{PostgresServer, PostgresServerBuilder};
pub use proxy::{Proxy, ProxyMode};
pub use redis_cluster::RedisCluster;
pub use redis_sentinels::RedisSentinels;
pub use redis_server::{RedisServer, RedisServerBuilder, fresh_prefix, shared};
pub use reference::{
    CostAboveLimit, Reference, ReferenceAnswer, ReferenceDecision, ReferenceRule, ReferenceSubject,
};
pub use scripted_redis::ScriptedRedis;
pub use shifted_clock::ShiftedClock;
pub use temporary_folder::TemporaryFolder;
pub use told::all_told;
