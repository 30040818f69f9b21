//! The settings of what stands in front of a web service.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use http::Method;

use super::exemptions::Exemptions;
use super::headers::{Headers, Names};
use super::key::Key;
use super::limit::HttpLimit;
use super::limiter::{Cost, HttpLimiter, Inner, OnMissing, OnRefused};
use super::only::Only;
use super::pass::{Answered, Judge};
use super::refusal::Refusal;
use super::request::Request;
use crate::error::ConfigurationError;
use crate::limiter::RateLimiter;

/// The settings of an [`HttpLimiter`], chained and ended by [`HttpLimiterBuilder::build`].
///
/// | setting | default |
/// |---|---|
/// | `limit`, `limit_by_request` | at least one is needed |
/// | `cost` | 1 |
/// | `exempt`, `exempt_method`, `exempt_path`, `exempt_preflights` | nothing is exempt |
/// | `give_back_when` | nothing is given back |
/// | `on_missing` | refused: 403 |
/// | `key_deadline` | 1 second, for keys that are waited for |
/// | `headers` | `Retry-After`, `RateLimit` and `RateLimit-Policy`, on refusals only |
/// | `on_refused` | a line of text |
/// | `share_decision` | off |
/// | `shadow` | off |
///
/// What happens in an outage is the limiters' own business: [`RateLimiterBuilder::on_outage`](crate::RateLimiterBuilder::on_outage).
#[derive(Default)]
pub struct HttpLimiterBuilder {
    limits: Vec<HttpLimit>,
    cost: Option<Cost>,
    exemptions: Exemptions,
    give_back: Option<Judge>,
    on_missing: OnMissing,
    on_refused: Option<OnRefused>,
    headers: Headers,
    is_shadow: bool,
    shares_decision: bool,
    #[cfg(feature = "deadline")]
    key_deadline: Option<std::time::Duration>,
}

impl HttpLimiter {
    /// Starts its settings; see [`HttpLimiterBuilder`] for the defaults.
    pub fn builder() -> HttpLimiterBuilder {
        HttpLimiterBuilder::default()
    }
}

impl HttpLimiterBuilder {
    /// A limit: every caller, told apart by `key`, is under this limiter. With several limits all must allow a request, and all
    /// or none are charged; their limiters share a storage, and each has a scope (or project or prefix) of its own.
    pub fn limit(mut self, limiter: &RateLimiter, key: Key) -> Self {
        self.limits.push(HttpLimit::Fixed { limiter: limiter.clone(), key });
        self
    }

