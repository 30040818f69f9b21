//! Redis and Valkey: one command for each decision at most, by scripts that are the algorithms' twins.

mod access;
mod ask;
mod builder;
mod client;
#[cfg(feature = "redis-cluster")]
mod cluster;
mod command;
mod failure;
mod flight;
#[cfg(all(test, limitra_loom))]
mod models;
mod queue;
mod scripts;
#[cfg(feature = "redis-sentinel")]
mod sentinel;
mod server;
mod settings;
mod sweep;
mod url;
mod way;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use ::redis::Value;
use async_trait::async_trait;

use crate::attempt::{Attempt, Outcome};
use crate::error::{ConfigurationError, StorageError, StorageErrorKind};
use crate::key::Key;
use crate::refund::Refund;
use crate::storage::key_prefix::KeyPrefix;
use crate::storage::{AnyStorage, Bounds, Storage, StorageOptions, StorageUrl};
use crate::time::Clock;

use ask::Ask;
pub use builder::RedisStorageBuilder;
pub use client::RedisClient;
#[cfg(feature = "redis-cluster")]
pub(crate) use cluster::open_cluster;
#[cfg(feature = "redis-cluster")]
pub use cluster::{RedisClusterStorage, RedisClusterStorageBuilder};
use failure::Failed;
#[cfg(feature = "redis-sentinel")]
pub(crate) use sentinel::open_sentinel;
#[cfg(feature = "redis-sentinel")]
pub use sentinel::{RedisSentinelStorage, RedisSentinelStorageBuilder};
use server::{Call, Server};
use settings::Deadlines;

/// The storage's name.
const NAME: &str = "redis";
/// On one server any records can be named together.
const LANE: u16 = 0;

/// Redis (6.2 and later) and Valkey.
///
/// A decision is one `EVALSHA` at most, whatever the number of rules and subjects, at the server's time,
/// and leaves every key with a time to live. It costs one round trip; a script that the server has
/// lost is sent again (the server had not run it). A command whose outcome is unknown is never
/// sent again.
///
/// Where two commands are under way already, decisions of one subject wait for the first answer and then go together, up
/// to 128 in one `EVALSHA`, first come, first served; no timer holds anybody back, so one alone never waits, and who has waited a hundredth of `response_timeout` goes past those before. Each is decided for itself,
/// in its own deadline, and what is wrong with one record is its caller's error alone. A caller that leaves while it waits is
/// not counted; one that was sent is. If the answer is lost, it is lost for all who went together.
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
    name: &'static str,
    server: Server,
    key_prefix: KeyPrefix,
}

impl RedisStorage {
    /// A storage over a client, a multiplexed connection or a pool, with the default deadlines.
    pub fn new(client: impl Into<RedisClient>) -> Self {
        Self::of(NAME, client.into(), KeyPrefix::default(), &Deadlines::default())
    }

    /// A storage by its URL: `redis://[user:password@]host[:port][/db]`, `redis+unix:///path.sock?db=n`,
    /// `rediss://` with the feature `redis-tls`; the same with `valkey`. Options may stand in its query. No I/O.
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

    fn of(name: &'static str, client: RedisClient, key_prefix: KeyPrefix, deadlines: &Deadlines) -> Self {
        Self { inner: Arc::new(Inner { name, server: Server::new(name, client, deadlines), key_prefix }) }
    }
}

impl Inner {
    fn failed(&self, operation: &'static str) -> impl Fn(Failed) -> StorageError {
        let name = self.name;
        move |failed| failed.storage_error(name, operation)
    }
}

/// Whether the server did not answer at all.
fn is_down(error: &StorageError) -> bool {
    matches!(error.kind(), StorageErrorKind::Unavailable | StorageErrorKind::Timeout)
}

