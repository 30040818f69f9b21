//! The layer.

use std::fmt;
use std::marker::PhantomData;

use tower_layer::Layer;

use super::protocol::Http;
use super::service::RateLimitService;
use crate::web::limiter::HttpLimiter;

/// A layer that asks an [`HttpLimiter`] about each request. Clones, and the services made by it, count together.
///
/// Made by [`HttpLimiter::layer`], or by `HttpLimiter::grpc_layer` (feature `tonic`). It fits every tower service over requests and
/// responses of the crate `http`: routers of axum, servers of tonic, services of hyper. Bodies are never read.
pub struct RateLimitLayer<P = Http> {
    limiter: HttpLimiter,
    protocol: PhantomData<fn() -> P>,
}

impl HttpLimiter {
    /// A layer for tower: `Router::layer(limiter.layer())`.
    ///
    /// ```
    /// use limitra_core::RateLimiter;
    /// use limitra_core::web::{HttpLimiter, key};
    ///
    /// let per_tenant = RateLimiter::builder().requests(100).window(60).scope("tenant").build()?;
    /// let layer = HttpLimiter::builder().limit(&per_tenant, key::header("x-tenant")?).build()?.layer();
    /// # let _ = layer;
    /// # Ok::<(), limitra_core::ConfigurationError>(())
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
    pub fn layer(&self) -> RateLimitLayer {
        RateLimitLayer { limiter: self.clone(), protocol: PhantomData }
    }

    /// A layer for tonic: `Server::builder().layer(limiter.grpc_layer())`. Refusals are statuses; see [`Refusal`](crate::web::Refusal).
    #[cfg(feature = "tonic")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tonic")))]
    pub fn grpc_layer(&self) -> RateLimitLayer<super::Grpc> {
        RateLimitLayer { limiter: self.clone(), protocol: PhantomData }
    }
}

impl<S, P> Layer<S> for RateLimitLayer<P> {
    type Service = RateLimitService<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        RateLimitService::new(inner, self.limiter.clone())
    }
}

impl<P> Clone for RateLimitLayer<P> {
    fn clone(&self) -> Self {
        Self { limiter: self.limiter.clone(), protocol: PhantomData }
    }
}

impl<P> fmt::Debug for RateLimitLayer<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitLayer").field("limiter", &self.limiter).finish_non_exhaustive()
    }
}
