//! Redis and Valkey: one command for each decision, by scripts that are the algorithms' twins.

mod builder;
mod client;
mod failure;
mod scripts;
mod url;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::redis::{Cmd, Value};
use async_trait::async_trait;
use smallvec::SmallVec;

use crate::attempt::{Attempt, Mode, Outcome, RuleOutcome};
use crate::error::{ConfigurationError, StorageError, StorageErrorKind};
use crate::key::Key;
use crate::state::State;
use crate::storage::connections::{Connected, Connections};
use crate::storage::{AnyStorage, Storage, StorageOptions, StorageUrl};
use crate::time::{Clock, Micros};

pub use builder::RedisStorageBuilder;
pub use client::RedisClient;
use scripts::Script;

/// How long a command may take by default.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a connection may take to be made by default.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Redis (6.2 and later) and Valkey.
///
/// A decision is one `EVALSHA`, whatever the number of rules and subjects, at the server's time,
/// and leaves every key with a time to live. It costs one round trip; a script that the server has
/// lost is sent again (the server had not run it). A command whose outcome is unknown is never
/// sent again.
///
/// One multiplexed connection for each tokio runtime is made at its first use and shared by all
/// tasks there; after a failure the next decision makes another. A command may take 500 ms, making
/// a connection 1 s; both can be set by [`RedisStorage::builder`]. Outside a tokio runtime a decision
/// is a [`StorageErrorKind::NoRuntime`] error.
///
/// ```
/// use limitra_core::{RateLimiter, RedisStorage};
///
/// // No I/O yet: the first decision connects.
/// let redis = RedisStorage::from_url("redis://127.0.0.1:6379/0")?;
/// let limiter = RateLimiter::builder().requests(5).window(60).storage(redis).build()?;
/// assert_eq!(limiter.config().backend, "redis");
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone)]
pub struct RedisStorage {
    inner: Arc<Inner>,
}

struct Inner {
    connections: Connections<RedisClient>,
    response_timeout: Duration,
}

impl RedisStorage {
    /// A storage over a client, a multiplexed connection or a pool, with the default deadlines.
    pub fn new(client: impl Into<RedisClient>) -> Self {
        Self::of(client.into(), RESPONSE_TIMEOUT, CONNECT_TIMEOUT)
    }

    /// A storage by its URL: `redis://[user:password@]host[:port][/db]`, `redis+unix:///path.sock?db=n`,
    /// `rediss://` with the feature `redis-tls`; the same with `valkey`. No I/O.
    ///
    /// # Errors
    /// [`ConfigurationError`] if the URL cannot be read.
    pub fn from_url(url: &str) -> Result<Self, ConfigurationError> {
        Self::builder().url(url).build()
    }

    /// A storage whose deadlines or certificates are set by hand.
    pub fn builder() -> RedisStorageBuilder {
        RedisStorageBuilder::default()
    }

    pub(crate) fn from_url_and_db(url: &str, redis_db: Option<i64>) -> Result<Self, ConfigurationError> {
        let builder = Self::builder().url(url);
        match redis_db {
            Some(redis_db) => builder.redis_db(redis_db).build(),
            None => builder.build(),
        }
    }

    fn of(client: RedisClient, response_timeout: Duration, connect_timeout: Duration) -> Self {
        let connections = Connections::new("redis", client, connect_timeout);
        Self { inner: Arc::new(Inner { connections, response_timeout }) }
    }
}

impl Inner {
    /// Sends one command. What the server was not able to run may be sent again by the caller.
    async fn send(
        &self,
        connection: &mut Connected<RedisClient>,
        command: &Cmd,
        operation: &'static str,
    ) -> Result<Value, StorageError> {
        let answered = tokio::time::timeout(
            self.response_timeout,
            command.query_async::<Value>(&mut connection.connection.multiplexed),
        );
        let error = match answered.await {
            Ok(Ok(Value::ServerError(error))) => error.into(),
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => error,
            Err(_) => {
                self.connections.discard(connection);
                return Err(StorageError::new(StorageErrorKind::Timeout, "redis", operation));
            }
        };
        if failure::breaks_connection(&error) {
            self.connections.discard(connection);
        }
        Err(failure::storage_error(error, operation))
    }

    async fn run(&self, script: &Script, attempt: &Attempt<'_>) -> Result<Value, StorageError> {
        let mut connection = self.connections.get().await?;
        let by_hash = command(script, attempt, Form::Hash);
        match self.send(&mut connection, &by_hash, "decide").await {
            // The server has lost the script, so it has not run it.
            Err(error) if failure::is_no_script(&error) => {
                let by_text = command(script, attempt, Form::Text);
                self.send(&mut connection, &by_text, "decide").await
            }
            answer => answer,
        }
    }
}

