//! Who asks Redis.

use std::sync::Arc;
use std::time::Duration;

use limitra::{Algorithm, RateLimiter, RedisStorage};
use limitra_tests::{RedisServer, fresh_prefix};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Script};

use crate::keys::key;

/// How many identifiers there are.
pub(super) const KEYS: u64 = 100_000;
/// Requests in a window: more than are made of an identifier, and so few that a request counts for longer than a round. Of many more, each
/// would be over before the next came, and every record a new one.
pub(super) const AMOUNT: u64 = 1000;
/// The window, in seconds.
const WINDOW: u64 = 600;

/// A script that is called by its hash, as one would by hand.
#[derive(Clone)]
pub(super) struct ByHand {
    hash: Arc<str>,
    source: &'static str,
    arguments: [u64; 2],
}

impl ByHand {
    pub(super) fn gcra() -> Self {
        Self::gcra_of([WINDOW * 1_000_000 / AMOUNT, WINDOW * 1_000_000])
    }

    /// Microseconds for one request, and of burst.
    pub(super) fn gcra_of(arguments: [u64; 2]) -> Self {
        Self::new(include_str!("scripts/gcra.lua"), arguments)
    }

    /// The script for an algorithm of limitra, with as many requests.
    pub(super) fn of(algorithm: Algorithm, amount: u64) -> Self {
        let source = match algorithm {
            Algorithm::FixedWindow => include_str!("scripts/fixed_window.lua"),
            Algorithm::SlidingWindow => include_str!("scripts/sliding_window.lua"),
            Algorithm::MovingWindow => include_str!("scripts/moving_window.lua"),
            _ => return Self::gcra(),
        };
        Self::new(source, [amount, WINDOW * 1000])
    }

    /// Another library's script for a fixed window, which says as well what is left and until when.
    pub(super) fn flexible() -> Self {
        Self::new(include_str!("scripts/flexible.lua"), [1, WINDOW])
    }

    fn new(source: &'static str, arguments: [u64; 2]) -> Self {
        Self { hash: Script::new(source).get_hash().into(), source, arguments }
    }

    /// Where it keeps its records, in all cases.
    pub(super) fn prefix(algorithm: Algorithm) -> String {
        format!("by-hand:{algorithm}")
    }

    pub(super) async fn load(&self, connection: &mut MultiplexedConnection) {
        let load = redis::cmd("SCRIPT").arg("LOAD").arg(self.source).query_async::<String>(connection).await;
        assert_eq!(load.unwrap(), *self.hash);
    }

    pub(super) fn call(&self, prefix: &str, who: u64) -> Cmd {
        let mut call = redis::cmd("EVALSHA");
        call.arg(&*self.hash).arg(1).arg(format!("{prefix}:{}", key(who, 12))).arg(&self.arguments);
        call
    }
}

/// A connection that all tasks share.
pub(super) async fn multiplexed(server: &RedisServer) -> MultiplexedConnection {
    let client = redis::Client::open(server.url()).unwrap();
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(30)));
    client.get_multiplexed_async_connection_with_config(&config).await.unwrap()
}

/// limitra on this server. In all cases of an algorithm it has the same records: otherwise the server would soon hold millions that nobody
/// asks for.
pub(super) fn limitra(server: &RedisServer, algorithm: Algorithm, amount: u64) -> RateLimiter {
    let builder = RateLimiter::builder().algorithm(algorithm).requests(amount).window(WINDOW);
    builder.storage(storage_under(server, format!("limitra:{algorithm}"))).build().unwrap()
}

/// limitra's storage on this server, under a prefix of its own.
pub(super) fn storage(server: &RedisServer) -> RedisStorage {
    storage_under(server, fresh_prefix())
}

fn storage_under(server: &RedisServer, prefix: String) -> RedisStorage {
    let storage = RedisStorage::builder().url(server.url()).key_prefix(prefix);
    // What is measured is throughput: no deadline should end a round.
    storage.response_timeout(Duration::from_secs(30)).build().unwrap()
}
