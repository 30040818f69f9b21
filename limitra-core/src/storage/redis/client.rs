//! How Redis is reached.

use std::fmt;

use ::redis::aio::MultiplexedConnection;
use ::redis::io::tcp::TcpSettings;
use ::redis::{AsyncConnectionConfig, Client, RedisError};
use deadpool::managed::Manager;
use deadpool_redis::Pool;

/// How Redis is reached: by a client, a connection or a pool that the user already has.
///
/// Made by `into()`:
///
/// * a `redis::Client`: limitra makes connections by it, one for each tokio runtime (with `TCP_NODELAY`);
/// * a `deadpool_redis::Pool`: its manager makes the connections, with its address, credentials and
///   certificates. They are kept, not checked out for each decision, and do not count as the pool's;
/// * a `redis::aio::MultiplexedConnection`: it is used as it is, from every runtime. limitra cannot make
///   it anew: once it is lost every decision is an error. Its runtime must go on running.
///
/// ```
/// use limitra_core::{RedisClient, RedisStorage};
///
/// let client: RedisClient = redis::Client::open("redis://127.0.0.1/")?.into();
/// let storage = RedisStorage::new(client);
/// # Ok::<(), redis::RedisError>(())
/// ```
#[derive(Clone)]
pub struct RedisClient(Source);

#[derive(Clone)]
enum Source {
    Client(Client),
    Pool(Pool),
    Connection(MultiplexedConnection),
}

impl RedisClient {
    /// Makes a connection that the current tokio runtime drives.
    pub(super) async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        match &self.0 {
            Source::Client(client) => {
                // Deadlines are the storage's: one for making a connection, one for each command.
                let config =
                    AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
                client.get_multiplexed_async_connection_with_config(&config).await
            }
            Source::Pool(pool) => Manager::create(pool.manager()).await,
            Source::Connection(connection) => Ok(connection.clone()),
        }
    }

    /// Whether a lost connection can be made anew.
    pub(super) fn can_reconnect(&self) -> bool {
        !matches!(self.0, Source::Connection(_))
    }
}

impl From<Client> for RedisClient {
    fn from(client: Client) -> Self {
        let settings = TcpSettings::default().set_nodelay(true);
        let info = client.get_connection_info().clone().set_tcp_settings(settings);
        // The same client but for the setting; it was opened before, so it opens again.
        Self(Source::Client(Client::open(info).unwrap_or(client)))
    }
}

impl From<&Client> for RedisClient {
    fn from(client: &Client) -> Self {
        client.clone().into()
    }
}

impl From<Pool> for RedisClient {
    fn from(pool: Pool) -> Self {
        Self(Source::Pool(pool))
    }
}

impl From<&Pool> for RedisClient {
    fn from(pool: &Pool) -> Self {
        pool.clone().into()
    }
}

impl From<MultiplexedConnection> for RedisClient {
    fn from(connection: MultiplexedConnection) -> Self {
        Self(Source::Connection(connection))
    }
}

impl From<&MultiplexedConnection> for RedisClient {
    fn from(connection: &MultiplexedConnection) -> Self {
        connection.clone().into()
    }
}

impl From<&Self> for RedisClient {
    fn from(client: &Self) -> Self {
        client.clone()
    }
}

impl fmt::Debug for RedisClient {
    /// Without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Client(client) => write!(f, "client of {}", client.get_connection_info().addr()),
            Source::Pool(_) => f.write_str("pool"),
            Source::Connection(_) => f.write_str("connection"),
        }
    }
}
