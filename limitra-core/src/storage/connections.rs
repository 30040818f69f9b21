//! One connection for each tokio runtime.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::future::{Future, ready};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use foldhash::fast::FixedState;
use futures_util::future::{FutureExt as _, Shared};
use tokio::runtime::{Handle, Id};
use tokio::task::AbortHandle;

use crate::error::{StorageError, StorageErrorKind};
use crate::storage::timers;

/// More runtimes than this are not remembered; the one that connected first connects anew if it comes back.
const REMEMBERED_RUNTIMES: usize = 1024;

/// Makes a storage's connections.
pub(crate) trait Connect: Clone + Send + Sync + 'static {
    /// A connection that any number of tasks use at once; a clone is the same connection.
    type Connection: Clone + Send + Sync + 'static;
    /// Why there is none.
    type Error: Error + Send + Sync + 'static;

    /// Makes a connection that the current tokio runtime drives. The deadline is not its own.
    fn connect(&self) -> impl Future<Output = Result<Self::Connection, Self::Error>> + Send;

    /// Whether nothing can come of this connection any more.
    fn is_closed(connection: &Self::Connection) -> bool;

    /// What a caller may do about a failure to connect.
    fn kind(error: &Self::Error) -> StorageErrorKind;

    /// Whether a lost connection can be made anew.
    fn can_reconnect(&self) -> bool {
        true
    }
}

/// The connections, each belonging to the runtime that drives it.
pub(crate) struct Connections<C: Connect> {
    storage: &'static str,
    connect: C,
    connect_timeout: Duration,
    runtimes: Mutex<HashMap<Id, Attempt<C>, FixedState>>,
}

/// A connection in use, and which one it was.
pub(crate) struct Connected<C: Connect> {
    pub(crate) connection: C::Connection,
    pub(crate) runtime: Id,
    started: Instant,
}

/// The making of a connection: shared by all who wait for it, and kept once it is made.
///
/// It goes on when nobody waits any more: where it takes longer than callers do, it would otherwise never come to its end.
struct Attempt<C: Connect> {
    started: Instant,
    made: Shared<Making<C>>,
    driver: Arc<Driver>,
}

/// The task that makes a connection: it ends with its deadline, and with the attempt.
struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

type Making<C> = Pin<Box<dyn Future<Output = Made<C>> + Send>>;
type Made<C> = Result<<C as Connect>::Connection, Lost<<C as Connect>::Error>>;

/// Why no connection was made; shared by all who waited.
#[derive(Debug)]
enum Lost<E> {
    Late(Duration),
    Panicked,
    Failed(Arc<E>),
}

impl<C: Connect> Connections<C> {
    pub(crate) fn new(storage: &'static str, connect: C, connect_timeout: Duration) -> Self {
        Self { storage, connect, connect_timeout, runtimes: Mutex::default() }
    }

    pub(crate) fn connector(&self) -> &C {
        &self.connect
    }

    /// The current runtime's connection, made if there is none.
    pub(crate) async fn get(&self) -> Result<Connected<C>, StorageError> {
        let Ok(handle) = Handle::try_current() else {
            return Err(StorageError::new(StorageErrorKind::NoRuntime, self.storage, "connect"));
        };
        let runtime = handle.id();
        if let Some(connected) = self.at_hand(runtime) {
            return Ok(connected);
        }
        // Before anything is waited for: all that follows has timers.
        let timed = timers::within(self.connect_timeout, ready(()));
        drop(timed.ok_or_else(|| timers::missing(self.storage, "connect"))?);
        let Attempt { started, made, driver: _driver } = self.attempt(&handle);
        match made.await {
            Ok(connection) => Ok(Connected { connection, runtime, started }),
            Err(lost) => {
                self.forget(runtime, started);
                let kind = match &lost {
                    Lost::Failed(error) => C::kind(error),
                    Lost::Late(_) => StorageErrorKind::Unavailable,
                    Lost::Panicked => StorageErrorKind::NoRuntime,
                };
                Err(StorageError::new(kind, self.storage, "connect").with_source(lost))
            }
        }
    }

