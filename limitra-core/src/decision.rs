//! The answer of a limiter.

use std::fmt;
use std::slice;
use std::time::Duration;

use crate::attempt::{Outcome, Subject};
use crate::exceeded::RateLimitExceeded;
use crate::limit::Limit;
use crate::rule::Rule;
use crate::rule_decision::RuleDecision;
use crate::scope::Scope;
use crate::state::State;
use crate::time::Micros;

/// The answer to a hit or a test: allowed or not, and what that leaves.
///
/// The figures are worked out when they are asked for, from the state that the decision left; no
/// second look at the storage is taken. That of one rule is kept in place, in about a hundred bytes; those of several
/// cost an allocation.
///
/// ```
/// use limitra_core::{Algorithm, RateLimiter};
///
/// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// let limiter = RateLimiter::builder().algorithm("gcra").requests(5).window(60).build()?;
/// # let decided = std::pin::pin!(limiter.check("ada"));
/// # let std::task::Poll::Ready(decision) = std::future::Future::poll(decided, &mut context) else { panic!() };
/// # let decision = decision.unwrap();
/// // let decision = limiter.check("ada").await?;
/// assert!(decision.is_allowed());
/// assert_eq!(decision.remaining(), 4);
/// assert!(decision.retry_after().is_zero());
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone)]
pub struct Decision(Form);

#[derive(Clone)]
enum Form {
    /// No limit applied.
    Unlimited,
    /// Let through because an outage policy says so.
    Degraded,
    /// One rule, and the scope of its subject where it was refused.
    One(RuleDecision, Scope),
    Several(Box<Several>),
}

#[derive(Clone)]
struct Several {
    allowed: bool,
    rules: Vec<RuleDecision>,
    /// The scopes of the subjects, where it was refused.
    scopes: Vec<Scope>,
}

impl Decision {
    /// No limit applied.
    pub(crate) const fn unlimited() -> Self {
        Self(Form::Unlimited)
    }

    /// Let through because an outage policy says so.
    pub(crate) const fn degraded() -> Self {
        Self(Form::Degraded)
    }

    /// What one rule of one subject came to.
    #[inline]
    pub(crate) const fn single(rule: &Rule, state: State, now: Micros, cost: u64, allowed: bool) -> Self {
        Self(Form::One(RuleDecision::new(rule, state, now, cost, allowed), Scope::Unsaid))
    }

