//! Whether a request may pass.

use std::future::Future;
use std::pin::Pin;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use smallvec::{SmallVec, smallvec};

use super::asked::{Asked, Deciding, Verdict};
use super::errors::log;
use super::key::{Extracted, Found, Key, Parts};
use super::limit::{Charged, Chosen, HttpLimit};
use super::limiter::{HttpLimiter, Inner, OnMissing};
use super::pass::{Left, Pass};
use super::refusal::{Refusal, RefusalReason};
use super::remainder::Remainder;
use super::request::Request;
use super::telling::Telling;
use crate::attempt::Mode;
use crate::charge::{Charge, Charges};
use crate::decision::Decision;
use crate::identifier::Identifier;
use crate::limiter::RateLimiter;
use crate::measured;
use crate::pending::{Answer, Running};

/// A limit that applies to a request: by which limiter, and for whom.
struct Pick<'a> {
    limiter: Chosen<'a>,
    parts: Parts<'a>,
}

type Picks<'a> = SmallVec<[Pick<'a>; 2]>;

impl HttpLimiter {
    /// Decides a request, at once where that can be.
    pub(crate) fn ask(&self, request: &Request<'_>) -> Asked {
        let it = &*self.0;
        if it.exemptions.hold(request) {
            return Asked::Passed;
        }
        let cost = it.cost.as_ref().map_or(1, |cost| cost(request));
        let [HttpLimit::Fixed { limiter, key, .. }] = &*it.limits else {
            return self.ask_all(request, cost);
        };
        // The shortest way: one limit on memory, by what is at hand. Nothing large is moved on it.
        let at_hand = key.at_hand(request);
        let Some(identifier) = &at_hand else {
            return self
                .ask_picked(smallvec![(Chosen::Fixed(limiter), extract(limiter, key, request))], cost);
        };
        let Some(found) = limiter.hit_at_once(slice::from_ref(identifier), cost) else {
            return self.ask_further(limiter, identifier, cost, None);
        };
        // What nobody looks at is not even worked out.
        if found.is_allowed() && !it.keeps_decision() {
            if !it.headers.are_on_allowed() {
                return Asked::Passed;
            }
            if it.only.is_some() {
                return Asked::Told(Remainder::of(&found.rule_decision()));
            }
        }
        self.ask_further(limiter, identifier, cost, Some(found.decision()))
    }

    /// Goes on with a decision, or without one.
    #[inline(never)]
    fn ask_further(
        &self,
        limiter: &RateLimiter,
        identifier: &Identifier<'_>,
        cost: u64,
        decision: Option<Decision>,
    ) -> Asked {
        let picks = [Pick::new(Chosen::Fixed(limiter), smallvec![identifier.into()])];
        match decision.map(Ok).or_else(|| limiter.at_once(identifier, cost, Mode::Hit)) {
            Some(answer) => self.judged(answer, &picks, cost).into(),
            None => self.decide(&picks, cost),
        }
    }

    fn ask_all(&self, request: &Request<'_>, cost: u64) -> Asked {
        let chosen = self.0.limits.iter().filter_map(|limit| limit.choose(request));
        let extracted = chosen.map(|(limiter, key)| {
            let extracted = extract(&limiter, key, request);
            (limiter, extracted)
        });
        self.ask_picked(extracted.collect(), cost)
    }

