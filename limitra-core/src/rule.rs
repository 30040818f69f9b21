//! A limit and the algorithm that holds it.

use std::fmt;
use std::num::NonZeroU32;

use smallvec::SmallVec;

use crate::algorithm::Algorithm;
use crate::error::ConfigurationError;
use crate::limit::Limit;
use crate::quotient;
use crate::time::Micros;

/// The most rules that one record holds.
const MOST_RULES: usize = 32;

/// A [`Limit`] and the [`Algorithm`] that holds it.
///
/// What a bucket's arithmetic needs and does not depend on its state is worked out here, once.
///
/// ```
/// use limitra_core::{Algorithm, Limit, Rule};
/// use std::time::Duration;
///
/// let rule = Rule::new(Algorithm::Gcra, Limit::new(10, Duration::from_secs(60))?)?;
/// assert_eq!(rule.to_string(), "gcra: 10 requests per 60s");
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rule {
    algorithm: Algorithm,
    limit: Limit,
    /// Emission interval and depth, for the buckets; zero for the others.
    emission: Span,
    depth: Span,
}

/// The rules of these limits; no two may share a counter.
pub(crate) fn rules_of(
    algorithm: Algorithm,
    limits: &[Limit],
) -> Result<SmallVec<[Rule; 1]>, ConfigurationError> {
    if limits.len() > MOST_RULES {
        return Err(ConfigurationError::TooManyRules { count: limits.len(), most: MOST_RULES });
    }
    let mut rules: SmallVec<[Rule; 1]> = SmallVec::new();
    for limit in limits {
        let rule = Rule::new(algorithm, *limit)?;
        // Unlimited rules count nothing, so they share nothing.
        if !limit.is_unlimited() && rules.iter().any(|other| other.has_tag_of(&rule)) {
            return Err(ConfigurationError::DuplicateRule { algorithm, window: limit.window() });
        }
        rules.push(rule);
    }
    Ok(rules)
}

/// A length of time as whole microseconds and a fraction in units of `1 / amount` microseconds.
///
/// With the amount as the denominator, the emission interval `window / amount` is exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Whole microseconds.
    pub micros: u64,
    /// The fraction's numerator, below the amount.
    pub fraction: u64,
}

impl Rule {
    /// `limit`, held by `algorithm`.
    ///
    /// # Errors
    /// [`ConfigurationError`] if the limit has a burst and the algorithm is no bucket.
    pub fn new(algorithm: Algorithm, limit: Limit) -> Result<Self, ConfigurationError> {
        if let Some(burst) = limit.burst()
            && !algorithm.is_bucket()
        {
            return Err(ConfigurationError::BurstWithoutBucket { burst, algorithm });
        }
        Ok(Self::of(algorithm, limit))
    }

    /// The same of a limit that is known to go with the algorithm.
    pub(crate) fn of(algorithm: Algorithm, limit: Limit) -> Self {
        let mut rule = Self { algorithm, limit, emission: Span::default(), depth: Span::default() };
        if algorithm.is_bucket() && !limit.is_unlimited() {
            rule.emission = rule.span_of(1);
            rule.depth = rule.span_of(limit.capacity());
        }
        rule
    }

    /// The algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The limit.
    pub const fn limit(&self) -> Limit {
        self.limit
    }

    /// The limit's window.
    pub const fn window(&self) -> Micros {
        self.limit.window_micros()
    }

    /// The limit's amount.
    pub const fn amount(&self) -> u64 {
        self.limit.amount()
    }

    /// For the buckets: how long a full bucket takes to drain.
    pub const fn depth(&self) -> Span {
        self.depth
    }

    /// For the buckets: how far a hit of `cost` moves the theoretical arrival time, `cost * window / amount`.
    pub fn increment(&self, cost: u64) -> Span {
        if cost == 1 { self.emission } else { self.span_of(cost) }
    }

    /// The part of one of so many replicas.
    pub(crate) fn share(&self, replicas: NonZeroU32) -> Self {
        Self::of(self.algorithm, self.limit.share(replicas))
    }

    /// Two rules with one tag would share a counter: the algorithm and the window.
    pub(crate) fn has_tag_of(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && self.window() == other.window()
    }

    fn span_of(&self, units: u64) -> Span {
        if self.amount() == 0 {
            return Span::default();
        }
        // A cost is at most the capacity, whose span is at most 100 years: it always fits.
        let product = u128::from(units) * u128::from(self.window().get());
        let (micros, fraction) = quotient::with_rest(product, self.amount());
        Span { micros, fraction }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.algorithm, self.limit)
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rule({self})")
    }
}
