//! Who is calling: what a request's counter is found by.
//!
//! A key is made by one of these functions, and of others with [`Key::and`] and [`Key::or`]. What tells callers apart must
//! be something that a caller cannot choose freely, or each request is a caller of its own: an address that a trusted proxy
//! has seen, or a header, cookie or token that was verified before the limiter is asked.
//!
//! ```
//! use limitra_core::web::{ClientIp, TrustedProxies, key};
//!
//! // Behind a proxy of our own, which appends to X-Forwarded-For.
//! let client = ClientIp::x_forwarded_for(TrustedProxies::private());
//! let by_address = key::client_ip(client.clone());
//!
//! // Whoever has a /48 has 65,536 networks of 64 bits: two limits at once, the wider one larger.
//! let by_site = key::client_ip(client.clone().prefix(24, 48)?);
//!
//! // Each route by itself, for each API key; whoever sends none is counted by address.
//! let by_api_key = key::route().and(key::header("x-api-key")?.or(key::client_ip(client)));
//! # Ok::<(), limitra_core::ConfigurationError>(())
//! ```

mod address;
mod bearer;
mod combine;
mod cookie;
mod error;
mod everyone;
mod extract;
mod header;
mod own;
mod route;

use std::fmt;
use std::sync::Arc;

pub use self::address::{client_ip, peer_ip};
pub use self::bearer::bearer_token;
pub use self::cookie::cookie;
pub use self::error::KeyError;
pub use self::everyone::{constant, everyone};
pub(crate) use self::extract::{Extract, Extracted, Found, Parts};
pub use self::header::header;
pub use self::own::{Identified, by, by_async};
pub use self::route::{method, path_parameter, route};
use super::request::Request;
use crate::identifier::Identifier;

/// Who is calling: how a request's identifier is found. Clones share it.
///
/// Made by the functions of [`web::key`](crate::web::key), from a request's address, headers, path or by a function of your own.
///
/// ```
/// use limitra_core::web::{Peer, Request, key};
/// # fn block_on<F: std::future::Future>(future: F) -> F::Output {
/// #     let mut future = std::pin::pin!(future);
/// #     let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// #     loop { if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) { return value; } }
/// # }
/// # block_on(async {
///
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(Peer("[2001:db8::7]:4711".parse()?));
/// let key = key::method().and(key::peer_ip());
/// let parts = key.identify(&Request::of(&request)).await?;
/// assert_eq!(parts.iter().map(|part| part.as_bytes()).collect::<Vec<_>>(), [&b"GET"[..], b"2001:db8::/64"]);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Key(Arc<dyn Extract>);

impl Key {
    pub(crate) fn new(extract: impl Extract) -> Self {
        Self(Arc::new(extract))
    }

    /// Who calls by this request: the parts of the identifier, one for each key that this one is made of, for a test or a log
    /// of your own. The future borrows nothing. A limiter in front of a service takes a way without allocations.
    ///
    /// # Errors
    /// [`KeyError`] if the request does not say, or a function of your own failed.
    pub fn identify(
        &self,
        request: &Request<'_>,
    ) -> impl Future<Output = Result<Vec<Identifier<'static>>, KeyError>> + Send + use<> {
        let extracted = self.extract(request).owned();
        async move { Ok(extracted.found().await?.into_vec()) }
    }

    #[inline]
    pub(crate) fn at_hand<'a>(&'a self, request: &Request<'a>) -> Option<Identifier<'a>> {
        self.0.at_hand(request)
    }

    #[inline]
    pub(crate) fn extract<'a>(&'a self, request: &Request<'a>) -> Extracted<'a> {
        self.0.extract(request)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
