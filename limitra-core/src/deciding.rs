//! A limiter's decision, awaited.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::slice;
use std::task::{Context, Poll};

use crate::attempt::Mode;
use crate::decision::Decision;
use crate::error::Error;
use crate::identifier::Identifier;
use crate::limiter::RateLimiter;
use crate::pending::{Answer, Running};
use crate::straight::Found;

/// A limiter's decision, and what is read from it.
///
/// A future by hand: the compiler's would put the whole decision through memory several times, which on memory costs
/// more than to decide.
pub(crate) struct Deciding<'l, 'i, R> {
    limiter: &'l RateLimiter,
    cost: u64,
    mode: Mode,
    read: R,
    stage: Stage<'i>,
}

enum Stage<'i> {
    /// Nothing was asked yet.
    New(Identifier<'i>),
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
        Self { limiter, cost, mode, read, stage: Stage::New(identifier) }
    }
}

/// What a decision is read from: the decision, or an answer that it would be made of.
pub(crate) enum Read<'a> {
    Found(Found<'a>),
    Decision(Decision),
}

impl Read<'_> {
    #[inline]
    pub(crate) fn is_allowed(&self) -> bool {
        match self {
            Self::Found(found) => found.is_allowed(),
            Self::Decision(decision) => decision.is_allowed(),
        }
    }

    #[allow(clippy::inline_always)] // See `Deciding::poll`.
    #[inline(always)]
    pub(crate) fn decision(self) -> Decision {
        match self {
            Self::Found(found) => found.decision(),
            Self::Decision(decision) => decision,
        }
    }
}

impl<T, R: Fn(Read<'_>) -> T + Unpin> Future for Deciding<'_, '_, R> {
    type Output = Result<T, Error>;

    // Inlined, most of a decision is never put into memory, and what nobody reads is not even worked out. For the same
    // reason what is rare gets parts of this future, never all of it.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let (limiter, cost, mode) = (this.limiter, this.cost, this.mode);
        let asked = match mem::replace(&mut this.stage, Stage::Answered) {
            Stage::New(identifier) => {
                if let Some(straight) = &limiter.inner.straight
                    && cost > 0
                    && let Some(found) = straight.at_once(slice::from_ref(&identifier), cost, mode)
                {
                    return Poll::Ready(Ok((this.read)(Read::Found(found))));
                }
                ask(limiter, identifier, cost, mode)
            }
            Stage::Asked(running) => Err(running),
            Stage::Answered => return Poll::Pending,
        };
        match asked.or_else(|running| wait(limiter, running, context)) {
            Ok(answer) => Poll::Ready(answer.map(|decision| (this.read)(Read::Decision(decision)))),
            Err(running) => {
                this.stage = Stage::Asked(running);
                Poll::Pending
            }
        }
    }
}

/// Any other way to a decision; it may have to be waited for.
#[allow(clippy::needless_pass_by_value)] // A part of the future, not a look into it.
#[cold]
#[inline(never)]
fn ask(limiter: &RateLimiter, identifier: Identifier<'_>, cost: u64, mode: Mode) -> Result<Answer, Running> {
    let inner = &limiter.inner;
    if let Some(straight) = &inner.straight
        && straight.takes(cost)
    {
        return Ok(straight.decide(&inner.desk, inner.space.key(slice::from_ref(&identifier)), cost, mode));
    }
    let answer = limiter.ask(&identifier, cost, mode).now()?;
    Ok(answer.map(|decision| limiter.placed(decision)))
}

/// The answer if it is there by now, else what brings it.
#[inline(never)]
fn wait(limiter: &RateLimiter, mut running: Running, context: &mut Context<'_>) -> Result<Answer, Running> {
    match running.as_mut().poll(context) {
        Poll::Ready(answer) => Ok(answer.map(|decision| limiter.placed(decision))),
        Poll::Pending => Err(running),
    }
}
