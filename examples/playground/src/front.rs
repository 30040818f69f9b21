//! What stands in front of a web service: every request of the page is one of HTTP, and answered as a service would.

use axum::http::{Request, Response};
use limitra::web::{Headers, HttpLimiter, key};
use limitra::{ConfigurationError, RateLimiter};
use serde::Serialize;

/// The header by which the service tells its callers apart.
const CALLER: &str = "x-client";

/// What a response may tell of limits, in the order in which the page shows it.
const TOLD: [&str; 6] = [
    "RateLimit-Policy",
    "RateLimit",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "Retry-After",
];

/// A response, as far as the page shows it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
}

impl Answer {
    pub(crate) const fn is_allowed(&self) -> bool {
        self.status == 200
    }
}

impl From<Response<String>> for Answer {
    fn from(response: Response<String>) -> Self {
        let value = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let headers = TOLD.into_iter().filter_map(|name| Some((name, value(name)?.to_owned())));
        Self { status: response.status().as_u16(), headers: headers.collect() }
    }
}

/// A limit in front of a service that answers all that it is asked.
#[derive(Debug)]
pub(crate) struct Front {
    limiter: HttpLimiter,
    /// One of each caller.
    requests: Vec<Request<()>>,
}

impl Front {
    /// # Errors
    /// What cannot be set; nothing here.
    pub(crate) fn new(
        limiter: &RateLimiter,
        cost: u64,
        callers: impl Iterator<Item = String>,
    ) -> Result<Self, ConfigurationError> {
        let limiter = HttpLimiter::builder()
            .limit(limiter, key::header(CALLER)?)
            .cost(move |_| cost)
            .headers(Headers::default().x_rate_limit(true).on_allowed(true))
            .build()?;
        let request = |caller| Request::get("/").header(CALLER, caller).body(()).ok();
        Ok(Self { limiter, requests: callers.filter_map(request).collect() })
    }

    /// Sends a request of the caller at this place, if there is one.
    pub(crate) async fn ask(&self, caller: usize) -> Option<Answer> {
        let request = self.requests.get(caller)?;
        let response = match self.limiter.check(request).await {
            Ok(passed) => {
                let mut response = Response::new(String::new());
                passed.tell(response.headers_mut());
                response
            }
            Err(refusal) => self.limiter.response(&refusal, request),
        };
        Some(response.into())
    }
}
