//! Whose address a request is from.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use http::HeaderName;

use super::elements::Elements;
use super::network::Prefixes;
use super::trusted_proxies::TrustedProxies;
use super::{forwarded, hop};
use crate::error::ConfigurationError;
use crate::identifier::Identifier;
use crate::short_text::ShortText;
use crate::web::request::{Request, Values};

/// So many addresses of a header are looked at.
const MOST_HOPS: usize = 64;

/// Whose address a request is from: that of the connection, or what trusted proxies say in one header of your choice.
/// Clones share it.
///
/// A header is read only if the peer is a trusted proxy, and from its right end, where the nearest proxy wrote. As long as
/// an address is that of a trusted proxy the one to its left is believed; the first other one is the client. Where
/// the next one cannot be read, hides (`unknown`), or is missing, the client is the last believed one: nothing that a
/// client sends can move it. At most 64 elements are looked at, of at most 512 bytes each; nothing is allocated.
///
/// IPv4 addresses in IPv6 clothes are IPv4 addresses; zones (`%eth0`) and ports are left out.
///
/// ```
/// use limitra_core::web::{ClientIp, Peer, Request, TrustedProxies};
///
/// let mut request = http::Request::get("/")
///     .header("x-forwarded-for", "1.1.1.1 (forged), 192.0.2.7")
///     .header("x-forwarded-for", "10.0.0.5")
///     .body(())?;
/// request.extensions_mut().insert(Peer("10.0.0.9:4711".parse()?));
/// let request = Request::of(&request);
///
/// let client = ClientIp::x_forwarded_for(TrustedProxies::private());
/// assert_eq!(client.of(&request), Some("192.0.2.7".parse()?));
/// assert_eq!(ClientIp::peer().of(&request), Some("10.0.0.9".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ClientIp {
    header: Header,
    proxies: TrustedProxies,
    prefixes: Prefixes,
}

#[derive(Clone, Debug)]
enum Header {
    Forwarded,
    XForwardedFor(HeaderName),
    Single(HeaderName),
}

impl ClientIp {
    /// The other end of the connection; no header is looked at.
    pub fn peer() -> Self {
        Self::by(Header::Forwarded, TrustedProxies::hops(0))
    }

    /// What these proxies append to `X-Forwarded-For`; several lines are one list.
    pub fn x_forwarded_for(proxies: TrustedProxies) -> Self {
        Self::by(Header::XForwardedFor(HeaderName::from_static("x-forwarded-for")), proxies)
    }

    /// What these proxies append to `Forwarded` (RFC 7239); several lines are one list.
    pub fn forwarded(proxies: TrustedProxies) -> Self {
        Self::by(Header::Forwarded, proxies)
    }

    /// The one address that these proxies put into a header of their own, such as `CF-Connecting-IP` or `X-Real-IP`. If there
    /// are several lines, or is not exactly one address in it, the client is the peer.
    ///
    /// Such a proxy must overwrite what a client sends by that name.
    ///
    /// # Errors
    /// [`ConfigurationError::HeaderName`] for what no header is called.
    pub fn header(name: impl AsRef<str>, proxies: TrustedProxies) -> Result<Self, ConfigurationError> {
        Ok(Self::by(Header::Single(header_name(name.as_ref())?), proxies))
    }

    const fn by(header: Header, proxies: TrustedProxies) -> Self {
        Self { header, proxies, prefixes: Prefixes::DEFAULT }
    }

    /// How many leading bits of an IPv4 and an IPv6 address make a caller for a key: default 32 and 64. Networks that are
    /// given to households and companies are of 48 to 64 bits.
    ///
    /// # Errors
    /// [`ConfigurationError::AddressPrefix`] unless they are 1 to 32 and 1 to 128.
    pub fn prefix(mut self, v4: u8, v6: u8) -> Result<Self, ConfigurationError> {
        self.prefixes = Prefixes::new(v4, v6)?;
        Ok(self)
    }

    /// The whole address; `None` if the connection has none and no trusted proxy says one.
    pub fn of(&self, request: &Request<'_>) -> Option<IpAddr> {
        let peer = request.peer().map(|peer| peer.ip().to_canonical());
        if self.proxies.trust(peer, 0) { self.told(request, peer) } else { peer }
    }

    /// What a peer that is believed says.
    fn told(&self, request: &Request<'_>, peer: Option<IpAddr>) -> Option<IpAddr> {
        match &self.header {
            Header::XForwardedFor(name) => {
                self.walk(peer, Elements::of(request.header(name), false), hop::address)
            }
            Header::Forwarded => {
                let lines = request.header(&http::header::FORWARDED);
                self.walk(peer, Elements::of(lines, true), forwarded::address)
            }
            Header::Single(name) => only(request.header(name)).and_then(hop::address).or(peer),
        }
    }

    /// From one believed address to the next.
    fn walk<'a>(
        &self,
        peer: Option<IpAddr>,
        elements: Elements<'a>,
        address: impl Fn(&'a [u8]) -> Option<IpAddr>,
    ) -> Option<IpAddr> {
        let mut believed = peer;
        let mut hops = 0;
        for element in elements.take(MOST_HOPS) {
            // Lists may have empty elements, which say nothing (RFC 9110, section 5.6.1).
            if element.is_some_and(<[u8]>::is_empty) {
                continue;
            }
            let Some(next) = element.and_then(&address) else { break };
            believed = Some(next);
            hops += 1;
            if !self.proxies.trust(believed, hops) {
                break;
            }
        }
        believed
    }

    /// The network of the address, as an identifier.
    #[inline]
    pub(crate) fn identifier(&self, request: &Request<'_>) -> Option<Identifier<'static>> {
        // Nearly always, and so by itself: the other end counts, and all of its address.
        if let Some(SocketAddr::V4(peer)) = request.peer()
            && self.prefixes.are_whole_v4()
            && !self.proxies.trust(Some(IpAddr::V4(*peer.ip())), 0)
        {
            return Some(ShortText::of_v4(*peer.ip()).into());
        }
        self.network(request)
    }

    #[inline(never)]
    fn network(&self, request: &Request<'_>) -> Option<Identifier<'static>> {
        self.of(request).map(|address| self.prefixes.identifier(address))
    }
}

impl fmt::Debug for ClientIp {
    /// Without a header where none is looked at.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ClientIp");
        if self.proxies.are_none() {
            debug.field("of", &format_args!("the peer"));
        } else {
            debug.field("header", &self.header).field("proxies", &self.proxies);
        }
        debug.field("prefixes", &self.prefixes).finish()
    }
}

/// The header of this name.
pub(crate) fn header_name(name: &str) -> Result<HeaderName, ConfigurationError> {
    name.parse().map_err(|_| ConfigurationError::HeaderName { name: name.chars().take(64).collect() })
}

fn only(mut lines: Values<'_>) -> Option<&[u8]> {
    let line = lines.next()?;
    lines.next().is_none().then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_at_no_header_shows_none() {
        let nobody = TrustedProxies::new([""; 0]).expect("none at all");
        for client in [
            ClientIp::peer(),
            ClientIp::x_forwarded_for(TrustedProxies::hops(0)),
            ClientIp::forwarded(nobody),
        ] {
            assert_eq!(
                format!("{client:?}"),
                "ClientIp { of: the peer, prefixes: Prefixes { v4: 32, v6: 64 } }"
            );
        }
        let shown = format!("{:?}", ClientIp::forwarded(TrustedProxies::hops(1)));
        assert!(shown.contains("Forwarded") && shown.contains("Hops(1)"), "{shown}");
    }
}
