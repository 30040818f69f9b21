//! In what words a refusal is told.

use http::Response;

use crate::web::limiter::HttpLimiter;
use crate::web::refusal::Refusal;
use crate::web::request::Request;

/// In what words a refusal is told: [`Http`] or `Grpc`. Sealed.
pub trait Protocol<B>: sealed::Sealed {
    /// The response to a refused request.
    #[doc(hidden)]
    fn response(limiter: &HttpLimiter, refusal: &Refusal, request: &Request<'_>) -> Response<B>;
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for super::Http {}
    #[cfg(feature = "tonic")]
    impl Sealed for super::Grpc {}
}

/// Refusals as responses of HTTP, with a status, headers and a text. Bodies have to be made of a `String`, as those of axum are.
#[derive(Clone, Copy, Debug)]
pub struct Http;

impl<B: From<String>> Protocol<B> for Http {
    fn response(limiter: &HttpLimiter, refusal: &Refusal, request: &Request<'_>) -> Response<B> {
        limiter.respond(refusal, request).map(B::from)
    }
}

/// Refusals as statuses of gRPC: `RESOURCE_EXHAUSTED` with retry info, and so on; see [`Refusal`]. Bodies have to have a default,
/// as those of tonic do.
#[cfg(feature = "tonic")]
#[derive(Clone, Copy, Debug)]
pub struct Grpc;

#[cfg(feature = "tonic")]
impl<B: Default> Protocol<B> for Grpc {
    fn response(limiter: &HttpLimiter, refusal: &Refusal, _request: &Request<'_>) -> Response<B> {
        let mut response = crate::web::tonic::status_of(refusal).into_http();
        limiter.headers_into(response.headers_mut(), refusal);
        response
    }
}
