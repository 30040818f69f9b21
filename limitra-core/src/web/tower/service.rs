//! A limited service.

use std::fmt;
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::future::ResponseFuture;
use super::protocol::{Http, Protocol};
use crate::web::asked::Asked;
use crate::web::limiter::HttpLimiter;
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
        // What says no more than that it may pass has nothing to drop. Said so, a call is put where it stays, not copied there.
        let asked = ManuallyDrop::new(self.limiter.ask(&View::of(&request)));
        if matches!(*asked, Asked::Passed) {
            return ResponseFuture::calling(self.service.call(request));
        }
        if let Asked::Told(remainder) = *asked {
            return ResponseFuture::telling(&self.limiter, self.service.call(request), remainder);
        }
        self.further(request, ManuallyDrop::into_inner(asked))
    }
}

impl<S: Clone, P> RateLimitService<S, P> {
    /// What is rare.
    #[cold]
    #[inline(never)]
    fn further<B, R>(&mut self, request: Request<B>, asked: Asked) -> ResponseFuture<S, B, P>
    where
        S: Service<Request<B>, Response = Response<R>>,
        P: Protocol<R>,
    {
        match asked.known(&self.limiter) {
            Ok(verdict) => ResponseFuture::known(&self.limiter, &mut self.service, request, verdict),
            Err(verdict) => {
                // The one that is ready is taken; its clone has yet to become so.
                let fresh = self.service.clone();
                let service = mem::replace(&mut self.service, fresh);
                ResponseFuture::deciding(self.limiter.clone(), service, request, verdict)
            }
        }
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
