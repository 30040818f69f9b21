//! What a request is answered, and what its response tells.

use http::header::HeaderMap;

use super::limit::Charged;
use super::limiter::HttpLimiter;
use super::only::OnlyTelling;
use super::refusal::Refusal;
use super::remainder::Remainder;
use super::request::Request;
use super::telling::Telling;
use crate::decision::Decision;

impl HttpLimiter {
    /// The response to a refused request.
    pub(crate) fn respond(&self, refusal: &Refusal, request: &Request<'_>) -> http::Response<String> {
        let on_refused = self.0.on_refused.as_ref();
        let mut response =
            on_refused.map_or_else(|| refusal.response(), |on_refused| on_refused(refusal, request));
        self.headers_into(response.headers_mut(), refusal);
        response
    }

    /// The headers that tell of a refusal.
    pub(crate) fn headers_into(&self, headers: &mut HeaderMap, refusal: &Refusal) {
        if let Some(decision) = refusal.decision() {
            self.0.headers.retry_after_into(headers, decision);
            self.told(decision, refusal.charged()).put(headers);
        }
    }

    /// Tells what is left of the only limit.
    #[inline]
    pub(crate) fn tell_of_only(&self, telling: &mut OnlyTelling, remainder: Remainder) {
        if let Some(only) = &self.0.only {
            telling.tell(only, remainder, self.0.headers);
        }
    }

    /// What is told of the only limit.
    pub(super) fn told_of_only(&self, remainder: Remainder) -> Telling {
        let mut telling = OnlyTelling::default();
        self.tell_of_only(&mut telling, remainder);
        telling.telling()
    }

    /// What is told of a decision of these.
    pub(super) fn told(&self, decision: &Decision, charged: &Charged) -> Telling {
        if let (Some(only), [rule]) = (&self.0.only, decision.rules())
            && rule.limit() == only.limit
        {
            return self.told_of_only(Remainder::of(rule));
        }
        let all = [0, self.0.limits.len()];
        let names = self.0.names.as_ref().filter(|_| all.contains(&charged.len()));
        self.0.headers.told(decision, charged, names)
    }

    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn shares_decision(&self) -> bool {
        self.0.shares_decision
    }
}
