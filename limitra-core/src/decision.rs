//! The answer of a limiter.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use crate::attempt::{Outcome, Subject};
use crate::exceeded::RateLimitExceeded;
use crate::limit::Limit;
use crate::rule::Rule;
use crate::state::State;
use crate::status::Status;
use crate::time::Micros;

/// The answer to a hit or a test: allowed or not, and what that leaves.
///
/// The figures are worked out when they are asked for, from the state that the decision left; no
/// second look at the storage is taken.
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
#[derive(Clone, Debug)]
pub struct Decision {
    allowed: bool,
    degraded: bool,
    rules: SmallVec<[RuleDecision; 1]>,
    /// The scopes of the subjects, where it was refused.
    scopes: SmallVec<[Arc<str>; 1]>,
}

/// What one rule of a [`Decision`] says.
#[derive(Clone, Debug)]
pub struct RuleDecision {
    rule: Rule,
    state: State,
    now: Micros,
    cost: u64,
    subject: usize,
    allowed: bool,
}

impl Decision {
    /// No limit applied.
    pub(crate) fn unlimited() -> Self {
        Self { allowed: true, degraded: false, rules: SmallVec::new(), scopes: SmallVec::new() }
    }

    /// Let through because an outage policy says so.
    pub(crate) fn degraded() -> Self {
        Self { degraded: true, ..Self::unlimited() }
    }

    /// Refused without asking: one of the limits holds nothing at all.
    pub(crate) fn closed(subjects: &[Subject<'_>], now: Micros) -> Self {
        let mut rules = SmallVec::new();
        for (index, subject) in subjects.iter().enumerate() {
            for rule in subject.rules.iter().filter(|rule| rule.amount() == 0) {
                rules.push(RuleDecision {
                    rule: *rule,
                    state: State::default(),
                    now,
                    cost: subject.cost,
                    subject: index,
                    allowed: false,
                });
            }
        }
        Self { allowed: false, rules, ..Self::unlimited() }
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
            .flat_map(|(subject, &index)| subject.rules.iter().map(move |rule| (index, *rule, subject.cost)));
        let rules = asked.zip(&outcome.rules).map(|((subject, rule, cost), found)| RuleDecision {
            rule,
            state: found.state,
            now: outcome.now,
            cost,
            subject,
            allowed: found.allowed,
        });
        Some(Self { allowed: outcome.is_allowed(), rules: rules.collect(), ..Self::unlimited() })
    }

    /// The same, knowing the scopes of its subjects: only a refusal tells them.
    pub(crate) fn of_scopes(mut self, scopes: impl IntoIterator<Item = Arc<str>>) -> Self {
        if !self.allowed {
            self.scopes = scopes.into_iter().collect();
        }
        self
    }

    /// Whether the hit was allowed (or, for a test, would be).
    pub const fn is_allowed(&self) -> bool {
        self.allowed
    }

    /// Whether it was let through by an outage policy, without knowing any count.
    pub const fn is_degraded(&self) -> bool {
        self.degraded
    }

    /// The limit that binds: on a refusal the one with the longest wait, else the one with the
    /// least remaining. `None` if no limit applied.
    pub fn limit(&self) -> Option<Limit> {
        self.binding().map(RuleDecision::limit)
    }

    /// What is left of the limits, the least of them; [`u64::MAX`] if no limit applied.
    pub fn remaining(&self) -> u64 {
        self.rules.iter().map(RuleDecision::remaining).min().unwrap_or(u64::MAX)
    }

    /// How long until the same cost is allowed if nobody else asks: exact to the microsecond of
    /// the storage's clock, the longest of all rules, never zero on a refusal. Zero if allowed.
    pub fn retry_after(&self) -> Duration {
        self.rules.iter().map(RuleDecision::retry_after).max().unwrap_or_default()
    }

    /// How long until every limit is whole again if nobody asks: the longest of all rules.
    pub fn reset_after(&self) -> Duration {
        self.rules.iter().map(RuleDecision::reset_after).max().unwrap_or_default()
    }

    /// The same for each rule, in the order of the subjects and their limits.
    pub fn rules(&self) -> &[RuleDecision] {
        &self.rules
    }

    /// The rule that binds; see [`Decision::limit`].
    pub fn binding(&self) -> Option<&RuleDecision> {
        if self.allowed {
            self.rules.iter().min_by_key(|rule| rule.remaining())
        } else {
            // The first of the longest, so that the order of the limits settles ties.
            self.rules.iter().rev().max_by_key(|rule| rule.retry_after())
        }
    }

    /// The error that says so, if it was refused.
    pub fn exceeded(&self) -> Option<RateLimitExceeded> {
        if self.allowed {
            return None;
        }
        let rule = self.binding()?;
        let exceeded = RateLimitExceeded::new(rule.limit(), self.retry_after());
        let scope = self.scopes.get(rule.subject()).map_or("", |scope| scope);
        Some(exceeded.in_function(scope, ""))
    }
}

impl RuleDecision {
    /// The rule.
    pub const fn rule(&self) -> Rule {
        self.rule
    }

    /// The limit.
    pub const fn limit(&self) -> Limit {
        self.rule.limit()
    }

    /// Which of the subjects it belongs to, counted from 0.
    pub const fn subject(&self) -> usize {
        self.subject
    }

    /// Whether this rule alone allows it.
    pub const fn is_allowed(&self) -> bool {
        self.allowed
    }

    /// Whole units left.
    pub fn remaining(&self) -> u64 {
        self.rule.algorithm().remaining(&self.rule.limit(), &self.state, self.now)
    }

    /// How long until this rule allows the same cost; zero if it does.
    pub fn retry_after(&self) -> Duration {
        if self.allowed {
            return Duration::ZERO;
        }
        let limit = self.rule.limit();
        if limit.amount() == 0 {
            return limit.window();
        }
        let allowed_at = self.rule.algorithm().allowed_at(&limit, &self.state, self.now, self.cost);
        allowed_at.minus(self.now).max(Micros::new(1)).to_duration()
    }

    /// How long until the whole limit is there again.
    pub fn reset_after(&self) -> Duration {
        let reset_at = self.rule.algorithm().reset_at(&self.rule.limit(), &self.state, self.now);
        reset_at.minus(self.now).to_duration()
    }

    /// The first instant at which more remains; that of a test, which has charged nothing.
    pub(crate) fn frees_at(&self) -> Micros {
        self.rule.algorithm().frees_at(&self.rule.limit(), &self.state, self.now)
    }

    /// What the algorithm's own words for this are.
    pub fn status(&self) -> Status {
        Status::new(&self.rule, &self.state, self.now)
    }
}
