//! How Redis is reached.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::io::tcp::TcpSettings;
use ::redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, ProtocolVersion, PushInfo,
    RedisError,
};
use deadpool::managed::Manager;
use deadpool_redis::Pool;

use super::queue::Queue;
#[cfg(feature = "redis-sentinel")]
use super::sentinel::Sentinels;
use crate::error::StorageErrorKind;
use crate::storage::connections::Connect;

/// How Redis is reached: by a client, a connection or a pool that the user already has.
///
/// Made by `into()`:
///
/// * a `redis::Client`: limitra makes connections by it, one for each tokio runtime, with `TCP_NODELAY` and, where the
///   server speaks it, by RESP3: so a connection that was closed while idle is noticed before it is used;
/// * a `deadpool_redis::Pool`: its manager makes the connections, with its address, credentials and
///   certificates. They are kept, not checked out for each decision, and do not count as the pool's. One that was
///   closed while idle is noticed only when it is used: that decision is an error;
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
    Server(Box<Way>),
    #[cfg(feature = "redis-sentinel")]
    Sentinels(Arc<Sentinels>),
    Pool(Pool),
    Connection(MultiplexedConnection),
}

/// The way to one server, twice; by RESP3 a connection says when it is closed.
#[derive(Clone)]
pub(super) struct Way {
    resp3: Option<ConnectionInfo>,
    plain: ConnectionInfo,
}

/// A connection, who waits for it, and whether the task that drives it is still there, where that can be known.
pub(crate) struct Made {
    pub(super) multiplexed: MultiplexedConnection,
    pub(super) queue: Queue,
    driver: Option<Weak<()>>,
}

impl Made {
    fn of(multiplexed: MultiplexedConnection) -> Self {
        Self { multiplexed, queue: Queue::default(), driver: None }
    }

    /// Whether nothing that is sent by it would arrive: the server closed it, or its runtime is gone.
    fn is_closed(&self) -> bool {
        self.driver.as_ref().is_some_and(|driver| driver.strong_count() == 0)
    }
}

impl RedisClient {
    /// Whoever is the master, as the sentinels say when a connection is made.
    #[cfg(feature = "redis-sentinel")]
    pub(super) fn of_sentinels(sentinels: Sentinels) -> Self {
        Self(Source::Sentinels(Arc::new(sentinels)))
    }
}

impl Way {
    /// To a server, by the protocol of the user's choice, or else by RESP3 where the server speaks it.
    pub(super) fn new(info: ConnectionInfo, protocol_is_chosen: bool) -> Self {
        let plain = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let settings = plain.redis_settings().clone();
        let resp3 = match (settings.protocol(), protocol_is_chosen) {
            (ProtocolVersion::RESP2, true) => None,
            _ => Some(plain.clone().set_redis_settings(settings.set_protocol(ProtocolVersion::RESP3))),
        };
        Self { resp3, plain }
    }

    /// Where it leads.
    pub(super) fn address(&self) -> &ConnectionAddr {
        self.plain.addr()
    }

    /// Makes a connection.
    pub(super) async fn connect(&self) -> Result<Made, RedisError> {
        if let Some(info) = &self.resp3 {
            let alive = Arc::new(());
            let driver = Some(Arc::downgrade(&alive));
            let config = without_deadlines().set_push_sender(held_by_the_driver(alive));
            let client = Client::open(info.clone())?;
            match client.get_multiplexed_async_connection_with_config(&config).await {
                Ok(multiplexed) => return Ok(Made { driver, ..Made::of(multiplexed) }),
                // An older server, or a user who may not greet: it has to do without.
                Err(error) if is_an_answer(&error) => {}
                Err(error) => return Err(error),
            }
        }
        let client = Client::open(self.plain.clone())?;
        client.get_multiplexed_async_connection_with_config(&without_deadlines()).await.map(Made::of)
    }
}

impl Connect for RedisClient {
    type Connection = Arc<Made>;
    type Error = RedisError;

    async fn connect(&self) -> Result<Arc<Made>, RedisError> {
        let mut multiplexed = match &self.0 {
            Source::Server(way) => return way.connect().await.map(Arc::new),
            #[cfg(feature = "redis-sentinel")]
            Source::Sentinels(sentinels) => return sentinels.master().await.map(Arc::new),
            Source::Pool(pool) => Manager::create(pool.manager()).await?,
            Source::Connection(connection) => connection.clone(),
        };
        multiplexed.set_response_timeout(Duration::MAX);
        Ok(Arc::new(Made::of(multiplexed)))
    }

    fn is_closed(connection: &Arc<Made>) -> bool {
        connection.is_closed()
    }

    fn kind(error: &RedisError) -> StorageErrorKind {
        super::failure::kind(error)
    }

    fn can_reconnect(&self) -> bool {
        !matches!(self.0, Source::Connection(_))
    }
}

/// Deadlines are the storage's: one for making a connection, one for each command.
fn without_deadlines() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None)
}

/// Takes what the server says unasked, which is nothing, and is dropped when the connection ends.
fn held_by_the_driver(alive: Arc<()>) -> impl Fn(PushInfo) -> Result<(), Infallible> {
    move |_| {
        let _ = &alive;
        Ok(())
    }
}

/// Whether the server was reached, and said no, which it will say again.
fn is_an_answer(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Server(_)
            | ErrorKind::Extension
            | ErrorKind::AuthenticationFailed
            | ErrorKind::RESP3NotSupported
    ) && super::failure::kind(error) != StorageErrorKind::Unavailable
}

impl From<Way> for RedisClient {
    fn from(way: Way) -> Self {
        Self(Source::Server(Box::new(way)))
    }
}

impl From<Client> for RedisClient {
    fn from(client: Client) -> Self {
        Way::new(client.get_connection_info().clone(), false).into()
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
            Source::Server(way) => write!(f, "client of {}", way.address()),
            #[cfg(feature = "redis-sentinel")]
            Source::Sentinels(sentinels) => sentinels.fmt(f),
            Source::Pool(_) => f.write_str("pool"),
            Source::Connection(_) => f.write_str("connection"),
        }
    }
}
