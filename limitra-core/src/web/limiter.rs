//! What stands in front of a web service.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::header::HeaderMap;
use smallvec::{SmallVec, smallvec};

use super::asked::{Asked, Deciding, Verdict};
use super::builder::HttpLimiterBuilder;
use super::errors::log;
use super::exemptions::Exemptions;
use super::headers::{Headers, Names};
use super::key::{Extracted, Found, Parts};
use super::limit::{Chosen, HttpLimit};
use super::only::{Only, Remainder};
use super::pass::{Charged, Judge, Left, Pass};
use super::refusal::{Refusal, RefusalReason};
use super::request::Request;
use super::telling::Telling;
use crate::attempt::Mode;
use crate::charge::{Charge, Charges};
use crate::decide::{Answer, Running};
use crate::decision::Decision;
use crate::identifier::Identifier;
use crate::limiter::RateLimiter;
use crate::measured;

/// Limits in front of a web service: who is counted by what, what a request costs, and what a refused one is told.
///
/// Built once and shared: all clones, and all layers made of it, count together. For tower (axum, tonic, hyper) it makes a
/// layer, for actix-web it makes a middleware. All its limits are decided at once, all or nothing.
///
/// ```
/// use limitra_core::RateLimiter;
/// use limitra_core::web::{HttpLimiter, key};
///
/// let per_tenant = RateLimiter::builder().notation("100/second; 5000/hour").scope("tenant").build()?;
/// let limiter = HttpLimiter::builder()
///     .limit(&per_tenant, key::header("x-tenant")?)
///     .exempt_path("/health")
///     .build()?;
/// assert_eq!(limiter.unidentified(), 0);
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
///
/// What it costs: on memory a decision and the key, without an allocation where neither headers nor the decision are wanted; on
/// any other storage one round trip and a few allocations.
#[derive(Clone)]
pub struct HttpLimiter(pub(crate) Arc<Inner>);

/// How a request's cost is told.
pub(crate) type Cost = Arc<dyn Fn(&Request<'_>) -> u64 + Send + Sync>;
/// How a refused request is answered.
pub(crate) type OnRefused = Arc<dyn Fn(&Refusal, &Request<'_>) -> http::Response<String> + Send + Sync>;

pub(crate) struct Inner {
    pub(crate) limits: Vec<HttpLimit>,
    pub(crate) cost: Option<Cost>,
    pub(crate) exemptions: Exemptions,
    pub(crate) give_back: Option<Judge>,
    pub(crate) on_missing: OnMissing,
    pub(crate) on_refused: Option<OnRefused>,
    pub(crate) headers: Headers,
    /// What the limits are called where all of them apply.
    pub(crate) names: Option<Names>,
    /// The same where there is only one.
    pub(crate) only: Option<Only>,
    pub(crate) is_shadow: bool,
    pub(crate) shares_decision: bool,
    #[cfg(feature = "deadline")]
    pub(crate) key_deadline: std::time::Duration,
    pub(crate) unidentified: AtomicU64,
    pub(crate) shadowed: AtomicU64,
}

/// What becomes of a request that does not say who is calling, or whose key could not be found out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnMissing {
    /// It is refused: 403.
    #[default]
    Refuse,
    /// The limit does not apply to it.
    Allow,
    /// All such requests share one counter of that limit.
    Share,
}

/// A limit that applies to a request: by which limiter, and for whom.
struct Pick<'a> {
    limiter: Chosen<'a>,
    parts: Parts<'a>,
}

type Picks<'a> = SmallVec<[Pick<'a>; 2]>;

impl HttpLimiter {
    /// Starts its settings; see [`HttpLimiterBuilder`] for the defaults.
    pub fn builder() -> HttpLimiterBuilder {
        HttpLimiterBuilder::default()
    }

    /// How many requests did not say who is calling so far, or could not be told apart: see [`OnMissing`]. Where this grows
    /// with every request, connect info is missing, or a proxy does not send its header.
    pub fn unidentified(&self) -> u64 {
        self.0.unidentified.load(Ordering::Relaxed)
    }

    /// How many requests would have been refused so far, but for [`HttpLimiterBuilder::shadow`].
    pub fn shadowed(&self) -> u64 {
        self.0.shadowed.load(Ordering::Relaxed)
    }

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
            return self.ask_picked(smallvec![(Chosen::Fixed(limiter), key.extract(request))], cost);
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
        let extracted =
            |limit| HttpLimit::choose(limit, request).map(|(limiter, key)| (limiter, key.extract(request)));
        self.ask_picked(self.0.limits.iter().filter_map(extracted).collect(), cost)
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

    /// What is told of what is left of the only limit.
    #[inline]
    pub(crate) fn told_of_only(&self, remainder: Remainder) -> Telling {
        let only = self.0.only.as_ref();
        only.map_or(Telling::NOTHING, |only| self.0.headers.told_of_only(only, remainder))
    }

    /// What is told of a decision of these.
    fn told(&self, decision: &Decision, charged: &Charged) -> Telling {
        if let (Some(only), [rule]) = (&self.0.only, decision.rules())
            && rule.limit() == only.limit
        {
            return self.0.headers.told_of_only(only, Remainder::of(rule));
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

/// The same parts, borrowing nothing.
pub(crate) fn owned(parts: &Parts<'_>) -> Parts<'static> {
    parts.iter().cloned().map(Identifier::into_owned).collect()
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

impl fmt::Debug for HttpLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpLimiter")
            .field("limits", &self.0.limits)
            .field("exemptions", &self.0.exemptions)
            .field("on_missing", &self.0.on_missing)
            .field("headers", &self.0.headers)
            .field("shadow", &self.0.is_shadow)
            .finish_non_exhaustive()
    }
}
