//! Storages and clients of every kind, for one function.
#![deny(warnings, clippy::pedantic)]

use limitra::{AnyStorage, Error, Limitra, MemoryStorage, rate_limit};
use std::sync::Arc;

#[rate_limit(requests = 10, window = 60, backend = "redis", redis_client = client.clone())]
async fn by_client(client: &redis::Client) -> Result<(), Error> {
    Ok(())
}

#[rate_limit(requests = 10, window = 60, redis_client = pool.clone())]
async fn by_pool(pool: &deadpool_redis::Pool) -> Result<(), Error> {
    Ok(())
}

#[rate_limit(requests = 10, window = 60, redis_client = connection.clone())]
async fn by_connection(connection: redis::aio::MultiplexedConnection) -> Result<(), Error> {
    Ok(())
}

#[rate_limit(requests = 10, window = 60, storage = storage.clone())]
async fn by_storage(storage: &AnyStorage) -> Result<(), Error> {
    Ok(())
}

#[rate_limit(requests = 10, window = 60, storage = MemoryStorage::new())]
async fn by_memory() -> Result<(), Error> {
    Ok(())
}

#[rate_limit(requests = 10, window = 60, limitra = limits)]
async fn by_handle(limits: Arc<Limitra>) -> Result<(), Error> {
    Ok(())
}

pub fn main() {
    let _ = (by_client, by_pool, by_connection, by_storage, by_memory, by_handle);
}
