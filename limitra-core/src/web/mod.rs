//! In front of a web service: who is calling, whether it may pass, and what it is told.
//!
//! An [`HttpLimiter`] is built once: its limits, each with a [`Key`] that says who is calling. A layer of tower
//! ([`HttpLimiter::layer`], for axum, tonic and hyper) or a middleware of actix-web asks it about each [`Request`].

#[cfg(feature = "actix")]
mod actix;
mod address;
mod ask;
mod asked;
#[cfg(feature = "axum")]
mod axum;
mod builder;
mod errors;
mod exemptions;
mod headers;
pub mod key;
mod limit;
mod limiter;
mod only;
mod pass;
mod passed;
mod percent;
mod refusal;
mod remainder;
mod request;
mod respond;
mod telling;
#[cfg(feature = "axum")]
mod template;
mod told;
#[cfg(feature = "tonic")]
mod tonic;
#[cfg(feature = "tower")]
mod tower;

#[cfg(feature = "actix")]
#[cfg_attr(docsrs, doc(cfg(feature = "actix")))]
pub use actix::{RateLimitMiddleware, RateLimitedService};
pub use address::{ClientIp, TrustedProxies};
pub use builder::HttpLimiterBuilder;
pub use headers::Headers;
pub use key::{Identified, Key, KeyError};
pub use limiter::{HttpLimiter, OnMissing};
pub use pass::Answered;
pub use passed::Passed;
pub use refusal::{Refusal, RefusalReason};
pub use request::{Peer, Request, Values};
#[cfg(feature = "tonic")]
#[cfg_attr(docsrs, doc(cfg(feature = "tonic")))]
pub use tower::Grpc;
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub use tower::{Http, Protocol, RateLimitLayer, RateLimitService, ResponseFuture};
