//! The answer to a request, on its way.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::protocol::Protocol;
use crate::web::asked::{Deciding, Verdict};
use crate::web::limiter::HttpLimiter;
use crate::web::only::OnlyTelling;
use crate::web::pass::{Answered, GivingBack, Left};
use crate::web::remainder::Remainder;
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
        Apart { apart: Apart<S, B, F, R> },
    }
}

/// What is rare.
enum Apart<S, B, F, R> {
    /// It may pass; when it is answered, something is left to do.
    Passing {
        call: Pin<Box<F>>,
        left: Option<Box<Left>>,
    },
    /// It may pass; its response is to tell what is left.
    Telling {
        call: Pin<Box<TellingCall<F>>>,
    },
    /// It may pass or not: a storage is asked.
    Deciding {
        verdict: Deciding,
        waiting: Option<Box<Waiting<S, B>>>,
    },
    /// It is answered; its charge is given back.
    GivingBack {
        giving: GivingBack,
        response: Option<Box<R>>,
    },
    Refused {
        response: Option<Box<R>>,
    },
}

pin_project! {
    /// A call whose response is to tell what is left: the call is there once it is `boxed`.
    struct TellingCall<F> {
        #[pin]
        call: Option<F>,
        telling: OnlyTelling,
    }
}

impl<F> TellingCall<F> {
    /// Large calls are moved into their box once: an empty box is made where it stays, a whole call would be put together first.
    #[inline]
    fn boxed(call: F, limiter: &HttpLimiter, remainder: Remainder) -> Pin<Box<Self>> {
        let mut boxed = Box::<Self>::default();
        boxed.call = Some(call);
        limiter.tell_of_only(&mut boxed.telling, remainder);
        Box::into_pin(boxed)
    }
}

impl<F> Default for TellingCall<F> {
    #[inline]
    fn default() -> Self {
        Self { call: None, telling: OnlyTelling::default() }
    }
}

impl<F, R, E> Future for TellingCall<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(call) = this.call.as_pin_mut() else { return Poll::Pending };
        let mut answer = call.poll(context);
        if let Poll::Ready(Ok(response)) = &mut answer {
            this.telling.put(response.headers_mut());
        }
        answer
    }
}

/// What waits for the verdict.
struct Waiting<S, B> {
    limiter: HttpLimiter,
    service: S,
    request: Request<B>,
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

    /// It may pass; its response is to tell what is left.
    #[inline]
    pub(super) fn telling(limiter: &HttpLimiter, call: S::Future, remainder: Remainder) -> Self {
        Self::apart(Apart::Telling { call: TellingCall::boxed(call, limiter, remainder) })
    }

    /// It may pass or not.
    pub(super) fn deciding(limiter: HttpLimiter, service: S, request: Request<B>, verdict: Deciding) -> Self {
        let waiting = Some(Box::new(Waiting { limiter, service, request }));
        Self::apart(Apart::Deciding { verdict, waiting })
    }

    /// It is known whether it may pass.
    pub(super) fn known(
        limiter: &HttpLimiter,
        service: &mut S,
        request: Request<B>,
        verdict: Verdict,
    ) -> Self {
        Self::apart(Apart::known::<P>(limiter, service, request, verdict))
    }

    #[inline]
    const fn apart(apart: Apart<S, B, S::Future, Response<R>>) -> Self {
        Self { stage: Stage::Apart { apart }, protocol: PhantomData }
    }
}

impl<S, B, R> Apart<S, B, S::Future, Response<R>>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    /// Calls the service, or does not.
    fn known<P: Protocol<R>>(
        limiter: &HttpLimiter,
        service: &mut S,
        mut request: Request<B>,
        verdict: Verdict,
    ) -> Self {
        match verdict {
            Verdict::Passed(left) => {
                if let Some(pass) = left.as_ref().and_then(|left| left.pass.as_ref())
                    && limiter.shares_decision()
                    && let Some(decision) = pass.shared(request.extensions().get())
                {
                    request.extensions_mut().insert(decision);
                }
                Self::Passing { call: Box::pin(service.call(request)), left }
            }
            Verdict::Refused(refusal) => {
                let response = P::response(limiter, &refusal, &View::of(&request));
                Self::Refused { response: Some(Box::new(response)) }
            }
        }
    }

    fn poll<P: Protocol<R>>(&mut self, context: &mut Context<'_>) -> Poll<Result<Response<R>, S::Error>> {
        loop {
            *self = match self {
                Self::Passing { call, left } => {
                    let mut answer = call.as_mut().poll(context);
                    let Poll::Ready(Ok(response)) = &mut answer else { return answer };
                    let Some(left) = left.take() else { return answer };
                    left.telling.put(response.headers_mut());
                    let giving = left.pass.and_then(|pass| pass.answered(answered(response)));
                    let Some(giving) = giving else { return answer };
                    let response = ready!(answer)?;
                    Self::GivingBack { giving, response: Some(Box::new(response)) }
                }
                Self::Telling { call } => return call.as_mut().poll(context),
                Self::Deciding { verdict, waiting } => {
                    let verdict = ready!(verdict.as_mut().poll(context));
                    // Taken once: the stage changes with it.
                    let Some(waiting) = waiting.take() else { return Poll::Pending };
                    let Waiting { limiter, mut service, request } = *waiting;
                    Self::known::<P>(&limiter, &mut service, request, verdict)
                }
                Self::GivingBack { giving, response } => {
                    ready!(giving.as_mut().poll(context));
                    return response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(*response)));
                }
                Self::Refused { response } => {
                    return response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(*response)));
                }
            };
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
        match self.project().stage.project() {
            StageProjection::Calling { call } => call.poll(context),
            StageProjection::Apart { apart } => apart.poll::<P>(context),
        }
    }
}

/// What a charge is given back by.
fn answered<R>(response: &Response<R>) -> Answered {
    let grpc = response.headers().get("grpc-status").and_then(|status| status.to_str().ok()?.parse().ok());
    Answered::new(response.status(), grpc)
}
