//! A middleware for actix-web.

use std::fmt;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{Payload, Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, HttpResponse, ResponseError};
use http::{HeaderMap, StatusCode};

use super::asked::Verdict;
use super::errors::{log, no_decision};
use super::limiter::HttpLimiter;
use super::pass::{Answered, Left};
use super::request::Request;
use super::telling::TELLING;
use crate::decision::Decision;
use crate::error::Error;
use crate::exceeded::RateLimitExceeded;

/// A middleware that asks an [`HttpLimiter`] about each request: `App::new().wrap(limiter.middleware())`. Clones, and all workers
/// that are given one, count together. Bodies are never read.
#[derive(Clone)]
pub struct RateLimitMiddleware {
    limiter: HttpLimiter,
}

/// A service of actix-web behind an [`HttpLimiter`]: what a [`RateLimitMiddleware`] makes.
pub struct RateLimitedService<S> {
    service: Rc<S>,
    limiter: HttpLimiter,
}

impl HttpLimiter {
    /// A middleware for actix-web. Build the limiter outside of the closure that makes apps, so that all workers share it.
    #[cfg_attr(docsrs, doc(cfg(feature = "actix")))]
    pub fn middleware(&self) -> RateLimitMiddleware {
        RateLimitMiddleware { limiter: self.clone() }
    }
}

impl<S, B> Transform<S, ServiceRequest> for RateLimitMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Transform = RateLimitedService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(RateLimitedService { service: Rc::new(service), limiter: self.limiter.clone() }))
    }
}

impl<S, B> Service<ServiceRequest> for RateLimitedService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let (service, limiter) = (Rc::clone(&self.service), self.limiter.clone());
        Box::pin(async move {
            let asked = limiter.ask(&Request::of_actix(request.request()));
            let left = match asked.verdict(&limiter).await {
                Verdict::Passed(left) => left,
                Verdict::Refused(refusal) => {
                    let response = limiter.respond(&refusal, &Request::of_actix(request.request()));
                    return Ok(request.into_response(response_of(response)).map_into_right_body());
                }
            };
            let Some(left) = left else {
                return Ok(service.call(request).await?.map_into_left_body());
            };
            let Left { telling, pass } = *left;
            if let Some(pass) = &pass
                && limiter.shares_decision()
            {
                let decision = pass.shared(request.extensions().get());
                decision.map(|decision| request.extensions_mut().insert(decision));
            }
            let answered = service.call(request).await;
            let mut response = match answered {
                Ok(response) => response,
                Err(error) => {
                    // An error becomes a response further out, and is judged as that.
                    let status = status_of(error.as_response_error().status_code());
                    if let Some(giving) = pass.and_then(|pass| pass.answered(Answered::new(status, None))) {
                        giving.await;
                    }
                    return Err(error);
                }
            };
            if !telling.is_nothing() {
                let mut told = HeaderMap::new();
                for name in TELLING {
                    for value in response.headers().get_all(name.as_str()) {
                        let value = http::HeaderValue::from_bytes(value.as_bytes()).ok();
                        value.map(|value| told.append(&name, value));
                    }
                }
                telling.put(&mut told);
                put(response.headers_mut(), &told);
            }
            let answered = Answered::new(status_of(response.status()), None);
            if let Some(giving) = pass.and_then(|pass| pass.answered(answered)) {
                giving.await;
            }
            Ok(response.map_into_left_body())
        })
    }
}

fn status_of(status: actix_web::http::StatusCode) -> StatusCode {
    StatusCode::from_u16(status.as_u16()).unwrap_or_default()
}

/// The same headers, in actix-web's own types, in place of those of the same names.
fn put(headers: &mut actix_web::http::header::HeaderMap, from: &HeaderMap) {
    for name in from.keys() {
        let Ok(own) = HeaderName::from_bytes(name.as_str().as_bytes()) else { continue };
        headers.remove(&own);
        for value in from.get_all(name) {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                headers.append(own.clone(), value);
            }
        }
    }
}

/// The same response, in actix-web's own types.
fn response_of(response: http::Response<String>) -> HttpResponse<BoxBody> {
    let status = actix_web::http::StatusCode::from_u16(response.status().as_u16());
    let mut answer = HttpResponse::new(status.unwrap_or(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR));
    put(answer.headers_mut(), response.headers());
    answer.set_body(BoxBody::new(response.into_body()))
}

/// A handler that is limited by an attribute answers by itself, 429 nearly always; see [`RateLimitExceeded::to_response`].
#[cfg_attr(docsrs, doc(cfg(feature = "actix")))]
impl ResponseError for RateLimitExceeded {
    fn status_code(&self) -> actix_web::http::StatusCode {
        let status = actix_web::http::StatusCode::from_u16(self.status().as_u16());
        status.unwrap_or(actix_web::http::StatusCode::TOO_MANY_REQUESTS)
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        response_of(self.to_response())
    }
}

/// A handler that is limited by an attribute answers by itself; see [`Error::to_response`]. What is told to the client
/// has no detail: an error other than a refusal is logged here.
#[cfg_attr(docsrs, doc(cfg(feature = "actix")))]
impl ResponseError for Error {
    fn status_code(&self) -> actix_web::http::StatusCode {
        let status = actix_web::http::StatusCode::from_u16(self.to_response().status().as_u16());
        status.unwrap_or(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        log(self);
        response_of(self.to_response())
    }
}

/// The decision by which this request was let in, as a handler's argument: where
/// [`share_decision`](super::HttpLimiterBuilder::share_decision) is said.
#[cfg_attr(docsrs, doc(cfg(feature = "actix")))]
impl FromRequest for Decision {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let decision = request.extensions().get::<Self>().cloned();
        let missing = || {
            let response = response_of(no_decision());
            actix_web::error::InternalError::from_response("no decision", response).into()
        };
        ready(decision.ok_or_else(missing))
    }
}

impl fmt::Debug for RateLimitMiddleware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitMiddleware").field("limiter", &self.limiter).finish()
    }
}

impl<S> fmt::Debug for RateLimitedService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitedService").field("limiter", &self.limiter).finish_non_exhaustive()
    }
}
