//! Whose word about addresses is believed.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::error::ConfigurationError;

/// The proxies whose word about a client's address is believed: by their addresses, or by how many there are. Clones
/// share it.
///
/// Trust what you run, and nothing else: whoever is trusted can name any address as the client's.
///
/// ```
/// use limitra_core::web::TrustedProxies;
///
/// let by_address = TrustedProxies::new(["loopback", "203.0.113.0/24", "2001:db8:1::5"])?;
/// let by_number = TrustedProxies::hops(2);
///
/// let mistake = TrustedProxies::new(["10.0.0.0/33"]).unwrap_err();
/// assert!(mistake.to_string().starts_with("`10.0.0.0/33` is no trusted proxy"));
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TrustedProxies(Trust);

#[derive(Clone, Debug)]
enum Trust {
    Networks(Arc<[IpNet]>),
    Hops(u8),
}

const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1"];
const PRIVATE: [&str; 6] =
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"];

impl TrustedProxies {
    /// Proxies of these addresses and networks: `192.0.2.1`, `10.0.0.0/8`, `2001:db8::/32`, or the words `loopback` and
    /// `private` for what [`TrustedProxies::loopback`] and [`TrustedProxies::private`] trust. None at all is nobody.
    ///
    /// Networks of IPv4 addresses in IPv6 clothes (`::ffff:10.0.0.0/104`) are networks of IPv4 addresses.
    ///
    /// # Errors
    /// [`ConfigurationError::TrustedProxy`] for what is neither, and [`ConfigurationError::EverybodyTrusted`] for networks
    /// of everybody (`0.0.0.0/0`), by which every client could name any address.
    pub fn new<T: AsRef<str>>(networks: impl IntoIterator<Item = T>) -> Result<Self, ConfigurationError> {
        let mut trusted = Vec::new();
        for network in networks {
            match network.as_ref().trim() {
                "loopback" => trusted.extend(preset(&LOOPBACK)),
                "private" => trusted.extend(preset(&LOOPBACK).chain(preset(&PRIVATE))),
                text => trusted.push(read(text)?),
            }
        }
        Ok(Self(Trust::Networks(trusted.into())))
    }

    /// Proxies on this machine: `127.0.0.0/8` and `::1`.
    pub fn loopback() -> Self {
        Self(Trust::Networks(preset(&LOOPBACK).collect()))
    }

    /// Proxies on this machine and in private networks: `10.0.0.0/8`, `172.16.0.0/12`, `192.168.0.0/16`, `fc00::/7` and the
    /// link-local `169.254.0.0/16` and `fe80::/10`. So everybody in those networks is trusted.
    pub fn private() -> Self {
        Self(Trust::Networks(preset(&LOOPBACK).chain(preset(&PRIVATE)).collect()))
    }

    /// So many proxies in front of this service, whatever their addresses: the client is the one that the outermost of them
    /// saw, which is the address at this place from the right.
    ///
    /// Only for a service that cannot be reached around them: whoever does so names any address. A peer without an
    /// address (a unix socket) is the first of them. 0 is nobody; of more than 64 no more addresses are read.
    pub const fn hops(proxies: u8) -> Self {
        Self(Trust::Hops(proxies))
    }

    /// Whether nobody is believed, so that no header is looked at.
    pub(super) fn are_none(&self) -> bool {
        match &self.0 {
            Trust::Networks(networks) => networks.is_empty(),
            Trust::Hops(proxies) => *proxies == 0,
        }
    }

    /// Whether this one is believed, so many hops from here.
    #[inline]
    pub(super) fn trust(&self, address: Option<IpAddr>, hop: usize) -> bool {
        match &self.0 {
            Trust::Networks(networks) => {
                address.is_some_and(|address| networks.iter().any(|network| network.contains(&address)))
            }
            Trust::Hops(proxies) => hop < usize::from(*proxies),
        }
    }
}

/// Texts of our own, which can be read.
fn preset(networks: &'static [&'static str]) -> impl Iterator<Item = IpNet> {
    networks.iter().filter_map(|network| read(network).ok())
}

fn read(text: &str) -> Result<IpNet, ConfigurationError> {
    let mistake = || ConfigurationError::TrustedProxy { value: text.chars().take(64).collect() };
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| mistake())?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => digits.parse().ok(),
        Some(_) => None,
        None => Some(bits),
    };
    let canonical = address.to_canonical();
    let clothes = if canonical == address { 0 } else { 96 };
    let prefix: u8 = prefix.filter(|prefix| *prefix <= bits).ok_or_else(mistake)?;
    let prefix = prefix.checked_sub(clothes).ok_or_else(mistake)?;
    if prefix == 0 {
        return Err(ConfigurationError::EverybodyTrusted { value: text.chars().take(64).collect() });
    }
    IpNet::new(canonical, prefix).map_err(|_| mistake())
}
