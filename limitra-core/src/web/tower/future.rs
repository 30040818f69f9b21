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
use crate::web::refusal::Refusal;
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
    #[project = StageProjection]
    enum Stage<S, B, F, R> {
        // It may pass, and nothing is left to do: not a byte is beside the call, so that it is moved as if it were alone.
        Calling { #[pin] call: F },
        Apart { apart: Pin<Box<Apart<S, B, F, R>>> },
    }
}

pin_project! {
    #[project = ApartProjection]
    enum Apart<S, B, F, R> {
        // It may pass or not: a storage is asked.
        Deciding { verdict: Deciding, waiting: Option<Waiting<S, B>> },
        // It may pass; when it is answered, something is left to do.
        Passing { #[pin] call: F, left: Option<Left> },
        // It is answered; its charge is given back.
        GivingBack { giving: GivingBack, response: Option<R> },
        Refused { response: Option<R> },
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
        Self::apart(Apart::Deciding { verdict, waiting: Some(waiting) })
    }

    /// It may pass; when it is answered, something is left to do.
    pub(super) fn passing(limiter: &HttpLimiter, service: &mut S, request: Request<B>, left: Left) -> Self {
        Self::apart(passing(limiter, service, request, Some(left)))
    }

    pub(super) fn refused(limiter: &HttpLimiter, request: &Request<B>, refusal: &Refusal) -> Self {
        Self::apart(refused::<S, B, P, R>(limiter, request, refusal))
    }

    fn apart(apart: Apart<S, B, S::Future, Response<R>>) -> Self {
        Self { stage: Stage::Apart { apart: Box::pin(apart) }, protocol: PhantomData }
    }
}

fn passing<S, B, R>(
    limiter: &HttpLimiter,
    service: &mut S,
    mut request: Request<B>,
    left: Option<Left>,
) -> Apart<S, B, S::Future, Response<R>>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    if let Some(Left { pass: Some(pass), .. }) = &left
        && limiter.shares_decision()
    {
        request.extensions_mut().insert(pass.decision.clone());
    }
    Apart::Passing { call: service.call(request), left }
}

fn refused<S, B, P, R>(
    limiter: &HttpLimiter,
    request: &Request<B>,
    refusal: &Refusal,
) -> Apart<S, B, S::Future, Response<R>>
where
    S: Service<Request<B>, Response = Response<R>>,
    P: Protocol<R>,
{
    Apart::Refused { response: Some(P::response(limiter, refusal, &View::of(request))) }
}

impl<S, B, P, R> Future for ResponseFuture<S, B, P>
where
    S: Service<Request<B>, Response = Response<R>>,
    P: Protocol<R>,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().stage.project() {
            StageProjection::Calling { call } => call.poll(context),
            StageProjection::Apart { apart } => poll_apart::<S, B, P, R>(apart.as_mut(), context),
        }
    }
}

fn poll_apart<S, B, P, R>(
    mut apart: Pin<&mut Apart<S, B, S::Future, Response<R>>>,
    context: &mut Context<'_>,
) -> Poll<Result<Response<R>, S::Error>>
where
    S: Service<Request<B>, Response = Response<R>>,
    P: Protocol<R>,
{
    loop {
        let next = match apart.as_mut().project() {
            ApartProjection::Deciding { verdict, waiting } => {
                let verdict = ready!(verdict.as_mut().poll(context));
                // Taken once: the stage changes with it.
                let Some(waiting) = waiting.take() else { return Poll::Pending };
                let Waiting { limiter, mut service, request } = waiting;
                match verdict {
                    Verdict::Passed(left) => passing(&limiter, &mut service, request, left),
                    Verdict::Refused(refusal) => refused::<S, B, P, R>(&limiter, &request, &refusal),
                }
            }
            ApartProjection::Passing { call, left } => {
                let mut response = ready!(call.poll(context))?;
                let Some(Left { telling, pass }) = left.take() else { return Poll::Ready(Ok(response)) };
                telling.put(response.headers_mut());
                let Some(giving) = pass.and_then(|pass| pass.answered(&answered(&response))) else {
                    return Poll::Ready(Ok(response));
                };
                Apart::GivingBack { giving, response: Some(response) }
            }
            ApartProjection::GivingBack { giving, response } => {
                ready!(giving.as_mut().poll(context));
                return response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response)));
            }
            ApartProjection::Refused { response } => {
                return response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response)));
            }
        };
        apart.set(next);
    }
}

/// What a charge is given back by.
fn answered<R>(response: &Response<R>) -> Answered {
    let grpc = response.headers().get("grpc-status").and_then(|status| status.to_str().ok()?.parse().ok());
    Answered::new(response.status(), grpc)
}
