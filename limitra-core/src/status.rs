//! What a limiter knows of an identifier, in its algorithm's own words.

use crate::algorithm::Algorithm;
use crate::decision::Decision;
use crate::limit::Limit;
use crate::rule_decision::RuleDecision;
use crate::state::State;
use crate::time::Micros;

/// What stands against one identifier, in its algorithm's own words.
///
/// Utilizations are fractions from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Status {
    /// The five window algorithms.
    Window {
        /// Units used in the window (for `sliding_window` the weighted count, rounded down).
        count: u64,
        /// The limit's amount.
        capacity: u64,
        /// Units left.
        available: u64,
        /// The part of the capacity that is used.
        utilization: f64,
    },
    /// `token_bucket`.
    TokenBucket {
        /// Tokens in the bucket, fractions included.
        tokens_remaining: f64,
        /// How many it holds.
        capacity: u64,
        /// The part of the capacity that is used.
        utilization: f64,
    },
    /// `leaky_bucket`.
    LeakyBucket {
        /// Water in the bucket, fractions included.
        water_level: f64,
        /// How much it holds.
        capacity: u64,
        /// Whole units that still fit.
        available: u64,
        /// The part of the capacity that is used.
        utilization: f64,
    },
    /// `gcra`.
    Gcra {
        /// How far the theoretical arrival time lies ahead.
        ahead: std::time::Duration,
        /// The burst.
        capacity: u64,
        /// Whole units that would be allowed now.
        available: u64,
        /// The part of the burst that is used.
        utilization: f64,
    },
}

/// What stands against one identifier, alike for all algorithms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Units used: `limit - remaining`.
    pub count: u64,
    /// The most that can be used at once: the amount, or a bucket's burst.
    pub limit: u64,
    /// Whole units left.
    pub remaining: u64,
    /// Whether the next request would be refused.
    pub limited: bool,
}

impl Usage {
    pub(crate) fn of(decision: &Decision) -> Self {
        let limit = decision.limit().map_or(u64::MAX, |limit| limit.capacity());
        let remaining = decision.binding().map_or(u64::MAX, RuleDecision::remaining);
        Self { count: limit.saturating_sub(remaining), limit, remaining, limited: !decision.is_allowed() }
    }
}

impl Status {
    pub(crate) fn new(algorithm: Algorithm, limit: &Limit, state: &State, now: Micros) -> Self {
        let capacity = limit.capacity();
        let available = algorithm.remaining(limit, state, now);
        if !algorithm.is_bucket() {
            let count = capacity.saturating_sub(available);
            return Self::Window { count, capacity, available, utilization: part(count, capacity) };
        }
        let level = level(limit, state, now).min(float(capacity));
        let utilization = level / float(capacity.max(1));
        match algorithm {
            Algorithm::TokenBucket => {
                Self::TokenBucket { tokens_remaining: float(capacity) - level, capacity, utilization }
            }
            Algorithm::LeakyBucket => {
                Self::LeakyBucket { water_level: level, capacity, available, utilization }
            }
            _ => {
                let ahead = state.until.minus(now).to_duration();
                Self::Gcra { ahead, capacity, available, utilization }
            }
        }
    }
}

/// Units in use, for display: decisions never touch a float.
fn level(limit: &Limit, state: &State, now: Micros) -> f64 {
    let now = now.max(Micros::new(state.c));
    let ahead = float(state.until.minus(now).get());
    let fraction = if state.until >= now { part(state.a, state.b) } else { 0.0 };
    (ahead + fraction) * float(state.b) / float(limit.window_micros().get().max(1))
}

fn part(one: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { float(one) / float(whole) }
}

#[allow(clippy::cast_precision_loss)] // Every number here is below 2^53, which a double holds exactly.
fn float(number: u64) -> f64 {
    number as f64
}
