//! One address, as a proxy writes it.

use std::net::{IpAddr, Ipv6Addr};

/// A longer text is no address.
const LONGEST: usize = 80;

/// An address as text: `192.0.2.7`, `192.0.2.7:80`, `2001:db8::7`, `[2001:db8::7]` or `[2001:db8::7]:80`, spaces and
/// tabs around it left out. Zones (`%eth0`) are dropped, and an IPv4 address in IPv6 clothes is an IPv4 address.
///
/// `None` of anything else: `unknown`, names, leading zeros, hexadecimal or missing octets, ports above 65535.
pub(crate) fn address(text: &[u8]) -> Option<IpAddr> {
    let text = trimmed(text);
    if text.len() > LONGEST || !text.is_ascii() {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    if let Some(text) = text.strip_prefix('[') {
        let (address, rest) = text.split_once(']')?;
        let port = rest.strip_prefix(':');
        return (rest.is_empty() || port.is_some_and(is_port)).then(|| v6(address)).flatten();
    }
    match text.split_once(':') {
        Some((_, rest)) if rest.contains(':') => v6(text),
        Some((address, port)) if is_port(port) => Some(IpAddr::V4(address.parse().ok()?)),
        Some(_) => None,
        None => Some(IpAddr::V4(text.parse().ok()?)),
    }
}

fn v6(text: &str) -> Option<IpAddr> {
    let address = match text.split_once('%') {
        Some((address, zone)) => is_word(zone).then_some(address)?,
        None => text,
    };
    let address: Ipv6Addr = address.parse().ok()?;
    Some(IpAddr::V6(address).to_canonical())
}

/// A port's digits, or the name that hides one (RFC 7239, section 6).
fn is_port(text: &str) -> bool {
    match text.strip_prefix('_') {
        Some(name) => is_word(name),
        None => text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok(),
    }
}

fn is_word(text: &str) -> bool {
    let in_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'~' | b'%');
    !text.is_empty() && text.bytes().all(in_word)
}

/// Without the spaces and tabs around it.
pub(crate) fn trimmed(text: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = text.iter().position(|byte| !is_space(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    text.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_in_each_form_that_proxies_write() -> Result<(), std::net::AddrParseError> {
        for (text, expected) in [
            ("192.0.2.7", "192.0.2.7"),
            (" \t192.0.2.7\t ", "192.0.2.7"),
            ("192.0.2.7:0", "192.0.2.7"),
            ("192.0.2.7:65535", "192.0.2.7"),
            ("192.0.2.7:_hidden", "192.0.2.7"),
            ("2001:db8::7", "2001:db8::7"),
            ("2001:DB8:0::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:443", "2001:db8::7"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%25eth0]:80", "fe80::1"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("[::ffff:c000:207]:80", "192.0.2.7"),
        ] {
            assert_eq!(address(text.as_bytes()), Some(expected.parse()?), "{text}");
        }
        Ok(())
    }

    #[test]
    fn whatever_else_is_no_address() {
        for text in [
            "",
            " ",
            "unknown",
            "_hidden",
            "localhost",
            "example.com",
            "010.0.0.1",
            "192.0.2",
            "192.0.2.7.1",
            "192.0.2.256",
            "0xc0.0.2.7",
            "0xc0000207",
            "3221225991",
            "192.0.2.-7",
            "+1.2.3.4",
            "192.0.2.7/32",
            "192.0.2.7:",
            "192.0.2.7:65536",
            "192.0.2.7:+80",
            "192.0.2.7:8 0",
            "192.0.2.7:_",
            ":80",
            "192.0.2.7 192.0.2.8",
            "[192.0.2.7]",
            "[192.0.2.7]:80",
            "[2001:db8::7",
            "2001:db8::7]",
            "[2001:db8::7]80",
            "[2001:db8::7]:",
            "[]",
            "[[2001:db8::7]]",
            "2001:db8:::7",
            "1:2:3:4:5:6:7:8:9",
            "12345::",
            "fe80::1%",
            "fe80::1%a b",
            "fe80::1%é",
            "192.0.2.7%eth0",
            "192.0.2.\u{0667}",
            "\"192.0.2.7\"",
            "'192.0.2.7'",
            "192.0.2.7\0",
            "192.0.2.7\r\n",
            "-",
        ] {
            assert_eq!(address(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(address(b"192.0.2.\xff"), None);
        assert_eq!(address(&[b'1'; 300]), None);
        assert_eq!(address(format!("fe80::1%{}", "a".repeat(300)).as_bytes()), None);
    }
}
