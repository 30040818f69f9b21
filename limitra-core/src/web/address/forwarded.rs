//! One element of the header `Forwarded` (RFC 7239).

use std::net::IpAddr;

use super::hop;

/// The address of `for=` in an element. `None` if there is none or two, if it hides (`unknown`, `_name`), or if the
/// element is not what the RFC says. A value with a colon or brackets need not stand in quotes: some proxies forget them.
pub(super) fn address(element: &[u8]) -> Option<IpAddr> {
    let (mut rest, mut found) = (Some(element), None);
    while let Some(pairs) = rest {
        let pair;
        (pair, rest) = first_pair(pairs);
        let pair = hop::trimmed(pair);
        if pair.is_empty() {
            continue;
        }
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = pair.split_at_checked(equals)?;
        let value = unquoted(value.get(1..)?)?;
        if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
            return None;
        }
        if name.eq_ignore_ascii_case(b"for") && found.replace(value).is_some() {
            return None;
        }
    }
    let found = found?;
    // No space belongs into a value.
    if found.len() == hop::trimmed(found).len() { hop::address(found) } else { None }
}

/// What stands before the first semicolon outside quotes, and what behind it.
fn first_pair(pairs: &[u8]) -> (&[u8], Option<&[u8]>) {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let semicolon = pairs.iter().position(|byte| {
        let is_end = !is_quoted && *byte == b';';
        is_quoted ^= *byte == b'"' && !is_escaped;
        is_escaped = is_quoted && !is_escaped && *byte == b'\\';
        is_end
    });
    match semicolon.and_then(|at| pairs.split_at_checked(at)) {
        Some((pair, rest)) => (pair, rest.get(1..)),
        None => (pairs, None),
    }
}

/// A value without its quotes, between which there may be nothing; `None` if they are not two. An address has no escapes:
/// they stay.
fn unquoted(value: &[u8]) -> Option<&[u8]> {
    let Some(value) = value.strip_prefix(b"\"") else {
        let is_bare = !value.iter().any(|byte| matches!(byte, b'"' | b' ' | b'\t' | b'\\'));
        return (is_bare && !value.is_empty()).then_some(value);
    };
    let inner = value.strip_suffix(b"\"")?;
    let mut is_escaped = false;
    let is_one = inner.iter().all(|byte| {
        let is_quote = *byte == b'"' && !is_escaped;
        is_escaped = !is_escaped && *byte == b'\\';
        !is_quote
    });
    (is_one && !is_escaped).then_some(inner)
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_a_request_is_for_is_read_as_the_rfc_writes_it() -> Result<(), std::net::AddrParseError> {
        for (element, expected) in [
            ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
            ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("FOR=\"192.0.2.60:_p\"", "192.0.2.60"),
            ("by=_a;host=\"a;for=1.1.1.1,\\\"b\";for=192.0.2.60", "192.0.2.60"),
            (";; for=192.0.2.60 ;\t;", "192.0.2.60"),
            ("for=192.0.2.60;host=\"\"", "192.0.2.60"),
            ("for=[2001:db8::1]:80", "2001:db8::1"),
            ("for=\"2001:db8::1\"", "2001:db8::1"),
            ("for=\"::ffff:192.0.2.60\"", "192.0.2.60"),
        ] {
            assert_eq!(address(element.as_bytes()), Some(expected.parse()?), "{element}");
        }
        Ok(())
    }

    #[test]
    fn an_element_that_hides_or_is_malformed_is_for_nobody() {
        for element in [
            "",
            ";",
            "for",
            "for=",
            "for=\"\"",
            "for=unknown",
            "for=_hidden",
            "for=\"_SEVKISEK\"",
            "by=192.0.2.60",
            "proto=https",
            "for=192.0.2.60;for=192.0.2.61",
            "for=192.0.2.60;FOR=192.0.2.60",
            "for = 192.0.2.60",
            "for= 192.0.2.60",
            "for =192.0.2.60",
            "for=\"192.0.2.60",
            "for=192.0.2.60\"",
            "for=\"192.0.2.60\"x",
            "for=\"192.0.2.60\"\"\"",
            "for=\" 192.0.2.60\"",
            "for=\"192.0.2.60 \"",
            "for=\"\\192.0.2.60\"",
            "192.0.2.60",
            "for=192.0.2.60;=x",
            "for=192.0.2.60;x=",
            "for=192.0.2.60;x",
            "for=192.0.2.60;host=\"a",
            "for=192.0.2.60;ho st=a",
            "xfor=192.0.2.60",
            "for=\"192.0.2.60\\\"",
            "for==192.0.2.60",
            "for='192.0.2.60'",
        ] {
            assert_eq!(address(element.as_bytes()), None, "{element:?}");
        }
    }
}