    /// A limit by a limiter that `choose` picks for each request, such as one for each plan; none if it says `None`. Build the
    /// limiters beforehand: they are clones here.
    pub fn limit_by_request(
        mut self,
        choose: impl Fn(&Request<'_>) -> Option<RateLimiter> + Send + Sync + 'static,
        key: Key,
    ) -> Self {
        self.limits.push(HttpLimit::ByRequest { choose: Arc::new(choose), key });
        self
    }

    /// What a request costs, of every limit; 0 is let through without being counted.
    pub fn cost(mut self, cost: impl Fn(&Request<'_>) -> u64 + Send + Sync + 'static) -> Self {
        self.cost = Some(Arc::new(cost));
        self
    }

    /// Requests for which this holds are neither counted nor refused.
    pub fn exempt(mut self, exempt: impl Fn(&Request<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.exemptions.own(exempt);
        self
    }

    /// Requests of this method are neither counted nor refused.
    pub fn exempt_method(mut self, method: Method) -> Self {
        self.exemptions.method(method);
        self
    }

    /// Requests of this path, from its first `/` and as clients send it, are neither counted nor refused. With `/*` at its end
    /// everything below it, but for paths with a part `.` or `..` (`..;x` as well) or a `%` in what is below, which a router may read otherwise.
    pub fn exempt_path(mut self, path: &str) -> Self {
        self.exemptions.path(path);
        self
    }

    /// What a browser asks before a request to another origin (`OPTIONS` with `Origin` and `Access-Control-Request-Method`) is neither
    /// counted nor refused. Needed only where no layer in front of this one answers them.
    pub fn exempt_preflights(mut self) -> Self {
        self.exemptions.preflights();
        self
    }

    /// Gives back what a request was charged where this holds of its answer: after right passwords, say. It is charged
    /// before it is handled, so requests side by side cannot all pass; the answer waits until it is given back. Where that fails,
    /// or the client leaves before, the charge stays.
    pub fn give_back_when(mut self, judge: impl Fn(&Answered) -> bool + Send + Sync + 'static) -> Self {
        self.give_back = Some(Arc::new(judge));
        self
    }

    /// What becomes of requests that do not say who is calling, and of those whose key function fails or is late.
    pub fn on_missing(mut self, policy: OnMissing) -> Self {
        self.on_missing = policy;
        self
    }

    /// How long a key that is waited for may take; what is late counts as missing. Default: 1 second. By tokio's timer.
    #[cfg(feature = "deadline")]
    #[cfg_attr(docsrs, doc(cfg(feature = "deadline")))]
    pub fn key_deadline(mut self, most: std::time::Duration) -> Self {
        self.key_deadline = Some(most);
        self
    }

    /// Which headers tell of the limits.
    pub fn headers(mut self, headers: Headers) -> Self {
        self.headers = headers;
        self
    }

    /// How a refused request is answered, in place of a line of text. The headers on limits are added to it. Not asked by
    /// gRPC's layer.
    pub fn on_refused(
        mut self,
        response: impl Fn(&Refusal, &Request<'_>) -> http::Response<String> + Send + Sync + 'static,
    ) -> Self {
        self.on_refused = Some(Arc::new(response));
        self
    }

    /// Puts the [`Decision`](crate::Decision) among the extensions of an allowed request, where a handler finds it (with axum and
    /// actix-web as an argument); in the [shadow](Self::shadow) that by which it would have been refused, too. Costs a few allocations.
    pub fn share_decision(mut self) -> Self {
        self.shares_decision = true;
        self
    }

    /// Counts and decides, but refuses nobody: for trying limits out. See [`HttpLimiter::shadowed`].
    pub fn shadow(mut self) -> Self {
        self.is_shadow = true;
        self
    }

    /// What stands in front of the service.
    ///
    /// # Errors
    /// [`ConfigurationError`] if there is no limit, two of them would share counters, they do not share a storage, it
    /// cannot change so many records at once, or no request has a path that is exempt.
    pub fn build(self) -> Result<HttpLimiter, ConfigurationError> {
        if self.limits.is_empty() {
            return Err(ConfigurationError::NoHttpLimit);
        }
        let fixed = || self.limits.iter().filter_map(HttpLimit::fixed);
        // Said here, not by each request. Limits by request need not all apply at once.
        if let Some(limiter) = fixed().next() {
            let storage = limiter.storage();
            storage.bounds().allow(storage.name(), fixed().count())?;
        }
        for (place, limiter) in fixed().enumerate() {
            let mut before = fixed().take(place);
            if let Some(twin) = before.clone().find(|other| other.shares_counters_with(limiter)) {
                return Err(ConfigurationError::SameCounters { scope: twin.config().scope.clone() });
            }
            if !before.all(|other| other.decides_with(limiter)) {
                return Err(ConfigurationError::DifferentStorages);
            }
        }
        let are_fixed = fixed().count() == self.limits.len();
        let names = are_fixed.then(|| Names::of(fixed()));
        let only = if are_fixed { Only::of(fixed()) } else { None };
        Ok(HttpLimiter(Arc::new(Inner {
            limits: self.limits,
            cost: self.cost,
            exemptions: self.exemptions.checked()?,
            give_back: self.give_back,
            on_missing: self.on_missing,
            on_refused: self.on_refused,
            headers: self.headers,
            names,
            only,
            is_shadow: self.is_shadow,
            shares_decision: self.shares_decision,
            #[cfg(feature = "deadline")]
            key_deadline: self.key_deadline.unwrap_or(std::time::Duration::from_secs(1)),
            unidentified: AtomicU64::new(0),
            shadowed: AtomicU64::new(0),
        })))
    }
}

impl fmt::Debug for HttpLimiterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpLimiterBuilder")
            .field("limits", &self.limits)
            .field("exemptions", &self.exemptions)
            .field("on_missing", &self.on_missing)
            .field("headers", &self.headers)
            .field("shadow", &self.is_shadow)
            .finish_non_exhaustive()
    }
}
