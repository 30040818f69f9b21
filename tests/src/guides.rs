//! The guides in `docs/`, as doctests: what they show compiles, and runs where it needs no server.

#[cfg(feature = "web")]
#[doc = include_str!("../../README.md")]
mod readme {}

#[doc = include_str!("../../docs/algorithms.md")]
mod algorithms {}

#[cfg(feature = "web")]
#[doc = include_str!("../../docs/attribute.md")]
mod attribute {}

#[cfg(feature = "blocking")]
#[doc = include_str!("../../docs/blocking.md")]
mod blocking {}

#[doc = include_str!("../../docs/coming-from-python.md")]
mod coming_from_python {}

#[doc = include_str!("../../docs/configuration.md")]
mod configuration {}

#[doc = include_str!("../../docs/deny-cache.md")]
mod deny_cache {}

#[doc = include_str!("../../docs/design.md")]
mod design {}

#[doc = include_str!("../../docs/give-back.md")]
mod give_back {}

#[doc = include_str!("../../docs/guarantees.md")]
mod guarantees {}

#[doc = include_str!("../../docs/notation.md")]
mod notation {}

#[doc = include_str!("../../docs/observability.md")]
mod observability {}

#[doc = include_str!("../../docs/outages.md")]
mod outages {}

#[cfg(feature = "web")]
#[doc = include_str!("../../docs/proxies.md")]
mod proxies {}

#[doc = include_str!("../../docs/quickstart.md")]
mod quickstart {}

#[cfg(feature = "web")]
#[doc = include_str!("../../docs/recipes.md")]
mod recipes {}

#[doc = include_str!("../../docs/storages.md")]
mod storages {}

#[doc = include_str!("../../docs/strategies.md")]
mod strategies {}

#[doc = include_str!("../../docs/testing.md")]
mod testing {}

#[cfg(feature = "web")]
#[doc = include_str!("../../docs/web.md")]
mod web {}

#[cfg(feature = "memcached")]
#[doc = include_str!("../../docs/storages/memcached.md")]
mod storages_memcached {}

#[cfg(feature = "mongodb")]
#[doc = include_str!("../../docs/storages/mongodb.md")]
mod storages_mongodb {}

#[cfg(feature = "etcd")]
#[doc = include_str!("../../docs/storages/etcd.md")]
mod storages_etcd {}

#[cfg(feature = "postgres")]
#[doc = include_str!("../../docs/storages/postgres.md")]
mod storages_postgres {}

#[cfg(all(feature = "redis-cluster", feature = "redis-sentinel"))]
#[doc = include_str!("../../docs/storages/redis.md")]
mod storages_redis {}
