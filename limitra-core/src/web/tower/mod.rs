//! A layer for whatever is a tower service over the crate `http`.

mod future;
mod layer;
mod protocol;
mod service;

pub use future::ResponseFuture;
pub use layer::RateLimitLayer;
#[cfg(feature = "tonic")]
#[cfg_attr(docsrs, doc(cfg(feature = "tonic")))]
pub use protocol::Grpc;
pub use protocol::{Http, Protocol};
pub use service::RateLimitService;
