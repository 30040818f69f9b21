//! A request that may pass, and what is left to do when it is answered.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::StatusCode;

use super::limit::Charged;
use super::refusal::{Refusal, RefusalReason};
use super::telling::Telling;
use crate::charge::{Charge, give_back_all};
use crate::decision::Decision;
use crate::identifier::Identifier;
use crate::measured;

/// A charge on its way back.
pub(crate) type GivingBack = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Whether an answered request is given back what it was charged.
pub(crate) type Judge = Arc<dyn Fn(&Answered) -> bool + Send + Sync>;

/// How a request was answered: what `give_back_when` judges by.
///
/// ```
/// use limitra_core::RateLimiter;
/// use limitra_core::web::{HttpLimiter, key};
///
/// // Wrong passwords are counted, right ones are not.
/// let attempts = RateLimiter::builder().requests(5).window(60).scope("login").build()?;
/// let limiter = HttpLimiter::builder()
///     .limit(&attempts, key::header("x-user")?)
///     .give_back_when(|answered| answered.status().is_success())
///     .build()?;
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    status: StatusCode,
    grpc_status: Option<u16>,
}

impl Answered {
    /// That of an answer with this status, and this `grpc-status` if it is one of gRPC.
    pub const fn new(status: StatusCode, grpc_status: Option<u16>) -> Self {
        Self { status, grpc_status }
    }

    /// The status of HTTP; 200 for nearly every answer of gRPC.
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The status code of gRPC where the answer begins with it, which is what a failed unary call does; None elsewhere.
    pub const fn grpc_status(&self) -> Option<u16> {
        self.grpc_status
    }
}

/// What is left to do for a request that may pass.
pub(crate) struct Left {
    /// What its response is to tell.
    pub(crate) telling: Telling,
    /// By which decision, where a handler wants it or it may be given back.
    pub(crate) pass: Option<Box<Pass>>,
}

impl Left {
    pub(crate) const fn to_tell(telling: Telling) -> Self {
        Self { telling, pass: None }
    }
}

/// By which decision a request may pass.
pub(crate) struct Pass {
    pub(crate) decision: Decision,
    cost: u64,
    /// By whom it was counted and for whom; without the parts where nothing is ever given back.
    charged: Charged,
    judge: Option<Judge>,
}

impl Pass {
    pub(crate) const fn new(decision: Decision, cost: u64, charged: Charged, judge: Option<Judge>) -> Self {
        Self { decision, cost, charged, judge }
    }

    /// One that would have been refused, but for the shadow.
    pub(crate) fn uncharged(refusal: Refusal) -> Self {
        let decision = match refusal.into_reason() {
            RefusalReason::Exceeded(decision) => decision,
            RefusalReason::Unidentified(_) => Decision::unlimited(),
            RefusalReason::Undecided(_) => Decision::degraded(),
        };
        Self::new(decision, 0, Charged::new(), None)
    }

    /// The decision for the handler, where a layer further out may have shared one: that no limit applied here does not hide it.
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn shared(&self, further_out: Option<&Decision>) -> Option<Decision> {
        let is_limited = self.decision.is_degraded() || !self.decision.rules().is_empty();
        (is_limited || further_out.is_none()).then(|| self.decision.clone())
    }

    /// Gives back what it was charged, if its answer says so.
    pub(crate) fn answered(self: Box<Self>, answered: Answered) -> Option<GivingBack> {
        let judge = self.judge.as_ref().filter(|_| !self.charged.is_empty())?;
        judge(&answered).then(|| -> GivingBack { Box::pin(self.give_back()) })
    }

    /// Where that fails, the charge stays.
    async fn give_back(self: Box<Self>) {
        let charges = self.charged.iter().map(|(limiter, parts)| {
            Charge::of_parts(limiter, parts.iter().map(Identifier::from)).cost(self.cost)
        });
        if let Err(error) = give_back_all(charges, self.decision).await {
            measured::lost_give_back();
            tracing::debug!(target: "limitra", %error, "a charge was not given back");
        }
    }
}