#[async_trait]
impl Storage for Inner {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        let decided = match attempt.subjects {
            [subject] if attempt.clock == Clock::Storage => {
                self.server.decide(LANE, || Ask::about(subject, attempt, &self.key_prefix)).await
            }
            // Boxed, for it is larger than the usual way.
            _ => {
                let words = |form| command::decide(&self.key_prefix, attempt, form);
                let read = |answer: &Value| command::read(answer, command::rules(attempt));
                Box::pin(self.server.run(&Call { words: &words, read: &read })).await
            }
        };
        decided.map_err(self.failed("decide"))
    }

    /// One command after the other, for up to 128 attempts of one subject each.
    async fn decide_many(&self, attempts: &[Attempt<'_>]) -> Vec<Result<Outcome, StorageError>> {
        let (mut outcomes, mut rest) = (Vec::with_capacity(attempts.len()), attempts);
        while let Some((first, others)) = rest.split_first() {
            // Nobody waits again for what has just not answered.
            if let Some(Err(error)) = outcomes.last()
                && is_down(error)
            {
                let error = error.clone();
                outcomes.extend(rest.iter().map(|_| Err(error.clone())));
                break;
            }
            let asks = Ask::first_of(rest, &self.key_prefix);
            if asks.is_empty() {
                outcomes.push(self.decide(first).await);
                rest = others;
                continue;
            }
            let answers = self.server.decide_each(&asks).await;
            outcomes.extend(answers.into_iter().map(|answer| answer.map_err(self.failed("decide"))));
            rest = rest.get(asks.len()..).unwrap_or_default();
        }
        outcomes
    }

    async fn give_back(&self, refund: &Refund<'_>) -> Result<bool, StorageError> {
        let words = |form| command::give_back(&self.key_prefix, refund, form);
        let returned = self.server.run(&Call { words: &words, read: &command::is_returned }).await;
        returned.map_err(self.failed("give back"))
    }

    async fn clear(&self, key: Key<'_>) -> Result<(), StorageError> {
        let command = command::clear(&self.key_prefix.full(key));
        self.server.ask(&command).await.map(drop).map_err(self.failed("clear"))
    }

    fn suspect(&self, since: Instant) {
        self.server.suspect(since);
    }

    async fn ping(&self) -> Result<(), StorageError> {
        self.server.ask(&::redis::cmd("PING")).await.map(drop).map_err(self.failed("ping"))
    }

    async fn reset(&self) -> Result<u64, StorageError> {
        let removed = sweep::sweep(&self.server, &self.key_prefix.beginning()).await;
        let malformed = || StorageError::new(StorageErrorKind::Malformed, self.name, "reset");
        removed.map_err(self.failed("reset"))?.ok_or_else(malformed)
    }
}

impl fmt::Debug for Inner {
    /// Without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(self.name)
            .field("server", &self.server)
            .field("key_prefix", &self.key_prefix.text())
            .finish_non_exhaustive()
    }
}

/// A storage that is shared by its clones.
macro_rules! delegate_storage {
    ($storage:ident) => {
        #[async_trait]
        impl Storage for $storage {
            fn name(&self) -> &'static str {
                self.inner.name()
            }

            async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
                self.inner.decide(attempt).await
            }

            async fn decide_many(&self, attempts: &[Attempt<'_>]) -> Vec<Result<Outcome, StorageError>> {
                self.inner.decide_many(attempts).await
            }

            async fn give_back(&self, refund: &Refund<'_>) -> Result<bool, StorageError> {
                self.inner.give_back(refund).await
            }

            async fn clear(&self, key: Key<'_>) -> Result<(), StorageError> {
                self.inner.clear(key).await
            }

            async fn ping(&self) -> Result<(), StorageError> {
                self.inner.ping().await
            }

            async fn reset(&self) -> Result<u64, StorageError> {
                self.inner.reset().await
            }

            fn suspect(&self, since: Instant) {
                self.inner.suspect(since);
            }

            fn bounds(&self) -> Bounds {
                self.inner.bounds()
            }
        }

        impl fmt::Debug for $storage {
            /// Without credentials.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.inner.fmt(f)
            }
        }

        impl From<$storage> for AnyStorage {
            fn from(storage: $storage) -> Self {
                Self::from(storage.inner as Arc<dyn Storage>)
            }
        }

        impl From<&$storage> for AnyStorage {
            fn from(storage: &$storage) -> Self {
                storage.clone().into()
            }
        }
    };
}

delegate_storage!(RedisStorage);
#[cfg(feature = "redis-cluster")]
delegate_storage!(RedisClusterStorage);
#[cfg(feature = "redis-sentinel")]
delegate_storage!(RedisSentinelStorage);

/// `redis://`, `rediss://`, `redis+unix://` and the same with `valkey`.
pub(crate) fn open(url: &StorageUrl, options: &mut StorageOptions) -> Result<AnyStorage, ConfigurationError> {
    let mut builder = RedisStorage::builder();
    builder.take(options)?;
    Ok(builder.url(url.secret_text()).build()?.into())
}