    /// Refused without asking: one of the limits holds nothing at all.
    pub(crate) fn closed(subjects: &[Subject<'_>], now: Micros) -> Self {
        let pairs = subjects.iter().enumerate().flat_map(|(place, subject)| {
            subject
                .rules
                .iter()
                .filter(|rule| rule.amount() == 0)
                .map(move |rule| (place, subject.cost, rule))
        });
        let state = State::default();
        let rules = pairs
            .map(|(place, cost, rule)| RuleDecision::new(rule, state, now, cost, false).of_subject(place));
        Self::of(rules, false)
    }

    /// What a storage found; `None` if it has not answered for every rule.
    pub(crate) fn new(subjects: &[Subject<'_>], places: &[usize], outcome: &Outcome) -> Option<Self> {
        let count: usize = subjects.iter().map(|subject| subject.rules.len()).sum();
        if outcome.rules.len() != count {
            return None;
        }
        let asked = subjects
            .iter()
            .zip(places)
            .flat_map(|(subject, &place)| subject.rules.iter().map(move |rule| (place, rule, subject.cost)));
        let rules = asked.zip(&outcome.rules).map(|((place, rule, cost), found)| {
            RuleDecision::new(rule, found.state, outcome.now, cost, found.allowed).of_subject(place)
        });
        Some(Self::of(rules, outcome.is_allowed()))
    }

    fn of(mut rules: impl Iterator<Item = RuleDecision>, allowed: bool) -> Self {
        let (first, second) = (rules.next(), rules.next());
        match (first, second) {
            (None, _) => Self::unlimited(),
            (Some(rule), None) => Self(Form::One(rule, Scope::Unsaid)),
            (first, second) => {
                let rules = first.into_iter().chain(second).chain(rules).collect();
                Self(Form::Several(Box::new(Several { allowed, rules, scopes: Vec::new() })))
            }
        }
    }

    /// The same, knowing the scopes of its subjects: only a refusal tells them.
    #[inline]
    pub(crate) fn of_scopes(mut self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        match &mut self.0 {
            Form::One(rule, scope) if !rule.is_allowed() => {
                *scope = scopes.into_iter().nth(rule.subject()).unwrap_or_default();
            }
            Form::Several(several) if !several.allowed => several.scopes = scopes.into_iter().collect(),
            _ => {}
        }
        self
    }

    /// Whether the hit was allowed (or, for a test, would be).
    #[inline]
    pub const fn is_allowed(&self) -> bool {
        match &self.0 {
            Form::Unlimited | Form::Degraded => true,
            Form::One(rule, _) => rule.is_allowed(),
            Form::Several(several) => several.allowed,
        }
    }

    /// Whether it was let through by an outage policy, without knowing any count.
    pub const fn is_degraded(&self) -> bool {
        matches!(self.0, Form::Degraded)
    }

    /// The limit that binds: on a refusal the one with the longest wait, else the one with the
    /// least remaining. `None` if no limit applied.
    pub fn limit(&self) -> Option<Limit> {
        self.binding().map(RuleDecision::limit)
    }

    /// What is left of the limits, the least of them; [`u64::MAX`] if no limit applied.
    pub fn remaining(&self) -> u64 {
        self.rules().iter().map(RuleDecision::remaining).min().unwrap_or(u64::MAX)
    }

    /// How long until the same cost is allowed if nobody else asks: exact to the microsecond of
    /// the storage's clock, the longest of all rules, never zero on a refusal. Zero if allowed.
    pub fn retry_after(&self) -> Duration {
        self.rules().iter().map(RuleDecision::retry_after).max().unwrap_or_default()
    }

    /// How long until every limit is whole again if nobody asks: the longest of all rules.
    pub fn reset_after(&self) -> Duration {
        self.rules().iter().map(RuleDecision::reset_after).max().unwrap_or_default()
    }

    /// The same for each rule, in the order of the subjects and their limits.
    pub fn rules(&self) -> &[RuleDecision] {
        match &self.0 {
            Form::Unlimited | Form::Degraded => &[],
            Form::One(rule, _) => slice::from_ref(rule),
            Form::Several(several) => &several.rules,
        }
    }

    /// The rule that binds; see [`Decision::limit`].
    pub fn binding(&self) -> Option<&RuleDecision> {
        match &self.0 {
            Form::Unlimited | Form::Degraded => None,
            Form::One(rule, _) => Some(rule),
            Form::Several(several) if several.allowed => {
                several.rules.iter().min_by_key(|rule| rule.remaining())
            }
            // The first of the longest, so that the order of the limits settles ties.
            Form::Several(several) => several.rules.iter().rev().max_by_key(|rule| rule.retry_after()),
        }
    }

    /// The error that says so, if it was refused. Costs an allocation for the scope.
    pub fn exceeded(&self) -> Option<RateLimitExceeded> {
        if self.is_allowed() {
            return None;
        }
        let rule = self.binding()?;
        let scope = match &self.0 {
            Form::One(_, scope) => Some(scope),
            Form::Several(several) => several.scopes.get(rule.subject()),
            Form::Unlimited | Form::Degraded => None,
        };
        let exceeded = RateLimitExceeded::new(rule.limit(), self.retry_after());
        Some(exceeded.in_function(scope.map(Scope::text).unwrap_or_default(), ""))
    }
}

impl fmt::Debug for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decision")
            .field("allowed", &self.is_allowed())
            .field("degraded", &self.is_degraded())
            .field("rules", &self.rules())
            .finish_non_exhaustive()
    }
}
