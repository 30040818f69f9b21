//! What stands in front of a web service.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::exemptions::Exemptions;
use super::headers::{Headers, Names};
use super::limit::HttpLimit;
use super::only::Only;
use super::pass::Judge;
use super::refusal::Refusal;
use super::request::Request;

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

impl HttpLimiter {
    /// How many requests did not say who is calling so far, or could not be told apart: see [`OnMissing`]. Where this grows
    /// with every request, connect info is missing, or a proxy does not send its header.
    pub fn unidentified(&self) -> u64 {
        self.0.unidentified.load(Ordering::Relaxed)
    }

    /// How many requests would have been refused so far, but for [`shadow`](crate::web::HttpLimiterBuilder::shadow).
    pub fn shadowed(&self) -> u64 {
        self.0.shadowed.load(Ordering::Relaxed)
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