    /// Goes on when all keys are known.
    fn ask_picked<'a>(&self, picked: SmallVec<[(Chosen<'a>, Extracted<'a>); 2]>, cost: u64) -> Asked {
        if picked.iter().all(|(_, extracted)| matches!(extracted, Extracted::Now(_))) {
            let mut picks = Picks::new();
            for (limiter, extracted) in picked {
                let Extracted::Now(found) = extracted else { continue };
                match self.identified(found) {
                    Ok(parts) => picks.extend(parts.map(|parts| Pick::new(limiter, parts))),
                    Err(refusal) => return self.refused(refusal).into(),
                }
            }
            return self.decide(&picks, cost);
        }
        let owned = picked.into_iter().map(|(limiter, extracted)| (limiter.into_owned(), extracted.owned()));
        let (owned, this): (Vec<_>, _) = (owned.collect(), self.clone());
        let verdict: Deciding = Box::pin(async move {
            let mut picks = Picks::new();
            for (limiter, extracted) in owned {
                let found = match extracted {
                    Extracted::Now(found) => found,
                    Extracted::Later(found) => this.wait(found).await,
                };
                match this.identified(found) {
                    Ok(parts) => picks.extend(parts.map(|parts| Pick::new(limiter, parts))),
                    Err(refusal) => return this.refused(refusal),
                }
            }
            this.decide(&picks, cost).verdict(&this).await
        });
        verdict.into()
    }

    /// Waits for a key, but not for ever.
    #[cfg(feature = "deadline")]
    async fn wait(&self, found: Pin<Box<dyn Future<Output = Found<'static>> + Send>>) -> Found<'static> {
        use super::key::KeyError;
        let late = || KeyError::Failed("the key function did not answer in time".into());
        match crate::storage::timers::within(self.0.key_deadline, found) {
            Some(found) => found.await.unwrap_or_else(|_| Err(late())),
            None => {
                Err(KeyError::Failed("the runtime has no timers: say `enable_time()` to its builder".into()))
            }
        }
    }

    /// Waits for a key.
    #[cfg(not(feature = "deadline"))]
    #[allow(clippy::unused_self)]
    async fn wait(&self, found: Pin<Box<dyn Future<Output = Found<'static>> + Send>>) -> Found<'static> {
        found.await
    }

    /// The parts by which a caller is counted; none if the limit does not apply.
    fn identified<'a>(&self, found: Found<'a>) -> Result<Option<Parts<'a>>, Box<Refusal>> {
        let error = match found {
            Ok(parts) => return Ok(Some(parts)),
            Err(error) => error,
        };
        measured::unidentified();
        if self.0.unidentified.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(target: "limitra", %error, policy = ?self.0.on_missing, "the first request that does not say who is calling");
        } else {
            tracing::debug!(target: "limitra", %error, policy = ?self.0.on_missing, "a request that does not say who is calling");
        }
        match self.0.on_missing {
            OnMissing::Refuse => Err(Refusal::new(RefusalReason::Unidentified(error))),
            OnMissing::Allow => Ok(None),
            OnMissing::Share => Ok(Some(smallvec![Identifier::from(())])),
        }
    }

    /// Decides all limits at once.
    fn decide(&self, picks: &[Pick<'_>], cost: u64) -> Asked {
        if picks.is_empty() {
            return Asked::Passed;
        }
        let charges: Charges<'_> = picks.iter().map(|pick| pick.charge(cost)).collect();
        let pending = match charges.ask() {
            Ok((_, pending)) => pending,
            Err(error) => return self.judged(Err(error), picks, cost).into(),
        };
        let running: Running<Answer> = match pending.now() {
            Ok(answer) => {
                let answer = answer.map(|decision| decision.of_scopes(charges.scopes()));
                return self.judged(answer, picks, cost).into();
            }
            Err(running) => running,
        };
        let scopes: SmallVec<[Arc<str>; 2]> = charges.scopes().collect();
        let (this, picks) = (self.clone(), self.kept(picks));
        let verdict: Deciding = Box::pin(async move {
            let answer = running.await.map(|decision| decision.of_scopes(scopes));
            this.judged_of(answer, picks, cost)
        });
        verdict.into()
    }

    fn judged(&self, answer: Answer, picks: &[Pick<'_>], cost: u64) -> Verdict {
        self.judged_of(answer, self.kept(picks), cost)
    }

    fn judged_of(&self, answer: Answer, picks: Charged, cost: u64) -> Verdict {
        match answer {
            Ok(decision) if decision.is_allowed() => Verdict::Passed(self.left(decision, cost, picks)),
            Ok(decision) => self.refused(Refusal::new(RefusalReason::Exceeded(decision)).of(picks)),
            Err(error) => self.refused(Refusal::new(RefusalReason::Undecided(error))),
        }
    }

    fn left(&self, decision: Decision, cost: u64, picks: Charged) -> Option<Box<Left>> {
        let it = &*self.0;
        let tells = it.headers.are_on_allowed();
        if !it.keeps_decision() {
            return tells.then(|| Box::new(Left::to_tell(self.told(&decision, &picks))));
        }
        let telling = if tells { self.told(&decision, &picks) } else { Telling::NOTHING };
        let pass = Box::new(Pass::new(decision, cost, picks, it.give_back.clone()));
        Some(Box::new(Left { telling, pass: Some(pass) }))
    }

    /// A refusal, unless it is only to be seen what would be refused.
    fn refused(&self, refusal: Box<Refusal>) -> Verdict {
        if let RefusalReason::Undecided(error) = refusal.reason() {
            log(error);
        }
        if self.0.is_shadow {
            measured::shadowed();
            self.0.shadowed.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(target: "limitra", status = %refusal.status(), "a request would have been refused");
            // A handler that wants the decision is not left without one.
            let pass = || Some(Box::new(Pass::uncharged(*refusal)));
            let left = || Box::new(Left { telling: Telling::NOTHING, pass: pass() });
            return Verdict::Passed(self.0.shares_decision.then(left));
        }
        Verdict::Refused(refusal)
    }

    /// The picks, borrowing nothing: none where all limits apply, whose names are at hand, and nothing is given back.
    fn kept(&self, picks: &[Pick<'_>]) -> Charged {
        if self.0.give_back.is_none() && self.0.names.is_some() && picks.len() == self.0.limits.len() {
            return Charged::new();
        }
        let owned = |pick: &Pick<'_>| {
            let parts = if self.0.give_back.is_some() { owned(&pick.parts) } else { Parts::new() };
            (pick.limiter.clone().into_limiter(), parts)
        };
        picks.iter().map(owned).collect()
    }
}

impl Inner {
    /// Whether an allowed request's decision is looked at later.
    fn keeps_decision(&self) -> bool {
        self.shares_decision || self.give_back.is_some()
    }
}

impl<'a> Pick<'a> {
    const fn new(limiter: Chosen<'a>, parts: Parts<'a>) -> Self {
        Self { limiter, parts }
    }

    fn charge(&self, cost: u64) -> Charge<'_> {
        Charge::of_parts(&self.limiter, self.parts.iter().map(Identifier::from)).cost(cost)
    }
}

/// Who is calling; nobody is asked for a limiter that is off.
fn extract<'a>(limiter: &RateLimiter, key: &'a Key, request: &Request<'a>) -> Extracted<'a> {
    if limiter.is_enabled() {
        key.extract(request)
    } else {
        Extracted::Now(Ok(smallvec![Identifier::from(())]))
    }
}

/// The same parts, borrowing nothing.
pub(crate) fn owned(parts: &Parts<'_>) -> Parts<'static> {
    parts.iter().cloned().map(Identifier::into_owned).collect()
}
