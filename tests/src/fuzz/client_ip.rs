//! Who is calling, by headers that anybody may have written.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue};
use limitra::web::{ClientIp, Key, Peer, Request, TrustedProxies, key};

use super::at_once;
use super::tape::text;

pub(super) const WORDS: &[&str] = &[
    "x-forwarded-for: ",
    "forwarded: ",
    "x-real-ip: ",
    "cookie: ",
    "authorization: Bearer ",
    "for=",
    ";host=\"",
    "\"",
    "\\",
    ",",
    ", ",
    ";",
    "=",
    "session=",
    "unknown",
    "_hidden",
    "10.0.0.1",
    "192.0.2.7",
    "[2001:db8::7]:80",
    "::ffff:",
    "%eth0",
    "/8",
    "\n",
    "\t",
    "%",
];

/// Whom the proxy next to the service saw.
const SEEN: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

/// The first line is a peer's address or networks to be trusted, each further one a header.
///
/// Whoever is not trusted is himself; what an honest proxy appends is believed whatever stands before it; an address is never an
/// IPv4 one in IPv6 clothes; no kind of key panics, and a token's never holds the token.
pub(super) fn run(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let first = text(lines.next().unwrap_or_default());
    let peer: Option<IpAddr> = first.parse().ok();
    if let Err(mistake) = TrustedProxies::new(first.split(',')) {
        assert!(mistake.to_string().len() < 1024);
    }
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let value = line[colon + 1..].trim_ascii();
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(value))
            && headers.try_append(name, value).is_err()
        {
            return;
        }
    }

    for proxies in [TrustedProxies::private(), TrustedProxies::hops(2)] {
        for by in ways(proxies) {
            if let Some(found) = of(&by, &headers, peer) {
                assert_eq!(found, found.to_canonical());
            }
        }
    }
    let stranger = IpAddr::from([198, 51, 100, 66]);
    for by in ways(TrustedProxies::private()) {
        assert_eq!(of(&by, &headers, Some(stranger)), Some(stranger), "{headers:?}");
    }
    let secret = headers.get("authorization").map(|value| value.as_bytes().to_vec());
    for (index, key) in keys().iter().enumerate() {
        let request = request(&headers, peer);
        let Ok(parts) = at_once(key.identify(&Request::of(&request))) else { continue };
        assert!(index > 0 || parts[0].as_bytes().len() == 32 && secret.is_some());
    }

    append(&mut headers, "x-forwarded-for", "192.0.2.7");
    append(&mut headers, "forwarded", "proto=https;for=\"192.0.2.7:80\"");
    let proxy = Some(IpAddr::from([10, 0, 0, 9]));
    for proxies in [TrustedProxies::private(), TrustedProxies::hops(1)] {
        for by in [ClientIp::x_forwarded_for(proxies.clone()), ClientIp::forwarded(proxies)] {
            assert_eq!(of(&by, &headers, proxy), Some(SEEN), "{headers:?}");
        }
    }
}

fn ways(proxies: TrustedProxies) -> [ClientIp; 3] {
    [
        ClientIp::x_forwarded_for(proxies.clone()),
        ClientIp::forwarded(proxies.clone()),
        ClientIp::header("x-real-ip", proxies).unwrap(),
    ]
}

fn keys() -> [Key; 4] {
    [
        key::bearer_token(),
        key::cookie("session").unwrap(),
        key::header("x-real-ip").unwrap().or(key::peer_ip()),
        key::client_ip(ClientIp::forwarded(TrustedProxies::hops(3)).prefix(24, 48).unwrap()),
    ]
}

fn request(headers: &HeaderMap, peer: Option<IpAddr>) -> http::Request<()> {
    let mut request = http::Request::new(());
    *request.headers_mut() = headers.clone();
    if let Some(peer) = peer {
        request.extensions_mut().insert(Peer(SocketAddr::new(peer, 4711)));
    }
    request
}

fn of(by: &ClientIp, headers: &HeaderMap, peer: Option<IpAddr>) -> Option<IpAddr> {
    by.of(&Request::of(&request(headers, peer)))
}

/// As a proxy does: behind what stands in the last line, if there is one.
fn append(headers: &mut HeaderMap, name: &'static str, element: &str) {
    let mut lines: Vec<Vec<u8>> = headers.get_all(name).iter().map(|line| line.as_bytes().to_vec()).collect();
    match lines.last_mut() {
        Some(line) => line.extend_from_slice(format!(", {element}").as_bytes()),
        None => lines.push(element.into()),
    }
    headers.remove(name);
    for line in lines {
        headers.append(name, HeaderValue::from_bytes(&line).unwrap());
    }
}
