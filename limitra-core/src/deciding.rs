//! A limiter's decision, awaited.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::slice;
use std::task::{Context, Poll};

use crate::attempt::Mode;
use crate::decide::{Answer, Running};
use crate::decision::Decision;
use crate::error::{Error, StorageError};
use crate::identifier::Identifier;
use crate::limiter::RateLimiter;

/// A limiter's decision, and what is read from it.
///
/// A future by hand: the compiler's would put the whole decision through memory several times, which on memory costs
/// more than to decide.
pub(crate) struct Deciding<'l, 'i, R> {
    limiter: &'l RateLimiter,
    identifier: Identifier<'i>,
    cost: u64,
    mode: Mode,
    read: R,
    stage: Stage,
}

enum Stage {
    /// Nothing was asked yet.
    New,
    /// A storage is asked.
    Asked(Running),
    /// The answer was given. Nothing is asked again, should it be polled all the same.
    Answered,
}

impl<'l, 'i, R> Deciding<'l, 'i, R> {
    #[inline]
    pub(crate) fn new(
        limiter: &'l RateLimiter,
        identifier: Identifier<'i>,
        cost: u64,
        mode: Mode,
        read: R,
    ) -> Self {
        Self { limiter, identifier, cost, mode, read, stage: Stage::New }
    }
}

impl<T, R: Fn(Decision) -> T + Unpin> Future for Deciding<'_, '_, R> {
    type Output = Result<T, Error>;

    // Inlined, most of a decision is never put into memory, and what nobody reads is not even worked out.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        // Rare answers are handed over by reference: one that a call returned would be in memory on every way.
        let mut answer = None;
        if let Stage::New = this.stage
            && let Some(straight) = &this.limiter.inner.straight
            && straight.takes(this.cost)
        {
            let key = this.limiter.inner.space.key(slice::from_ref(&this.identifier));
            match straight.decide(key, this.cost, this.mode) {
                Ok(decision) => {
                    this.end();
                    return Poll::Ready(Ok((this.read)(decision)));
                }
                Err(error) => this.fail(error, &mut answer),
            }
        } else {
            this.ask(context, &mut answer);
        }
        match answer {
            Some(Ok(decision)) => {
                this.end();
                Poll::Ready(Ok((this.read)(decision)))
            }
            Some(Err(error)) => {
                this.end();
                Poll::Ready(Err(error))
            }
            None => Poll::Pending,
        }
    }
}

impl<R> Deciding<'_, '_, R> {
    /// There is an answer, and no storage is asked any more: said once again, where the compiler sees that nothing is
    /// left to be dropped.
    #[inline]
    fn end(&mut self) {
        mem::forget(mem::replace(&mut self.stage, Stage::Answered));
    }

    #[cold]
    #[inline(never)]
    fn fail(&mut self, error: StorageError, answer: &mut Option<Answer>) {
        *answer = Some(self.limiter.inner.desk.undecided(error));
    }

    /// Any other way.
    #[inline(never)]
    fn ask(&mut self, context: &mut Context<'_>, answer: &mut Option<Answer>) {
        *answer = match mem::replace(&mut self.stage, Stage::Answered) {
            Stage::New => match self.limiter.ask(&self.identifier, self.cost, self.mode).now() {
                Ok(answer) => Some(answer),
                Err(running) => self.wait(running, context),
            },
            Stage::Asked(running) => self.wait(running, context),
            Stage::Answered => None,
        };
        *answer = answer.take().map(|answer| answer.map(|decision| self.limiter.placed(decision)));
    }

    fn wait(&mut self, mut running: Running, context: &mut Context<'_>) -> Option<Answer> {
        match running.as_mut().poll(context) {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => {
                self.stage = Stage::Asked(running);
                None
            }
        }
    }
}
