//! Deadlines that a busy machine does not miss.

use std::time::Duration;

use limitra::RedisStorage;

/// A storage for tests of what is decided, not of how fast: on a machine that builds beside the tests, an answer may
/// take longer than a service would wait.
pub fn patient_storage(url: &str) -> RedisStorage {
    let patience = Duration::from_secs(60);
    let storage = RedisStorage::builder().url(url);
    storage.response_timeout(patience).connect_timeout(patience).build().expect("a URL of a test's server")
}
