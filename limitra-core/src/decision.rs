//! The answer of a limiter.

use std::cmp::Reverse;
use std::fmt;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use crate::algorithm::Algorithm;
use crate::attempt::{Outcome, Subject};
use crate::exceeded::RateLimitExceeded;
use crate::limit::Limit;
use crate::rule::Rule;
use crate::rule_decision::RuleDecision;
use crate::scope::ShortScope;
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
pub struct Decision {
    kind: Kind,
    /// Nothing was charged, whatever it says.
    is_test: bool,
    /// The only one. Else only whether it allows the hit has a meaning: that of all of them.
    rule: RuleDecision,
    /// That of the only rule, where it was refused and is short.
    scope: ShortScope,
    more: Shared,
}

/// What is not kept in place, if there is any.
#[derive(Clone, Debug, Default)]
struct Shared(Option<Arc<More>>);

impl Drop for Shared {
    /// Nothing to do nearly always: said so that the compiler needs no address of a decision to drop it.
    #[inline]
    fn drop(&mut self) {
        if let Some(more) = self.0.take() {
            let_go(more);
        }
    }
}

#[cold]
#[inline(never)]
fn let_go(more: Arc<More>) {
    drop(more);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// No limit applied.
    Unlimited,
    /// Let through because an outage policy says so.
    Degraded,
    /// One rule: nearly always.
    One,
    Several,
    /// The same two, decided by an outage policy.
    OneDegraded,
    SeveralDegraded,
}

/// What is not kept in place: several rules, or the long scope of one.
#[derive(Clone, Debug, Default)]
struct More {
    rules: Vec<RuleDecision>,
    /// The scopes of the subjects, where it was refused.
    scopes: Vec<Arc<str>>,
}

/// The scope that the refusals of a limiter tell of: ready, so that telling it costs little.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    short: ShortScope,
    long: Shared,
}

impl Scope {
    /// Where somebody else tells it.
    pub(crate) const NONE: Self = Self { short: ShortScope::NONE, long: Shared(None) };

    pub(crate) fn of(text: &Arc<str>) -> Self {
        let more = || More { rules: Vec::new(), scopes: vec![Arc::clone(text)] };
        match ShortScope::of(text) {
            Some(short) => Self { short, long: Shared(None) },
            None => Self { short: ShortScope::NONE, long: Shared(Some(Arc::new(more()))) },
        }
    }
}

impl Decision {
    /// No limit applied.
    pub(crate) const fn unlimited() -> Self {
        Self {
            kind: Kind::Unlimited,
            is_test: false,
            rule: RuleDecision::NONE,
            scope: ShortScope::NONE,
            more: Shared(None),
        }
    }

    /// Let through because an outage policy says so.
    pub(crate) const fn degraded() -> Self {
        let mut decision = Self::unlimited();
        decision.kind = Kind::Degraded;
        decision
    }

    /// Refused for this long because an outage policy says so: by a limit of nothing.
    pub(crate) fn closed_for(retry_after: Micros) -> Self {
        let rule = Rule::of(Algorithm::FixedWindow, Limit::nothing_for(retry_after));
        let state = State { until: retry_after, ..State::default() };
        let rule = RuleDecision::new(&rule, state, Micros::ZERO, 1, false);
        Self { kind: Kind::OneDegraded, rule, ..Self::unlimited() }
    }

    /// What one rule came to, and the scope of its subject, which only a refusal tells.
    #[inline]
    pub(crate) fn of_one(rule: RuleDecision, scope: &Scope) -> Self {
        let is_allowed = rule.is_allowed();
        let short = if is_allowed { ShortScope::NONE } else { scope.short };
        let more = if is_allowed { Shared(None) } else { scope.long.clone() };
        Self { kind: Kind::One, is_test: false, rule, scope: short, more }
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
        Self::of(rules)
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
        let decided = |rule: &Rule| outcome.local_share.map_or(*rule, |replicas| rule.share(replicas));
        let rules = asked.zip(&outcome.rules).map(|((place, rule, cost), found)| {
            RuleDecision::new(&decided(rule), found.state, outcome.now, cost, found.allowed).of_subject(place)
        });
        let decision = Self::of(rules);
        Some(if outcome.local_share.is_some() { decision.by_policy() } else { decision })
    }

