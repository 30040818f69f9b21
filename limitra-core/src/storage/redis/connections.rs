//! One connection for each tokio runtime.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::redis::RedisError;
use ::redis::aio::MultiplexedConnection;
use futures_util::future::{FutureExt as _, Shared};
use tokio::runtime::{Handle, Id};

use super::client::{Made, RedisClient};
use crate::error::{StorageError, StorageErrorKind};

/// More runtimes than this are not remembered; the one that connected first connects anew if it comes back.
const REMEMBERED_RUNTIMES: usize = 1024;

/// The connections, each belonging to the runtime that drives it.
pub(super) struct Connections {
    client: RedisClient,
    connect_timeout: Duration,
    runtimes: Mutex<HashMap<Id, Attempt>>,
}

/// A connection in use, and which one it was.
pub(super) struct Connection {
    pub(super) multiplexed: MultiplexedConnection,
    runtime: Id,
    started: Instant,
}

/// The making of a connection: shared by all who wait for it, and kept once it is made.
#[derive(Clone)]
struct Attempt {
    started: Instant,
    made: Shared<Making>,
}

type Making = Pin<Box<dyn Future<Output = Result<Made, Lost>> + Send>>;

/// Why no connection was made; shared by all who waited.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Lost {
    #[error("no connection within {0:?}")]
    Late(Duration),
    #[error(transparent)]
    Failed(Arc<RedisError>),
}

impl Connections {
    pub(super) fn new(client: RedisClient, connect_timeout: Duration) -> Self {
        Self { client, connect_timeout, runtimes: Mutex::default() }
    }

    pub(super) fn client(&self) -> &RedisClient {
        &self.client
    }

    /// The current runtime's connection, made if there is none.
    pub(super) async fn get(&self) -> Result<Connection, StorageError> {
        let Ok(handle) = Handle::try_current() else {
            return Err(StorageError::new(StorageErrorKind::NoRuntime, "redis", "connect"));
        };
        let runtime = handle.id();
        let Attempt { started, made } = self.attempt(runtime);
        match made.await {
            Ok(Made { multiplexed, .. }) => Ok(Connection { multiplexed, runtime, started }),
            Err(lost) => {
                self.forget(runtime, started);
                let error = match &lost {
                    Lost::Failed(error) => super::failure::kind(error),
                    Lost::Late(_) => StorageErrorKind::Unavailable,
                };
                Err(StorageError::new(error, "redis", "connect").with_source(lost))
            }
        }
    }

    /// Drops a connection that is of no use any more: the next decision makes another.
    pub(super) fn discard(&self, connection: &Connection) {
        if self.client.can_reconnect() {
            self.forget(connection.runtime, connection.started);
        }
    }

    fn attempt(&self, runtime: Id) -> Attempt {
        let mut runtimes = self.runtimes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(attempt) = runtimes.get(&runtime)
            && !attempt.is_over(self.connect_timeout)
        {
            return attempt.clone();
        }
        // Those of runtimes that are gone, among others.
        runtimes.retain(|_, attempt| !attempt.is_over(self.connect_timeout));
        if runtimes.len() >= REMEMBERED_RUNTIMES {
            let first = runtimes.iter().min_by_key(|(_, attempt)| attempt.started).map(|(id, _)| *id);
            first.and_then(|id| runtimes.remove(&id));
        }
        let attempt = self.connect();
        runtimes.insert(runtime, attempt.clone());
        attempt
    }

    fn connect(&self) -> Attempt {
        let (client, deadline) = (self.client.clone(), self.connect_timeout);
        let making = async move {
            match tokio::time::timeout(deadline, client.connect()).await {
                Ok(made) => made.map_err(|error| Lost::Failed(Arc::new(error))),
                Err(_) => Err(Lost::Late(deadline)),
            }
        };
        Attempt { started: Instant::now(), made: making.boxed().shared() }
    }

    fn forget(&self, runtime: Id, started: Instant) {
        let mut runtimes = self.runtimes.lock().unwrap_or_else(PoisonError::into_inner);
        if runtimes.get(&runtime).is_some_and(|attempt| attempt.started == started) {
            runtimes.remove(&runtime);
        }
    }
}

impl Attempt {
    /// Whether nothing can come of it any more.
    fn is_over(&self, connect_timeout: Duration) -> bool {
        match self.made.peek() {
            Some(made) => made.as_ref().is_ok_and(Made::is_closed),
            // One that nobody waited for to its end has outlived its deadline: its outcome says nothing.
            None => self.started.elapsed() > connect_timeout,
        }
    }
}
