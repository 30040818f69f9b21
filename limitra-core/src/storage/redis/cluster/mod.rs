//! Redis Cluster and Valkey Cluster: one command at most to the master of the record's slot.
//!
//! The router is ours, over the same connections that one server has: a map of slots, a connection to each node, and the
//! redirections that servers answer with. A library's cluster client sends a command again when a connection broke
//! while its outcome was unknown, which would count twice; and it has no way to say `ASKING` and a script to the node
//! that a server named.

mod builder;
mod many;
mod nodes;
mod redirection;
mod slots;

use std::convert;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::redis::Value;
use async_trait::async_trait;
use tokio::runtime::Handle;

use super::ask::Ask;
use super::command;
use super::failure::Failed;
use super::server::Call;
use super::sweep;
use crate::attempt::{Attempt, Outcome};
use crate::error::{ConfigurationError, StorageError, StorageErrorKind};
use crate::key::Key;
use crate::refund::Refund;
use crate::storage::connections::{Connected, Connections};
use crate::storage::key_prefix::KeyPrefix;
use crate::storage::pause::Pause;
use crate::storage::{AnyStorage, Bounds, Storage, StorageOptions, StorageUrl};
use crate::time::Clock;

pub use builder::RedisClusterStorageBuilder;
use nodes::{Node, Nodes, Topology};
use redirection::Redirection;
use slots::{hash_tag, slot};

/// The storage's name.
const NAME: &str = "redis-cluster";
/// A map that is younger is not asked for again: the nodes need some time to agree.
const FRESH: Duration = Duration::from_millis(100);

/// Redis Cluster (6.2 and later) and Valkey Cluster.
///
/// A decision is one `EVALSHA` at most to the master of its record's slot: those of one slot that are made at the same time
/// go together, as on [one server](super::RedisStorage). A server that answers that the slot is elsewhere, moving
/// or not served right now has run nothing, so the command is sent again, where it said or after a short pause: at most
/// 16 times, and only within the time that a command may take. A command whose outcome is unknown is never sent again.
///
/// One decision may name several subjects if all records are in one slot, that is, if the `key_prefix` has a hash tag:
/// `{shop}`. Then one node carries all of it.
///
/// ```
/// use limitra_core::{AnyStorage, RateLimiter, RedisClusterStorage};
///
/// // No I/O yet: the first decision connects.
/// let cluster = RedisClusterStorage::from_url("redis+cluster://10.0.0.1:7000,10.0.0.2:7000")?;
/// let limiter = RateLimiter::builder().requests(5).window(60).storage(&cluster).build()?;
/// assert_eq!(AnyStorage::from(cluster).bounds().subjects, 1);
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone)]
pub struct RedisClusterStorage {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    nodes: Nodes,
    topology: Connections<Nodes>,
    key_prefix: KeyPrefix,
    max_retries: u32,
}

impl RedisClusterStorage {
    /// A storage by its URL: `redis+cluster://[user:password@]host:port[,host:port ..]`, or `valkey+cluster`. One node
    /// suffices; the others are heard of. Options may stand in its query. No I/O.
    ///
    /// # Errors
    /// [`ConfigurationError`] if the URL cannot be read.
    pub fn from_url(url: &str) -> Result<Self, ConfigurationError> {
        Self::builder().url(url).build()
    }

    /// A storage whose nodes, deadlines or certificates are set by hand.
    pub fn builder() -> RedisClusterStorageBuilder {
        RedisClusterStorageBuilder::default()
    }

    fn new(nodes: Nodes, key_prefix: KeyPrefix, max_retries: u32) -> Self {
        let topology = Connections::new(NAME, nodes.clone(), nodes.deadlines().connect_timeout);
        Self { inner: Arc::new(Inner { nodes, topology, key_prefix, max_retries }) }
    }
}

/// `redis+cluster://` and `valkey+cluster://`.
pub(crate) fn open_cluster(
    url: &StorageUrl,
    options: &mut StorageOptions,
) -> Result<AnyStorage, ConfigurationError> {
    let mut builder = RedisClusterStorage::builder();
    builder.take(options)?;
    Ok(builder.url(url.secret_text()).build()?.into())
}

impl Inner {
    /// What a script comes to at the master of a key's slot.
    async fn run<T>(
        &self,
        key: &str,
        call: &Call<'_, T>,
        operation: &'static str,
    ) -> Result<T, StorageError> {
        self.in_time(operation, self.follow(slot(key), call, None, operation)).await
    }

    /// Follows redirections to where the command is run; one that asks of one record may go with others of its slot.
    async fn follow<T>(
        &self,
        slot: u16,
        call: &Call<'_, T>,
        ask: Option<Together<T>>,
        operation: &'static str,
    ) -> Result<T, StorageError> {
        let (started, mut pause, mut tries) = (Instant::now(), Pause::default(), 0);
        let mut asked: Option<Arc<Node>> = None;
        loop {
            let map = self.topology.get().await?;
            let slots = &map.connection.slots;
            let (answer, host) = match (asked.take(), slots.master(slot)) {
                (Some(node), _) => (node.server.run_asking(call).await, node.address.host.clone()),
                (None, Some(node)) => {
                    let answer = match &ask {
                        Some((ask, of)) => node.server.decide(slot, || ask.clone()).await.map(of),
                        None => node.server.run(call).await,
                    };
                    (answer, node.address.host.clone())
                }
                (None, None) => (Err(unserved()), String::new()),
            };
            let failed = match answer {
                Ok(answered) => return Ok(answered),
                Err(failed) => failed,
            };
            let redirection = Redirection::after(&failed, &host);
            match &redirection {
                Redirection::Moved(address) => slots.moved(slot, &self.nodes.node(address)),
                Redirection::Ask(address) => asked = Some(self.nodes.node(address)),
                Redirection::Elsewhere | Redirection::Lost => self.renew(&map),
                Redirection::Later | Redirection::None => {}
            }
            tries += 1;
            let is_over = tries > self.max_retries
                || started.elapsed() >= self.nodes.deadlines().response_timeout
                || matches!(redirection, Redirection::Lost | Redirection::None);
            if is_over {
                return Err(failed.storage_error(NAME, operation));
            }
            if matches!(redirection, Redirection::Elsewhere | Redirection::Later) {
                pause.wait().await;
            }
        }
    }

