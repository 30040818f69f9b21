//! The sentinels, and which master they name.

use std::fmt;

use ::redis::{ErrorKind, FromRedisValue, RedisError, Value};
use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use crate::storage::redis::access::Access;
use crate::storage::redis::client::{Made, Way};

/// The sentinels of one service.
pub(in crate::storage::redis) struct Sentinels {
    pub(super) all: Vec<Sentinel>,
    pub(super) service: String,
    /// Who limitra is to the master.
    pub(super) access: Access,
}

/// One sentinel.
pub(super) struct Sentinel {
    pub(super) way: Way,
    /// The same without credentials: most sentinels have none, and refuse those that are the master's.
    pub(super) plain: Option<Way>,
}

/// What one of those who are asked has said.
enum Step {
    /// A sentinel: where the master is.
    Named(Result<(String, u16), RedisError>),
    /// Whoever was named: a connection, if it is one.
    Made(Result<Made, RedisError>),
}

impl Sentinels {
    /// A connection to the master. All sentinels are asked at once, and whoever they name is connected to at once, so that
    /// nobody who does not answer keeps others waiting; who says first itself that it is a master is it.
    pub(in crate::storage::redis) async fn master(&self) -> Result<Made, RedisError> {
        let asked = |sentinel| async move { Step::Named(Sentinel::master_of(sentinel, &self.service).await) };
        let mut steps: FuturesUnordered<BoxFuture<'_, Step>> =
            self.all.iter().map(|sentinel| asked(sentinel).boxed()).collect();
        let (mut tried, mut last) = (Vec::new(), None);
        while let Some(step) = steps.next().await {
            match step {
                Step::Named(Ok(address)) if tried.contains(&address) => {}
                Step::Named(Ok(address)) => {
                    tried.push(address.clone());
                    steps.push(async move { Step::Made(self.connect(&address).await) }.boxed());
                }
                Step::Made(Ok(made)) => return Ok(made),
                Step::Named(Err(error)) | Step::Made(Err(error)) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| unknown(&self.service)))
    }

    async fn connect(&self, (host, port): &(String, u16)) -> Result<Made, RedisError> {
        let mut made = self.access.way_to(host, *port).connect().await?;
        let role: Value = ::redis::cmd("ROLE").query_async(&mut made.multiplexed).await?;
        match role {
            Value::Array(parts) if parts.first().is_some_and(is_master) => Ok(made),
            // The sentinel does not know yet.
            _ => Err((ErrorKind::Io, "the server that the sentinels name is not a master").into()),
        }
    }
}

impl Sentinel {
    /// Where the master of a service is.
    async fn master_of(&self, service: &str) -> Result<(String, u16), RedisError> {
        match (ask(&self.way, service).await, &self.plain) {
            (Err(error), Some(plain)) if error.kind() == ErrorKind::AuthenticationFailed => {
                // What it says without credentials counts, but if it wants some.
                ask(plain, service).await.map_err(|_| error)
            }
            (answer, _) => answer,
        }
    }
}

async fn ask(way: &Way, service: &str) -> Result<(String, u16), RedisError> {
    let mut made = way.connect().await?;
    let mut command = ::redis::cmd("SENTINEL");
    command.arg("GET-MASTER-ADDR-BY-NAME").arg(service);
    match command.query_async::<Value>(&mut made.multiplexed).await? {
        Value::Nil => Err(unknown(service)),
        answer => {
            let (host, port) = <(String, String)>::from_redis_value(answer)?;
            let malformed =
                |_| RedisError::from((ErrorKind::UnexpectedReturnType, "a master without a port"));
            Ok((host, port.parse().map_err(malformed)?))
        }
    }
}

fn is_master(role: &Value) -> bool {
    match role {
        Value::BulkString(role) => role == b"master",
        Value::SimpleString(role) => role == "master",
        _ => false,
    }
}

fn unknown(service: &str) -> RedisError {
    (ErrorKind::InvalidClientConfig, "the sentinels know no master of this service_name", service.to_owned())
        .into()
}

impl fmt::Debug for Sentinels {
    /// Without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses: Vec<String> =
            self.all.iter().map(|sentinel| sentinel.way.address().to_string()).collect();
        write!(f, "master of {} by {}", self.service, addresses.join(", "))
    }
}
