//! The answer to a request, on its way.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::protocol::Protocol;
use crate::web::limiter::{HttpLimiter, Verdict};
use crate::web::pass::{Answered, Pass};
use crate::web::request::Request as View;

/// What waits for the verdict: apart, so that where nothing has to be waited for little is moved.
struct Waiting<S, B> {
    limiter: HttpLimiter,
    service: S,
    request: Request<B>,
}

pub(super) type Deciding = Pin<Box<dyn Future<Output = Verdict> + Send>>;
type GivingBack = Pin<Box<dyn Future<Output = ()> + Send>>;

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
        // It may pass or not: a storage is asked.
        Deciding { verdict: Deciding, waiting: Option<Box<Waiting<S, B>>> },
        // It may pass, and nothing is left to do.
        Calling { #[pin] call: F },
        // It may pass; when it is answered, something is left to do.
        Passing { #[pin] call: F, left: Option<(HttpLimiter, Box<Pass>)> },
        // It is answered; its charge is given back.
        GivingBack { giving: GivingBack, response: Option<Box<R>> },
        Refused { response: Option<R> },
    }
}

impl<S, B, P, R> ResponseFuture<S, B, P>
where
    S: Service<Request<B>, Response = Response<R>>,
    P: Protocol<R>,
{
    pub(super) fn deciding(limiter: HttpLimiter, service: S, request: Request<B>, verdict: Deciding) -> Self {
        let waiting = Some(Box::new(Waiting { limiter, service, request }));
        Self::of(Stage::Deciding { verdict, waiting })
    }

    /// It may pass, and nothing is left to do.
    #[inline]
    pub(super) const fn calling(call: S::Future) -> Self {
        Self::of(Stage::Calling { call })
    }

    /// Calls the service, or does not.
    #[inline(never)]
    pub(super) fn known(
        limiter: &HttpLimiter,
        service: &mut S,
        request: Request<B>,
        verdict: Verdict,
    ) -> Self {
        Self::of(Self::follow(limiter, service, request, verdict))
    }

    #[inline]
    const fn of(stage: Stage<S, B, S::Future, Response<R>>) -> Self {
        Self { stage, protocol: PhantomData }
    }

    #[inline]
    fn follow(
        limiter: &HttpLimiter,
        service: &mut S,
        mut request: Request<B>,
        verdict: Verdict,
    ) -> Stage<S, B, S::Future, Response<R>> {
        match verdict {
            Verdict::Passed(None) => Stage::Calling { call: service.call(request) },
            Verdict::Passed(Some(pass)) => {
                if limiter.shares_decision() {
                    request.extensions_mut().insert(pass.decision.clone());
                }
                Stage::Passing { call: service.call(request), left: Some((limiter.clone(), pass)) }
            }
            Verdict::Refused(refusal) => {
                let response = P::response(limiter, &refusal, &View::of(&request));
                Stage::Refused { response: Some(response) }
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
                StageProjection::Deciding { verdict, waiting } => {
                    let verdict = ready!(verdict.as_mut().poll(context));
                    // Taken once: the stage changes with it.
                    let Some(waiting) = waiting.take() else { return Poll::Pending };
                    let Waiting { limiter, mut service, request } = *waiting;
                    Self::follow(&limiter, &mut service, request, verdict)
                }
                StageProjection::Passing { call, left } => {
                    let mut response = ready!(call.poll(context))?;
                    let Some((limiter, pass)) = left.take() else { return Poll::Ready(Ok(response)) };
                    limiter.tell(response.headers_mut(), &pass);
                    let Some(giving) = limiter.give_back(pass, answered(&response)) else {
                        return Poll::Ready(Ok(response));
                    };
                    Stage::GivingBack { giving, response: Some(Box::new(response)) }
                }
                StageProjection::GivingBack { giving, response } => {
                    ready!(giving.as_mut().poll(context));
                    return response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(*response)));
                }
                StageProjection::Refused { response } => {
                    return response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response)));
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