#[async_trait]
impl Storage for Inner {
    fn name(&self) -> &'static str {
        "redis"
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        let script = scripts::for_attempt(attempt);
        let reply = self.run(script, attempt).await?;
        let count = attempt.subjects.iter().map(|subject| subject.rules.len()).sum();
        outcome(&reply, count).ok_or(StorageError::new(StorageErrorKind::Malformed, "redis", "decide"))
    }

    async fn clear(&self, key: Key<'_>) -> Result<(), StorageError> {
        let mut connection = self.connections.get().await?;
        let mut command = ::redis::cmd("UNLINK");
        command.arg(key.text().as_ref());
        self.send(&mut connection, &command, "clear").await.map(drop)
    }

    async fn ping(&self) -> Result<(), StorageError> {
        let mut connection = self.connections.get().await?;
        self.send(&mut connection, &::redis::cmd("PING"), "ping").await.map(drop)
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStorage")
            .field("client", self.connections.connector())
            .field("response_timeout", &self.response_timeout)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RedisStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl Storage for RedisStorage {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        self.inner.decide(attempt).await
    }

    async fn clear(&self, key: Key<'_>) -> Result<(), StorageError> {
        self.inner.clear(key).await
    }

    async fn ping(&self) -> Result<(), StorageError> {
        self.inner.ping().await
    }
}

impl From<RedisStorage> for AnyStorage {
    fn from(storage: RedisStorage) -> Self {
        Self::from(storage.inner as Arc<dyn Storage>)
    }
}

impl From<&RedisStorage> for AnyStorage {
    fn from(storage: &RedisStorage) -> Self {
        storage.clone().into()
    }
}

/// `redis://`, `rediss://`, `redis+unix://` and the same with `valkey`.
pub(crate) fn open(url: &StorageUrl, options: &mut StorageOptions) -> Result<AnyStorage, ConfigurationError> {
    let _common = options.take_common()?;
    Ok(RedisStorage::from_url(url.secret_text())?.into())
}

#[cfg(feature = "redis-cluster")]
pub(crate) fn open_cluster(_: &StorageUrl, _: &mut StorageOptions) -> Result<AnyStorage, ConfigurationError> {
    Err(ConfigurationError::NoRedisClient)
}

#[cfg(feature = "redis-sentinel")]
pub(crate) fn open_sentinel(
    _: &StorageUrl,
    _: &mut StorageOptions,
) -> Result<AnyStorage, ConfigurationError> {
    Err(ConfigurationError::NoRedisClient)
}

#[derive(Clone, Copy)]
enum Form {
    Hash,
    Text,
}

/// The command that decides: see `prelude.lua` for its arguments.
fn command(script: &Script, attempt: &Attempt<'_>, form: Form) -> Cmd {
    let mut command = match form {
        Form::Hash => ::redis::cmd("EVALSHA"),
        Form::Text => ::redis::cmd("EVAL"),
    };
    command.arg(match form {
        Form::Hash => script.hash(),
        Form::Text => script.text(),
    });
    command.arg(attempt.subjects.len());
    for subject in attempt.subjects {
        command.arg(subject.key.text().as_ref());
    }
    match attempt.clock {
        Clock::Storage => command.arg(""),
        Clock::At(instant) => command.arg(instant.get()),
    };
    command.arg(u8::from(attempt.mode == Mode::Hit));
    for subject in attempt.subjects {
        command.arg(subject.cost).arg(subject.rules.len());
        for rule in subject.rules.iter() {
            let (increment, depth) = (rule.increment(subject.cost), rule.depth());
            command
                .arg(rule.algorithm().number())
                .arg(rule.window().get())
                .arg(rule.amount())
                .arg(rule.limit().capacity())
                .arg(increment.micros)
                .arg(increment.fraction)
                .arg(depth.micros)
                .arg(depth.fraction);
        }
    }
    command
}

/// Reads a script's reply: the instant, then five numbers for each of `count` rules.
fn outcome(reply: &Value, count: usize) -> Option<Outcome> {
    let Value::Array(values) = reply else {
        return None;
    };
    let numbers: Option<SmallVec<[u64; 8]>> = values
        .iter()
        .map(|value| match value {
            Value::Int(number) => u64::try_from(*number).ok(),
            _ => None,
        })
        .collect();
    let numbers = numbers?;
    let (now, rules) = numbers.split_first()?;
    if rules.len() != count * 5 {
        return None;
    }
    let rules = rules.chunks_exact(5).map(|rule| match *rule {
        [allowed @ 0..=1, until, a, b, c] => {
            let state = State { until: Micros::new(until), a, b, c };
            Some(RuleOutcome { allowed: allowed == 1, state })
        }
        _ => None,
    });
    Some(Outcome { now: Micros::new(*now), rules: rules.collect::<Option<_>>()? })
}
