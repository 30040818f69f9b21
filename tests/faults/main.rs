//! What breaks on real servers while callers go on calling: they get their answers in time, no more is admitted than is
//! promised, and once it is mended the same limiter decides again.
//!
//! `LIMITRA_FAULTS_TABLE=path` appends what was measured to a file, a row for each fault and policy.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod clocks;
#[cfg(feature = "etcd")]
mod etcd;
mod load;
#[cfg(all(unix, feature = "memcached"))]
mod memcached;
#[cfg(feature = "mongodb")]
mod mongodb;
mod names;
#[cfg(feature = "postgres")]
mod postgres;
mod redis_answers;
#[cfg(feature = "redis-cluster")]
mod redis_cluster;
#[cfg(feature = "redis-sentinel")]
mod redis_sentinel;
mod redis_silence;
mod seen;
