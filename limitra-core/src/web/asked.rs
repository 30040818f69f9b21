//! What is answered to a request, now or later.

use std::future::Future;
use std::pin::Pin;

use super::limiter::HttpLimiter;
use super::pass::Left;
use super::refusal::Refusal;
use super::remainder::Remainder;

/// The answer to a request, or what brings it: a few words, for it stands between a request and its handler.
pub(crate) enum Asked {
    /// It may pass, and nothing is left to do: nearly always.
    Passed,
    /// It may pass; its response is to tell what is left.
    Told(Remainder),
    Left(Box<Left>),
    Refused(Box<Refusal>),
    Pending(Box<Deciding>),
}

/// An answer to come.
pub(crate) type Deciding = Pin<Box<dyn Future<Output = Verdict> + Send>>;

/// Whether a request may pass.
pub(crate) enum Verdict {
    /// With what is left to do, if anything is.
    Passed(Option<Box<Left>>),
    Refused(Box<Refusal>),
}

impl Asked {
    pub(crate) async fn verdict(self, limiter: &HttpLimiter) -> Verdict {
        match self.known(limiter) {
            Ok(verdict) => verdict,
            Err(verdict) => verdict.await,
        }
    }

    /// The verdict if it is known by now, else what brings it.
    pub(crate) fn known(self, limiter: &HttpLimiter) -> Result<Verdict, Deciding> {
        Ok(match self {
            Self::Passed => Verdict::Passed(None),
            Self::Told(remainder) => {
                Verdict::Passed(Some(Box::new(Left::to_tell(limiter.told_of_only(remainder)))))
            }
            Self::Left(left) => Verdict::Passed(Some(left)),
            Self::Refused(refusal) => Verdict::Refused(refusal),
            Self::Pending(verdict) => return Err(*verdict),
        })
    }
}

impl From<Verdict> for Asked {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Passed(left) => left.map_or(Self::Passed, Self::Left),
            Verdict::Refused(refusal) => Self::Refused(refusal),
        }
    }
}

impl From<Deciding> for Asked {
    fn from(verdict: Deciding) -> Self {
        Self::Pending(Box::new(verdict))
    }
}
