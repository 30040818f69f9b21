//! The network of an address, as an identifier.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::error::ConfigurationError;
use crate::identifier::Identifier;
use crate::short_text::{Backwards, ShortText};

/// How many leading bits of an address count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefixes {
    v4: u8,
    v6: u8,
}

impl Prefixes {
    /// An IPv4 address is a caller, and so is an IPv6 network of 64 bits: whoever has one of its addresses has all of them.
    pub(crate) const DEFAULT: Self = Self { v4: 32, v6: 64 };

    pub(crate) fn new(v4: u8, v6: u8) -> Result<Self, ConfigurationError> {
        for (version, prefix, most) in [(4, v4, 32), (6, v6, 128)] {
            if prefix == 0 || prefix > most {
                return Err(ConfigurationError::AddressPrefix { version, prefix, most });
            }
        }
        Ok(Self { v4, v6 })
    }

    /// The text of an address's network: `192.0.2.7`, `192.0.2.0/24`, `2001:db8::/64`. An address that counts
    /// whole stands without its prefix. An IPv4 address that a translator shows is one. Allocates nothing.
    pub(crate) fn identifier(self, address: IpAddr) -> Identifier<'static> {
        ShortText::written(|text| match translated(address) {
            IpAddr::V4(address) => {
                let behind = u32::MAX.checked_shr(u32::from(self.v4)).unwrap_or_default();
                prefix_into(self.v4, 32, text);
                text.v4(Ipv4Addr::from(u32::from(address) & !behind));
            }
            IpAddr::V6(address) => {
                let behind = u128::MAX.checked_shr(u32::from(self.v6)).unwrap_or_default();
                prefix_into(self.v6, 128, text);
                text.v6(Ipv6Addr::from(u128::from(address) & !behind));
            }
        })
        .into()
    }

    /// Whether an IPv4 address counts whole.
    #[inline]
    pub(crate) const fn are_whole_v4(self) -> bool {
        self.v4 == 32
    }
}

/// The IPv4 address in one of a translator's (`64:ff9b::/96`, RFC 6052), behind which all of them would be one network.
///
/// Only for telling callers apart: whose word is believed is said of addresses as they are.
fn translated(address: IpAddr) -> IpAddr {
    const PREFIX: u128 = 0x64_ff9b << 96;
    match address {
        IpAddr::V6(six) => match u32::try_from(u128::from(six) ^ PREFIX) {
            Ok(four) => Ipv4Addr::from(four).into(),
            Err(_) => address,
        },
        IpAddr::V4(_) => address,
    }
}

fn prefix_into(prefix: u8, whole: u8, text: &mut Backwards<'_>) {
    if prefix != whole {
        text.number(prefix.into());
        text.put(b'/');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(address: IpAddr, prefixes: Prefixes) -> String {
        String::from_utf8_lossy(prefixes.identifier(address).as_bytes()).into_owned()
    }

    #[test]
    fn a_network_is_an_address_without_the_bits_behind_its_prefix() -> Result<(), Box<dyn std::error::Error>>
    {
        for (address, v4, v6, network) in [
            ("192.0.2.255", 32, 64, "192.0.2.255"),
            ("192.0.2.255", 31, 64, "192.0.2.254/31"),
            ("192.0.2.255", 24, 64, "192.0.2.0/24"),
            ("192.0.2.255", 1, 64, "128.0.0.0/1"),
            ("2001:db8:1:2:3:4:5:6", 32, 128, "2001:db8:1:2:3:4:5:6"),
            ("2001:db8:1:2:3:4:5:6", 32, 64, "2001:db8:1:2::/64"),
            ("2001:db8:1:2:3:4:5:6", 32, 48, "2001:db8:1::/48"),
            (
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                32,
                127,
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127",
            ),
            ("ffff::", 32, 1, "8000::/1"),
            ("::1", 32, 64, "::/64"),
            ("64:ff9b::192.0.2.255", 32, 64, "192.0.2.255"),
            ("64:ff9b::192.0.2.255", 24, 64, "192.0.2.0/24"),
            ("64:ff9b::1:0:1", 32, 64, "64:ff9b::/64"),
            ("64:ff9b:1::192.0.2.255", 32, 64, "64:ff9b:1::/64"),
        ] {
            assert_eq!(text(address.parse()?, Prefixes::new(v4, v6)?), network);
        }
        Ok(())
    }

    #[test]
    fn a_prefix_of_no_or_too_many_bits_is_a_mistake() {
        for (v4, v6) in [(0, 64), (33, 64), (24, 0), (24, 129), (255, 255)] {
            assert!(Prefixes::new(v4, v6).is_err(), "{v4} {v6}");
        }
        assert!(Prefixes::new(1, 1).is_ok() && Prefixes::new(32, 128).is_ok());
    }
}