    /// Drops a connection that is of no use any more: the next decision makes another.
    pub(crate) fn discard(&self, connected: &Connected<C>) {
        if self.connect.can_reconnect() {
            self.forget(connected.runtime, connected.started);
        }
    }

    /// The connection that is made already.
    fn at_hand(&self, runtime: Id) -> Option<Connected<C>> {
        let runtimes = self.runtimes.lock().unwrap_or_else(PoisonError::into_inner);
        let Attempt { started, made, .. } = runtimes.get(&runtime)?;
        let connection = made.peek()?.as_ref().ok().filter(|connection| !C::is_closed(connection))?;
        Some(Connected { connection: connection.clone(), runtime, started: *started })
    }

    /// Drops the current runtime's connection if it was made before this instant: what was sent by it then has no answer.
    pub(crate) fn suspect(&self, since: Instant) {
        let Ok(handle) = Handle::try_current() else { return };
        let runtime = handle.id();
        let mut runtimes = self.runtimes.lock().unwrap_or_else(PoisonError::into_inner);
        // One that is still being made has a deadline of its own.
        let is_in_use = |attempt: &Attempt<C>| attempt.made.peek().is_some() && attempt.started <= since;
        if self.connect.can_reconnect() && runtimes.get(&runtime).is_some_and(is_in_use) {
            runtimes.remove(&runtime);
        }
    }

    fn attempt(&self, handle: &Handle) -> Attempt<C> {
        let runtime = handle.id();
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
        let attempt = self.connect(handle);
        runtimes.insert(runtime, attempt.clone());
        attempt
    }

    fn connect(&self, handle: &Handle) -> Attempt<C> {
        let (connect, deadline) = (self.connect.clone(), self.connect_timeout);
        let making = async move {
            // In a runtime without network drivers tokio panics, and there is no way to ask before.
            let connecting = AssertUnwindSafe(connect.connect()).catch_unwind();
            match tokio::time::timeout(deadline, connecting).await {
                Ok(Ok(made)) => made.map_err(|error| Lost::Failed(Arc::new(error))),
                Ok(Err(_)) => Err(Lost::Panicked),
                Err(_) => Err(Lost::Late(deadline)),
            }
        };
        let (started, made) = (Instant::now(), making.boxed().shared());
        let driver = handle.spawn(made.clone().map(drop)).abort_handle();
        Attempt { started, made, driver: Arc::new(Driver(driver)) }
    }

    fn forget(&self, runtime: Id, started: Instant) {
        let mut runtimes = self.runtimes.lock().unwrap_or_else(PoisonError::into_inner);
        if runtimes.get(&runtime).is_some_and(|attempt| attempt.started == started) {
            runtimes.remove(&runtime);
        }
    }
}

impl<C: Connect> Attempt<C> {
    /// Whether nothing can come of it any more.
    fn is_over(&self, connect_timeout: Duration) -> bool {
        match self.made.peek() {
            // Why it failed is told to those who waited, and says nothing to those who come later.
            Some(made) => made.as_ref().map_or(true, C::is_closed),
            // Its runtime stood still.
            None => self.started.elapsed() > connect_timeout,
        }
    }
}

impl<C: Connect> Clone for Connected<C> {
    fn clone(&self) -> Self {
        Self { connection: self.connection.clone(), runtime: self.runtime, started: self.started }
    }
}

impl<C: Connect> Clone for Attempt<C> {
    fn clone(&self) -> Self {
        Self { started: self.started, made: self.made.clone(), driver: Arc::clone(&self.driver) }
    }
}

impl<E> Clone for Lost<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Late(deadline) => Self::Late(*deadline),
            Self::Panicked => Self::Panicked,
            Self::Failed(error) => Self::Failed(Arc::clone(error)),
        }
    }
}

impl<E: fmt::Display> fmt::Display for Lost<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late(deadline) => write!(f, "no connection within {deadline:?}"),
            Self::Panicked => f.write_str("the runtime has no network: say `enable_all()` to its builder"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<E: Error> Error for Lost<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Late(_) | Self::Panicked => None,
            Self::Failed(error) => error.source(),
        }
    }
}
