//! What a limiter was built from.

use std::fmt;

use crate::algorithm::Algorithm;
use crate::limit::Limit;
use crate::outage::OnOutage;

/// What a [`RateLimiter`](crate::RateLimiter) was built from.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct LimiterConfig {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The limits, in their order.
    pub limits: Vec<Limit>,
    /// The most units that can be spent at once, of the first limit.
    pub capacity: u64,
    /// Units per second for the buckets, windows per second for the others, of the first limit.
    pub fill_rate: f64,
    /// The label in the key.
    pub scope: String,
    /// The storage's name.
    pub backend: &'static str,
    /// The project in the key.
    pub project: Option<String>,
    /// The prefix in the key.
    pub prefix: Option<String>,
    /// The suffix in the key.
    pub suffix: Option<String>,
    /// Whether an outage lets requests through: whether `on_outage` is [`OnOutage::FailOpen`].
    pub fail_open: bool,
    /// What is answered while the storage cannot decide.
    pub on_outage: OnOutage,
}

impl fmt::Debug for LimiterConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimiterConfig")
            .field("algorithm", &self.algorithm)
            .field("limits", &self.limits)
            .field("scope", &self.scope)
            .field("backend", &self.backend)
            .field("project", &self.project)
            .field("prefix", &self.prefix)
            .field("suffix", &self.suffix)
            .field("on_outage", &self.on_outage)
            .finish_non_exhaustive()
    }
}