    /// The same, decided by an outage policy.
    fn by_policy(mut self) -> Self {
        self.kind = match self.kind {
            Kind::One => Kind::OneDegraded,
            Kind::Several => Kind::SeveralDegraded,
            kind => kind,
        };
        self
    }

    /// The same of a test, which has charged nothing.
    pub(crate) fn of_test(self) -> Self {
        Self { is_test: true, ..self }
    }

    /// Whether a storage was charged by it: an allowed hit that was limited.
    pub(crate) const fn has_charged(&self) -> bool {
        self.is_allowed() && !self.is_test && matches!(self.kind, Kind::One | Kind::Several)
    }

    fn of(mut rules: impl Iterator<Item = RuleDecision>) -> Self {
        let (Some(rule), second) = (rules.next(), rules.next()) else {
            return Self::unlimited();
        };
        let one = Self { kind: Kind::One, rule, ..Self::unlimited() };
        if second.is_none() {
            return one;
        }
        let rules: Vec<RuleDecision> = [rule].into_iter().chain(second).chain(rules).collect();
        let rule = rule.and(rules.iter().all(RuleDecision::is_allowed));
        let more = Shared(Some(Arc::new(More { rules, scopes: Vec::new() })));
        Self { kind: Kind::Several, rule, more, ..one }
    }

    /// The same, knowing the scopes of its subjects: only a refusal tells them.
    pub(crate) fn of_scopes(mut self, scopes: impl IntoIterator<Item = Arc<str>>) -> Self {
        if self.is_allowed() {
            return self;
        }
        if let Some(more) = &mut self.more.0 {
            Arc::make_mut(more).scopes = scopes.into_iter().collect();
        } else if let Some(scope) = scopes.into_iter().nth(self.rule.subject()) {
            let Self { kind, is_test, .. } = self;
            return Self { kind, is_test, ..Self::of_one(self.rule, &Scope::of(&scope)) };
        }
        self
    }

    /// Whether the hit was allowed (or, for a test, would be).
    #[inline]
    pub const fn is_allowed(&self) -> bool {
        self.rule.is_allowed()
    }

    /// Whether an outage policy made it, because the storage could not: let through, refused, or decided by a
    /// local share of the limits, whose figures it then has. See [`OnOutage`](crate::OnOutage).
    pub const fn is_degraded(&self) -> bool {
        matches!(self.kind, Kind::Degraded | Kind::OneDegraded | Kind::SeveralDegraded)
    }

    /// The limit that binds: on a refusal the one with the longest wait, else the one with the
    /// least remaining, of several such the one that has more last. `None` if no limit applied.
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
        match (self.kind, &self.more.0) {
            (Kind::One | Kind::OneDegraded, _) => slice::from_ref(&self.rule),
            (Kind::Several | Kind::SeveralDegraded, Some(more)) => &more.rules,
            _ => &[],
        }
    }

    /// The rule that binds; see [`Decision::limit`].
    pub fn binding(&self) -> Option<&RuleDecision> {
        if self.is_allowed() {
            self.rules().iter().min_by_key(|rule| {
                let (left, frees_after) = rule.left();
                (left, Reverse(frees_after))
            })
        } else {
            // The first of the longest, so that the order of the limits settles ties.
            self.rules().iter().rev().max_by_key(|rule| rule.retry_after())
        }
    }

    /// The error that says so, if it was refused. Costs an allocation, for the scope.
    #[inline]
    pub fn exceeded(&self) -> Option<RateLimitExceeded> {
        if self.is_allowed() { None } else { self.refusal() }
    }

    #[cold]
    fn refusal(&self) -> Option<RateLimitExceeded> {
        let rule = self.binding()?;
        let scope = match (&self.more.0, self.kind) {
            (Some(more), Kind::One | Kind::OneDegraded) => more.scopes.first().map(ToString::to_string),
            (Some(more), _) => more.scopes.get(rule.subject()).map(ToString::to_string),
            (None, _) => Some(self.scope.text()),
        };
        let exceeded = RateLimitExceeded::by(rule).degraded(self.is_degraded());
        Some(exceeded.in_function(scope.unwrap_or_default(), ""))
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
