//! An answer on its way.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::decision::Decision;
use crate::error::Error;

/// An answer on its way, already there where the storage is memory.
pub(crate) struct Pending<T = Answer>(State<T>);

pub(crate) type Answer = Result<Decision, Error>;
/// An answer that a storage is asked for once this is polled.
pub(crate) type Running<T = Answer> = Pin<Box<dyn Future<Output = T> + Send>>;

enum State<T> {
    Ready(Option<T>),
    Running(Running<T>),
}

impl<T> Pending<T> {
    pub(crate) fn ready(answer: T) -> Self {
        Self(State::Ready(Some(answer)))
    }

    pub(crate) fn running(answer: impl Future<Output = T> + Send + 'static) -> Self {
        Self(State::Running(Box::pin(answer)))
    }

    /// The answer where it is there already, else the same again.
    pub(crate) fn at_hand(self) -> Result<T, Self> {
        match self.0 {
            State::Ready(Some(answer)) => Ok(answer),
            state => Err(Self(state)),
        }
    }

    /// The answer where it is there already, else what brings it; nothing has been asked of a storage then.
    pub(crate) fn now(self) -> Result<T, Running<T>>
    where
        T: 'static,
    {
        match self.0 {
            State::Ready(Some(answer)) => Ok(answer),
            State::Running(running) => Err(running),
            // Taken from a future that was polled to its end, which no caller does.
            State::Ready(None) => Err(Box::pin(std::future::pending())),
        }
    }
}

impl<T: Unpin> Future for Pending<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match &mut self.get_mut().0 {
            State::Running(running) => running.as_mut().poll(context),
            State::Ready(answer) => match answer.take() {
                Some(answer) => Poll::Ready(answer),
                // Polled again after it was ready, which no caller may do.
                None => Poll::Pending,
            },
        }
    }
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pending")
    }
}
