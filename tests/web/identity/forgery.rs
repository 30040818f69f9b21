//! Whatever a client sends, the client is the address that the outermost trusted proxy saw.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use limitra::web::{ClientIp, TrustedProxies};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::requests::{client, request};

/// How a proxy writes down whom it saw.
#[derive(Clone, Debug)]
struct Hand {
    is_port_written: bool,
    is_mapped: bool,
    is_new_line: bool,
    separator: &'static str,
    /// What the client asked for, which a proxy may repeat between quotes.
    host: String,
}

fn hand() -> impl Strategy<Value = Hand> {
    let separator = prop::sample::select(vec![",", ", ", " ,\t", ",, "]);
    (any::<[bool; 3]>(), separator, "[a\"\\\\,;= for1.]{0,20}").prop_map(|(flags, separator, host)| Hand {
        is_port_written: flags[0],
        is_mapped: flags[1],
        is_new_line: flags[2],
        separator,
        host,
    })
}

impl Hand {
    fn address(&self, address: IpAddr) -> String {
        let address = match address {
            IpAddr::V4(address) if self.is_mapped => IpAddr::V6(address.to_ipv6_mapped()),
            address => address,
        };
        match (address, self.is_port_written) {
            (address, false) => address.to_string(),
            (address, true) => SocketAddr::new(address, 4711).to_string(),
        }
    }

    fn element(&self, address: IpAddr) -> String {
        let address = self.address(address).replacen('[', "\"[", 1);
        let address = match address.strip_prefix('"') {
            Some(address) => format!("\"{address}\""),
            None if address.matches(':').count() > 1 => format!("\"[{address}]\""),
            None => format!("\"{address}\""),
        };
        let host = self.host.replace('\\', "\\\\").replace('"', "\\\"");
        format!("proto=https;For={address};host=\"{host}\"")
    }
}

/// What a client can put into a header: any bytes that a server lets through, and much that looks like an address.
fn forged() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        "1.1.1.1",
        "10.0.0.1",
        "fc00::1",
        "for=",
        "for=1.1.1.1",
        "\"",
        "\\",
        ",",
        ";",
        "unknown",
        "[::1]",
        ":80",
        " ",
        "\t",
        "host=\"",
    ]);
    let byte = prop_oneof![Just(9_u8), 32..=126_u8, 128..=255_u8];
    vec(prop_oneof![word.prop_map(|word| word.as_bytes().to_vec()), vec(byte, 0..8)], 0..12)
        .prop_map(|pieces| pieces.concat())
}

fn public() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 2]>().prop_map(|rest| IpAddr::from([192, 0, rest[0], rest[1]])),
        any::<[u16; 6]>()
            .prop_map(|[a, b, c, d, e, f]| Ipv6Addr::new(0x2001, 0xdb8, a, b, c, d, e, f).into()),
    ]
}

fn private() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 3]>().prop_map(|rest| IpAddr::from([10, rest[0], rest[1], rest[2]])),
        any::<[u16; 3]>().prop_map(|[a, b, c]| Ipv6Addr::new(0xfd00, 0, 0, 0, 0, a, b, c).into()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_a_client_sends_moves_its_address(
        real in public(),
        forged in vec(forged(), 0..4),
        chain in vec((private(), hand()), 1..6),
    ) {
        for (name, is_forwarded) in [("x-forwarded-for", false), ("forwarded", true)] {
            let mut lines = forged.clone();
            let mut seen = real;
            for (proxy, hand) in &chain {
                let element = if is_forwarded { hand.element(seen) } else { hand.address(seen) };
                match lines.last_mut() {
                    Some(line) if !hand.is_new_line => {
                        line.extend_from_slice(hand.separator.as_bytes());
                        line.extend_from_slice(element.as_bytes());
                    }
                    _ => lines.push(element.into_bytes()),
                }
                seen = *proxy;
            }
            let headers: Vec<_> = lines.into_iter().map(|line| (name, line)).collect();
            let request = request(Some(SocketAddr::new(seen, 4711)), &headers);
            let hops = TrustedProxies::hops(u8::try_from(chain.len()).unwrap());
            for proxies in [TrustedProxies::private(), hops] {
                let by = if is_forwarded { ClientIp::forwarded(proxies) } else { ClientIp::x_forwarded_for(proxies) };
                prop_assert_eq!(client(&by, &request), Some(real), "{:?} {:?}", by, request.headers());
            }
        }
    }

    #[test]
    fn a_stranger_who_connects_by_himself_is_who_he_is(real in public(), forged in vec(forged(), 0..4)) {
        for name in ["x-forwarded-for", "forwarded", "x-real-ip"] {
            let headers: Vec<_> = forged.iter().map(|line| (name, line)).collect();
            let request = request(Some(SocketAddr::new(real, 4711)), &headers);
            for by in [
                ClientIp::x_forwarded_for(TrustedProxies::private()),
                ClientIp::forwarded(TrustedProxies::private()),
                ClientIp::header("x-real-ip", TrustedProxies::private()).unwrap(),
                ClientIp::peer(),
            ] {
                prop_assert_eq!(client(&by, &request), Some(real));
            }
        }
    }

    #[test]
    fn a_header_of_any_bytes_names_the_peer_or_an_address_that_is_read_alike_again(lines in vec(forged(), 0..4)) {
        let peer = IpAddr::from([10, 0, 0, 9]);
        for name in ["x-forwarded-for", "forwarded", "x-real-ip"] {
            let headers: Vec<_> = lines.iter().map(|line| (name, line)).collect();
            let peered = request(Some(SocketAddr::new(peer, 1)), &headers);
            for by in [
                ClientIp::x_forwarded_for(TrustedProxies::private()),
                ClientIp::forwarded(TrustedProxies::hops(3)),
                ClientIp::header("x-real-ip", TrustedProxies::private()).unwrap(),
            ] {
                let found = client(&by, &peered).unwrap();
                prop_assert_eq!(found, found.to_canonical());
                let again = request(Some(SocketAddr::new(peer, 1)), &[("x-real-ip", found.to_string())]);
                let by = ClientIp::header("x-real-ip", TrustedProxies::private()).unwrap();
                prop_assert_eq!(client(&by, &again), Some(found));
            }
        }
    }
}
