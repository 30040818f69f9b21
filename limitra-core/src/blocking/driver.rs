//! The thread on which storages are asked, and the waiting for it.

use std::any::Any;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::sync_channel;
use std::task::Poll;
use std::thread::{self, ThreadId};

use once_cell::sync::OnceCell;
use tokio::runtime::{Builder, Handle};
use tracing::Instrument as _;
use tracing::instrument::WithSubscriber as _;

use crate::decide::Desk;
use crate::error::{Error, StorageError, StorageErrorKind};
use crate::give_back::Returning;
use crate::pending::{Answer, Pending};

/// The thread's name.
const NAME: &str = "limitra-blocking";

static DRIVER: OnceCell<Driver> = OnceCell::new();

/// A runtime on a thread of its own, which ends with the process.
#[derive(Debug)]
struct Driver {
    process: u32,
    thread: ThreadId,
    handle: Handle,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    #[error("the thread limitra-blocking cannot be started: {0}")]
    NotStarted(#[source] io::Error),
    #[error("the process was forked after its first blocking decision; make that in the child")]
    Forked,
    #[error("it was asked from within the thread limitra-blocking, which would wait for itself")]
    WithinItself,
    #[error("it panicked: {0}")]
    Panicked(String),
    #[error("the thread limitra-blocking is gone")]
    Gone,
}

impl Lost {
    /// The same as an error of a storage.
    pub(super) fn error(self, storage: &'static str, operation: &'static str) -> StorageError {
        let kind = match self {
            Self::Panicked(_) => StorageErrorKind::Malformed,
            _ => StorageErrorKind::Unavailable,
        };
        StorageError::new(kind, storage, operation).with_source(self)
    }
}

/// The answer of a decision, waited for if it is not there. What went wrong here is an outage like any other.
pub(crate) fn answer(desk: &Desk, pending: Pending) -> Answer {
    match pending.now() {
        Ok(answer) => answer,
        Err(running) => {
            let waited = wait(running);
            waited.unwrap_or_else(|lost| desk.undecided(lost.error(desk.storage.name(), "decide")))
        }
    }
}

/// The answers of as many decisions, waited for if they are not there; the same outage for each of them.
pub(crate) fn answers(desk: &Desk, pending: Pending<Vec<Answer>>, count: usize) -> Vec<Answer> {
    match pending.now() {
        Ok(answers) => answers,
        Err(running) => wait(running).unwrap_or_else(|lost| {
            let error = lost.error(desk.storage.name(), "decide");
            (0..count).map(|_| desk.undecided(error.clone())).collect()
        }),
    }
}

/// What came of giving back, waited for if it is not there.
pub(crate) fn returned(desk: &Desk, returning: Returning) -> Result<bool, Error> {
    match returning.now() {
        Ok(answer) => answer,
        Err(running) => {
            let lost = |lost: Lost| desk.returned(Err(lost.error(desk.storage.name(), "give back")));
            wait(running).unwrap_or_else(lost)
        }
    }
}

/// Runs a future on the driver's thread, and waits for what comes of it.
pub(super) fn wait<T: Send + 'static>(what: impl Future<Output = T> + Send + 'static) -> Result<T, Lost> {
    DRIVER.get_or_try_init(Driver::start)?.wait(what)
}

impl Driver {
    fn start() -> Result<Self, Lost> {
        let (sender, receiver) = sync_channel(1);
        // The runtime is made where it may be dropped: a thread that drives another one may not.
        let drive = move || match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => {
                let _is_awaited = sender.send(Ok(runtime.handle().clone()));
                runtime.block_on(pending::<()>());
            }
            Err(error) => {
                let _is_awaited = sender.send(Err(error));
            }
        };
        let driving = thread::Builder::new().name(NAME.to_owned()).spawn(drive).map_err(Lost::NotStarted)?;
        let handle = receiver.recv().map_err(|_| Lost::Gone)?.map_err(Lost::NotStarted)?;
        Ok(Self { process: std::process::id(), thread: driving.thread().id(), handle })
    }

    fn wait<T: Send + 'static>(&self, what: impl Future<Output = T> + Send + 'static) -> Result<T, Lost> {
        if self.process != std::process::id() {
            return Err(Lost::Forked);
        }
        if self.thread == thread::current().id() {
            return Err(Lost::WithinItself);
        }
        let (sender, receiver) = sync_channel(1);
        let running = async move {
            // Nobody is gone who waits for it.
            let _is_awaited = sender.send(caught(what).await);
        };
        // Logged where it was asked, not where it runs.
        drop(self.handle.spawn(running.in_current_span().with_current_subscriber()));
        receiver.recv().map_err(|_| Lost::Gone)?
    }
}

/// The same, with a panic as an error.
async fn caught<T>(what: impl Future<Output = T>) -> Result<T, Lost> {
    let mut what = Box::pin(what);
    let polled =
        poll_fn(move |context| match catch_unwind(AssertUnwindSafe(|| what.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(panic) => Poll::Ready(Err(Lost::Panicked(message(&*panic)))),
        });
    polled.await
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T>(answer: Result<T, Lost>) -> Lost {
        match answer {
            Ok(_) => panic!("there was an answer"),
            Err(lost) => lost,
        }
    }

    #[test]
    fn a_panic_is_an_error_and_the_thread_goes_on() {
        assert!(
            matches!(refused(wait(async { panic!("on {}", "purpose") })), Lost::Panicked(text) if text == "on purpose")
        );
        assert!(matches!(wait(async { thread::current().name() == Some(NAME) }), Ok(true)));
    }

    #[test]
    fn the_thread_does_not_wait_for_itself() {
        let asked = wait(async { matches!(refused(wait(async {})), Lost::WithinItself) });
        assert!(matches!(asked, Ok(true)));
    }

    #[test]
    fn a_forked_process_is_told_and_not_kept_waiting() {
        let driver =
            Driver { process: std::process::id().wrapping_add(1), ..Driver::start().expect("a thread") };
        assert!(matches!(refused(driver.wait(async {})), Lost::Forked));
    }
}
