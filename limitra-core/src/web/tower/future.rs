//! The answer to a request, on its way.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::protocol::Protocol;
use crate::web::limiter::{Deciding, HttpLimiter, Verdict};
use crate::web::pass::{Answered, GivingBack, Left};
use crate::web::request::Request as View;

pin_project! {
    /// The response of a [`RateLimitService`](super::RateLimitService).
    pub struct ResponseFuture<S, B, P>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        stage: Stage<S, B, S::Future, S::Response>,
        protocol: PhantomData<fn() -> P>,
    }
}

pin_project! {
    // A call that nothing is left to do for is moved as if it were alone: whatever else there is stands apart, so that
    // most compilers find a place for it within the call, and the call needs no mark.
    #[project = StageProjection]
    enum Stage<S, B, F, R> {
        // It may pass, and nothing is left to do.
        Calling { #[pin] call: F },
        // It may pass; when it is answered, something is left to do.
        Passing { call: Pin<Box<F>>, left: Option<Box<Left>> },
        // It may pass or not: a storage is asked.
        Deciding { verdict: Deciding, waiting: Option<Box<Waiting<S, B>>> },
        // It is answered; its charge is given back.
        GivingBack { giving: GivingBack, response: Option<Box<R>> },
        Refused { response: Option<Box<R>> },
    }
}

/// What waits for the verdict.
pub(super) struct Waiting<S, B> {
    pub(super) limiter: HttpLimiter,
    pub(super) service: S,
    pub(super) request: Request<B>,
}

impl<S, B, P, R> ResponseFuture<S, B, P>
where
    S: Service<Request<B>, Response = Response<R>>,
    P: Protocol<R>,
{
    /// It may pass, and nothing is left to do.
    #[inline]
    pub(super) const fn calling(call: S::Future) -> Self {
        Self { stage: Stage::Calling { call }, protocol: PhantomData }
    }

    /// It may pass or not.
    pub(super) fn deciding(waiting: Waiting<S, B>, verdict: Deciding) -> Self {
        let stage = Stage::Deciding { verdict, waiting: Some(Box::new(waiting)) };
        Self { stage, protocol: PhantomData }
    }

    /// It is known whether it may pass.
    pub(super) fn known(
        limiter: &HttpLimiter,
        service: &mut S,
        request: Request<B>,
        verdict: Verdict,
    ) -> Self {
        Self { stage: Self::follow(limiter, service, request, verdict), protocol: PhantomData }
    }

    /// Calls the service, or does not.
    fn follow(
        limiter: &HttpLimiter,
        service: &mut S,
        mut request: Request<B>,
        verdict: Verdict,
    ) -> Stage<S, B, S::Future, Response<R>> {
        match verdict {
            Verdict::Passed(left) => {
                if let Some(pass) = left.as_ref().and_then(|left| left.pass.as_ref())
                    && limiter.shares_decision()
                {
                    request.extensions_mut().insert(pass.decision.clone());
                }
                Stage::Passing { call: Box::pin(service.call(request)), left }
            }
            Verdict::Refused(refusal) => {
                let response = P::response(limiter, &refusal, &View::of(&request));
                Stage::Refused { response: Some(Box::new(response)) }
            }
        }
    }
}

impl<S, B, P, R> Future for ResponseFuture<S, B, P>
where
    S: Service<Request<B>, Response = Response<R>>,
    P: Protocol<R>,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.stage.as_mut().project() {
                StageProjection::Calling { call } => return call.poll(context),
                StageProjection::Passing { call, left } => {
                    let mut answer = call.as_mut().poll(context);
                    let Poll::Ready(Ok(response)) = &mut answer else { return answer };
                    let Some(left) = left.take() else { return answer };
                    left.telling.put(response.headers_mut());
                    let giving = left.pass.and_then(|pass| pass.answered(&answered(response)));
                    let Some(giving) = giving else { return answer };
                    let response = ready!(answer)?;
                    Stage::GivingBack { giving, response: Some(Box::new(response)) }
                }
                StageProjection::Deciding { verdict, waiting } => {
                    let verdict = ready!(verdict.as_mut().poll(context));
                    // Taken once: the stage changes with it.
                    let Some(waiting) = waiting.take() else { return Poll::Pending };
                    let Waiting { limiter, mut service, request } = *waiting;
                    Self::follow(&limiter, &mut service, request, verdict)
                }
                StageProjection::GivingBack { giving, response } => {
                    ready!(giving.as_mut().poll(context));
                    return response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(*response)));
                }
                StageProjection::Refused { response } => {
                    return response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(*response)));
                }
            };
            this.stage.set(next);
        }
    }
}

/// What a charge is given back by.
fn answered<R>(response: &Response<R>) -> Answered {
    let grpc = response.headers().get("grpc-status").and_then(|status| status.to_str().ok()?.parse().ok());
    Answered::new(response.status(), grpc)
}
