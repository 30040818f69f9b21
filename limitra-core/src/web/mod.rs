//! In front of a web service: who is calling, whether it may pass, and what it is told.
//!
//! An `HttpLimiter` is built once: its limits, each with a [`Key`] that says who is calling. A layer of tower or a
//! middleware of actix-web asks it about each [`Request`].

mod address;
pub mod key;
mod percent;
mod request;
#[cfg(feature = "axum")]
mod template;

pub use address::{ClientIp, TrustedProxies};
pub use key::{Identified, Key, KeyError};
pub use request::{Peer, Request, Values};
