//! A request that may pass, for frameworks without a layer of their own.

use std::fmt;

use http::header::HeaderMap;

use super::asked::Verdict;
use super::limiter::HttpLimiter;
use super::pass::{Answered, Left};
use super::refusal::Refusal;
use super::request::Request;
use crate::decision::Decision;

/// A request that may pass, and what is left to do with its response.
pub struct Passed(Option<Box<Left>>);

impl HttpLimiter {
    /// Whether a request may pass: for frameworks that are neither tower services nor actix-web. The layers do the same.
    ///
    /// # Errors
    /// The refusal, which [`HttpLimiter::response`] makes a response of.
    ///
    /// ```
    /// use limitra_core::RateLimiter;
    /// use limitra_core::web::{HttpLimiter, key};
    ///
    /// # fn block_on<F: std::future::Future>(future: F) -> F::Output {
    /// #     let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    /// #     let std::task::Poll::Ready(value) = std::pin::pin!(future).poll(&mut context) else { panic!() };
    /// #     value
    /// # }
    /// # block_on(async {
    /// let tenants = RateLimiter::builder().requests(1).window(60).scope("tenant").build()?;
    /// let limiter = HttpLimiter::builder().limit(&tenants, key::header("x-tenant")?).build()?;
    ///
    /// let request = http::Request::get("/").header("x-tenant", "acme").body(()).unwrap();
    /// assert!(limiter.check(&request).await.is_ok());
    /// let refusal = limiter.check(&request).await.unwrap_err();
    /// assert_eq!(limiter.response(&refusal, &request).status(), 429);
    /// # Ok::<(), limitra_core::ConfigurationError>(()) }).unwrap();
    /// ```
    pub fn check<B>(
        &self,
        request: &http::Request<B>,
    ) -> impl Future<Output = Result<Passed, Box<Refusal>>> + Send + use<B> {
        // Asked before anything is awaited: what is returned borrows nothing of the request.
        let (asked, limiter) = (self.ask(&Request::of(request)), self.clone());
        async move {
            match asked.verdict(&limiter).await {
                Verdict::Passed(left) => Ok(Passed(left)),
                Verdict::Refused(refusal) => Err(refusal),
            }
        }
    }

    /// The response to a refused request, as the settings have it.
    pub fn response<B>(&self, refusal: &Refusal, request: &http::Request<B>) -> http::Response<String> {
        self.respond(refusal, &Request::of(request))
    }
}

impl Passed {
    /// The decision, where something is set that keeps it:
    /// [`share_decision`](super::HttpLimiterBuilder::share_decision) or
    /// [`give_back_when`](super::HttpLimiterBuilder::give_back_when). None of a request that is exempt or that no limit applies to; of
    /// one that only the shadow lets through, `share_decision` alone keeps it.
    pub fn decision(&self) -> Option<&Decision> {
        self.0.as_ref()?.pass.as_ref().map(|pass| &pass.decision)
    }

    /// Puts the headers on limits into a response, where they are to stand on allowed ones.
    pub fn tell(&self, headers: &mut HeaderMap) {
        if let Some(left) = &self.0 {
            left.telling.clone().put(headers);
        }
    }

    /// The request is answered: gives its charge back where
    /// [`give_back_when`](super::HttpLimiterBuilder::give_back_when) says so of the answer.
    pub async fn answered(self, answered: Answered) {
        if let Some(giving) = self.0.and_then(|left| left.pass?.answered(answered)) {
            giving.await;
        }
    }
}

impl fmt::Debug for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passed").field("decision", &self.decision()).finish_non_exhaustive()
    }
}
