//! By address.

use super::{Extract, Extracted, Key};
use crate::identifier::Identifier;
use crate::web::address::ClientIp;
use crate::web::request::Request;

/// The address of the connection's other end; one IPv6 network of 64 bits is one caller. Allocates nothing.
///
/// Behind a proxy that is the proxy's: see [`client_ip`]. With axum the service must be made with
/// `into_make_service_with_connect_info::<SocketAddr>()`, or there is no address.
///
/// ```
/// use limitra_core::web::key;
///
/// let each_address = key::peer_ip();
/// ```
pub fn peer_ip() -> Key {
    client_ip(ClientIp::peer())
}

/// The client's address as trusted proxies tell it, or the part of it that [`ClientIp::prefix`] says. Its text is the
/// identifier: `192.0.2.7`, `192.0.2.0/24`, `2001:db8::/64`. Allocates nothing.
///
/// ```
/// use limitra_core::web::{ClientIp, TrustedProxies, key};
///
/// let behind_nginx = key::client_ip(ClientIp::x_forwarded_for(TrustedProxies::loopback()));
/// let behind_cloudflare =
///     key::client_ip(ClientIp::header("cf-connecting-ip", TrustedProxies::new(["173.245.48.0/20"])?)?);
/// let by_site = key::client_ip(ClientIp::peer().prefix(24, 48)?);
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
pub fn client_ip(client: ClientIp) -> Key {
    Key::new(Address(client))
}

#[derive(Debug)]
struct Address(ClientIp);

impl Extract for Address {
    fn extract<'a>(&'a self, request: &Request<'a>) -> Extracted<'a> {
        Extracted::one(self.at_hand(request), "address")
    }

    fn at_hand<'a>(&'a self, request: &Request<'a>) -> Option<Identifier<'a>> {
        self.0.identifier(request)
    }
}
