//! What one rule of a decision says.

use std::time::Duration;

use crate::algorithm::Algorithm;
use crate::limit::Limit;
use crate::rule::Rule;
use crate::state::State;
use crate::status::Status;
use crate::time::Micros;

/// What one rule of a [`Decision`](crate::Decision) says.
///
/// ```
/// use limitra_core::RateLimiter;
///
/// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// let limiter = RateLimiter::builder().notation("5/minute; 100/day").build()?;
/// # let decided = std::pin::pin!(limiter.check("ada"));
/// # let std::task::Poll::Ready(decision) = std::future::Future::poll(decided, &mut context) else { panic!() };
/// # let decision = decision.unwrap();
/// // let decision = limiter.check("ada").await?;
/// let remaining: Vec<u64> = decision.rules().iter().map(|rule| rule.remaining()).collect();
/// assert_eq!(remaining, [4, 99]);
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RuleDecision {
    limit: Limit,
    state: State,
    now: Micros,
    cost: u64,
    subject: u32,
    algorithm: Algorithm,
    allowed: bool,
}

impl RuleDecision {
    /// Where there is no rule.
    pub(crate) const NONE: Self = Self {
        limit: Limit::UNLIMITED,
        state: State { until: Micros::ZERO, a: 0, b: 0, c: 0 },
        now: Micros::ZERO,
        cost: 0,
        subject: 0,
        algorithm: Algorithm::SlidingWindow,
        allowed: true,
    };

    /// What a rule of the first subject came to.
    #[inline]
    pub(crate) const fn new(rule: &Rule, state: State, now: Micros, cost: u64, allowed: bool) -> Self {
        Self { limit: rule.limit(), state, now, cost, subject: 0, algorithm: rule.algorithm(), allowed }
    }

    /// The same of another subject.
    pub(crate) fn of_subject(self, subject: usize) -> Self {
        Self { subject: u32::try_from(subject).unwrap_or(u32::MAX), ..self }
    }

    /// The same where all rules together allow the hit, or do not.
    pub(crate) const fn and(self, allowed: bool) -> Self {
        Self { allowed, ..self }
    }

    /// The rule.
    pub fn rule(&self) -> Rule {
        Rule::of(self.algorithm, self.limit)
    }

    /// The limit.
    pub const fn limit(&self) -> Limit {
        self.limit
    }

    /// Which of the subjects it belongs to, counted from 0.
    pub fn subject(&self) -> usize {
        usize::try_from(self.subject).unwrap_or(usize::MAX)
    }

    /// Whether this rule alone allows it.
    #[inline]
    pub const fn is_allowed(&self) -> bool {
        self.allowed
    }

    /// Whole units left.
    pub fn remaining(&self) -> u64 {
        self.algorithm.remaining(&self.limit, &self.state, self.now)
    }

    /// How long until this rule allows the same cost; zero if it does.
    pub fn retry_after(&self) -> Duration {
        self.wait().to_duration()
    }

    /// The same.
    pub(crate) fn wait(&self) -> Micros {
        if self.allowed {
            return Micros::ZERO;
        }
        if self.limit.amount() == 0 {
            return self.limit.window_micros();
        }
        let allowed_at = self.algorithm.allowed_at(&self.limit, &self.state, self.now, self.cost);
        allowed_at.minus(self.now).max(Micros::new(1))
    }

    /// How long until the whole limit is there again.
    pub fn reset_after(&self) -> Duration {
        let reset_at = self.algorithm.reset_at(&self.limit, &self.state, self.now);
        reset_at.minus(self.now).to_duration()
    }

    /// Whole units left, and how long until there are more; zero if all of them are.
    pub(crate) fn left(&self) -> (u64, Micros) {
        let (left, frees_at) = self.algorithm.left(&self.limit, &self.state, self.now);
        (left, frees_at.minus(self.now))
    }

    /// What it asked for.
    pub(crate) const fn cost(&self) -> u64 {
        self.cost
    }

    /// The state that it left.
    pub(crate) const fn state(&self) -> State {
        self.state
    }

    /// The first instant at which more remains than now.
    pub(crate) fn frees_at(&self) -> Micros {
        self.algorithm.left(&self.limit, &self.state, self.now).1
    }

    /// What the algorithm's own words for this are.
    pub fn status(&self) -> Status {
        Status::new(self.algorithm, &self.limit, &self.state, self.now)
    }
}