    /// Every master there is now.
    async fn masters(&self) -> Result<Vec<Arc<Node>>, StorageError> {
        let map = self.topology.get().await?;
        self.renew(&map);
        Ok(self.topology.get().await?.connection.slots.masters())
    }

    /// The next decision asks for the map anew.
    fn renew(&self, map: &Connected<Nodes>) {
        let Topology { seen, .. } = map.connection;
        if seen.elapsed() >= FRESH {
            self.topology.discard(map);
        }
    }

    /// A bound on everything together: the map, the connection and the tries.
    async fn in_time<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        if Handle::try_current().is_err() {
            return Err(StorageError::new(StorageErrorKind::NoRuntime, NAME, operation));
        }
        let deadlines = self.nodes.deadlines();
        let most = deadlines.connect_timeout.saturating_add(deadlines.response_timeout);
        let late = |_| Err(StorageError::new(StorageErrorKind::Timeout, NAME, operation));
        tokio::time::timeout(most, work).await.unwrap_or_else(late)
    }
}

/// A decision that may go with others, and what is made of its outcome.
type Together<T> = (Ask, fn(Outcome) -> T);

/// No node serves a slot: nothing was sent.
fn unserved() -> Failed {
    Failed::Unconnected(StorageError::new(StorageErrorKind::Unavailable, NAME, "find the master of the slot"))
}

#[async_trait]
impl Storage for Inner {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        let words = |form| command::decide(&self.key_prefix, attempt, form);
        let Some(first) = attempt.subjects.first() else {
            return Err(StorageError::new(StorageErrorKind::Malformed, NAME, "decide"));
        };
        let slot = slot(&self.key_prefix.full(first.key));
        let read = |answer: &Value| command::read(answer, command::rules(attempt));
        let ask = Ask::of(attempt, &self.key_prefix).filter(|_| attempt.clock == Clock::Storage);
        let ask = ask.map(|ask| (ask, convert::identity as _));
        self.in_time("decide", self.follow(slot, &Call { words: &words, read: &read }, ask, "decide")).await
    }

    /// One command for up to 128 attempts of one subject each in a slot, those of different slots at once.
    async fn decide_many(&self, attempts: &[Attempt<'_>]) -> Vec<Result<Outcome, StorageError>> {
        self.decide_by_slot(attempts).await
    }

    async fn give_back(&self, refund: &Refund<'_>) -> Result<bool, StorageError> {
        let malformed = || StorageError::new(StorageErrorKind::Malformed, NAME, "give back");
        let first = refund.subjects.first().ok_or_else(malformed)?;
        let words = |form| command::give_back(&self.key_prefix, refund, form);
        let call = Call { words: &words, read: &command::is_returned };
        self.run(&self.key_prefix.full(first.key), &call, "give back").await
    }

    async fn clear(&self, key: Key<'_>) -> Result<(), StorageError> {
        let key = self.key_prefix.full(key);
        self.run(&key, &Call { words: &|_| command::clear(&key), read: &|_| Ok(()) }, "clear").await
    }

    /// Asks every master.
    async fn ping(&self) -> Result<(), StorageError> {
        let ping = async {
            for node in self.masters().await? {
                let answer = node.server.ask(&::redis::cmd("PING")).await;
                answer.map_err(|failed| failed.storage_error(NAME, "ping"))?;
            }
            Ok(())
        };
        self.in_time("ping", ping).await
    }

    /// Sweeps every master.
    async fn reset(&self) -> Result<u64, StorageError> {
        let mut removed = 0;
        for node in self.masters().await? {
            let swept = sweep::sweep(&node.server, &self.key_prefix.beginning()).await;
            let swept = swept.map_err(|failed| failed.storage_error(NAME, "reset"))?;
            let malformed = || StorageError::new(StorageErrorKind::Malformed, NAME, "reset");
            removed += swept.ok_or_else(malformed)?;
        }
        Ok(removed)
    }

    fn suspect(&self, since: Instant) {
        self.nodes.suspect(since);
    }

    /// One subject, or any number where the prefix keeps all records in one slot.
    fn bounds(&self) -> Bounds {
        let in_one_slot = self.key_prefix.text().and_then(hash_tag).is_some();
        Bounds { subjects: if in_one_slot { usize::MAX } else { 1 }, ..Bounds::default() }
    }
}

impl fmt::Debug for Inner {
    /// Without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(NAME)
            .field("nodes", &self.nodes)
            .field("key_prefix", &self.key_prefix.text())
            .finish_non_exhaustive()
    }
}
