//! A limited service.

use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::future::{ResponseFuture, Waiting};
use super::protocol::{Http, Protocol};
use crate::web::limiter::{Asked, HttpLimiter, Verdict};
use crate::web::request::Request as View;

/// A service behind an [`HttpLimiter`]: what a [`RateLimitLayer`](super::RateLimitLayer) makes.
///
/// It is ready when the service is. A refused request never reaches the service.
pub struct RateLimitService<S, P = Http> {
    service: S,
    limiter: HttpLimiter,
    protocol: PhantomData<fn() -> P>,
}

impl<S, P> RateLimitService<S, P> {
    pub(crate) const fn new(service: S, limiter: HttpLimiter) -> Self {
        Self { service, limiter, protocol: PhantomData }
    }
}

impl<S, P, B, R> Service<Request<B>> for RateLimitService<S, P>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    P: Protocol<R>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B, P>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.limiter.ask(&View::of(&request)) {
            Asked::Passed => ResponseFuture::calling(self.service.call(request)),
            asked => self.further(request, asked),
        }
    }
}

impl<S: Clone, P> RateLimitService<S, P> {
    /// What is rare goes by itself: so a call is put where it stays, not copied there.
    #[cold]
    #[inline(never)]
    fn further<B, R>(&mut self, request: Request<B>, asked: Asked) -> ResponseFuture<S, B, P>
    where
        S: Service<Request<B>, Response = Response<R>>,
        P: Protocol<R>,
    {
        let verdict = match asked {
            Asked::Pending(verdict) => {
                // The one that is ready is taken; its clone has yet to become so.
                let fresh = self.service.clone();
                let service = mem::replace(&mut self.service, fresh);
                let waiting = Waiting { limiter: self.limiter.clone(), service, request };
                return ResponseFuture::deciding(waiting, *verdict);
            }
            Asked::Passed => Verdict::Passed(None),
            Asked::Left(left) => Verdict::Passed(Some(left)),
            Asked::Refused(refusal) => Verdict::Refused(refusal),
        };
        ResponseFuture::known(&self.limiter, &mut self.service, request, verdict)
    }
}

impl<S: Clone, P> Clone for RateLimitService<S, P> {
    fn clone(&self) -> Self {
        Self::new(self.service.clone(), self.limiter.clone())
    }
}

impl<S, P> fmt::Debug for RateLimitService<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitService").field("limiter", &self.limiter).finish_non_exhaustive()
    }
}
