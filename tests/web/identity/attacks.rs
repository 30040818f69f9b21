//! The attacks in `data/client_ip.txt`.

use std::net::{IpAddr, SocketAddr};

use limitra::web::{ClientIp, TrustedProxies};

use crate::requests::{client, request};

const FILE: &str = include_str!("../../data/client_ip.txt");

/// The three set-ups that each attack is held against, as the file explains them.
fn set_ups() -> [TrustedProxies; 3] {
    [
        TrustedProxies::new(["10.0.0.9"]).unwrap(),
        TrustedProxies::new(["private", "203.0.113.0/24", "2001:db8:cd::/48"]).unwrap(),
        TrustedProxies::hops(2),
    ]
}

fn by(header: &str, proxies: TrustedProxies) -> ClientIp {
    match header {
        "peer" => ClientIp::peer(),
        "x-forwarded-for" => ClientIp::x_forwarded_for(proxies),
        "forwarded" => ClientIp::forwarded(proxies),
        name => ClientIp::header(name, proxies).unwrap(),
    }
}

/// A header's value: `\xff` is a byte, `\t` a tab, and `<3*ab>` is `ababab`.
fn value(text: &str) -> Vec<u8> {
    let mut value = Vec::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        if let Some(hexadecimal) = rest.strip_prefix("\\x") {
            value.push(u8::from_str_radix(&hexadecimal[..2], 16).unwrap());
            rest = &hexadecimal[2..];
        } else if let Some(after) = rest.strip_prefix("\\t") {
            value.push(b'\t');
            rest = after;
        } else if let Some(repeated) = rest.strip_prefix('<') {
            let (repeated, after) = repeated.split_once('>').unwrap();
            let (times, what) = repeated.split_once('*').unwrap();
            value.extend(what.repeat(times.parse().unwrap()).bytes());
            rest = after;
        } else {
            let (letter, after) = rest.split_at(letter.len_utf8());
            value.extend(letter.bytes());
            rest = after;
        }
    }
    value
}

#[test]
fn the_client_is_who_the_outermost_trusted_proxy_saw_whatever_an_attacker_sends() {
    let (mut name, mut peer) = ("", None);
    let mut headers: Vec<(&str, Vec<u8>)> = Vec::new();
    let (mut expectations, mut wrong) = (0, Vec::new());
    for line in FILE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(heading) = line.strip_prefix("== ") {
            (name, peer) = (heading, None);
            headers.clear();
        } else if let Some(address) = line.strip_prefix("from ") {
            let address = address.parse().map(|ip: IpAddr| SocketAddr::new(ip, 4711));
            peer = Some(address.or_else(|_| line[5..].parse()).unwrap());
        } else if let Some(header) = line.strip_prefix("> ") {
            let (header, text) = header.split_once(": ").unwrap();
            headers.push((header, value(text)));
        } else {
            let (by_header, expected) = line.split_once(" = ").unwrap();
            let expected: Vec<&str> = expected.split(" | ").collect();
            for (set_up, proxies) in set_ups().into_iter().enumerate() {
                let expected = expected.get(set_up).or(expected.last()).unwrap();
                let expected = (*expected != "nobody").then(|| expected.parse::<IpAddr>().unwrap());
                let found = client(&by(by_header, proxies), &request(peer, &headers));
                if found != expected {
                    wrong.push(format!("{name}, {by_header}, set-up {set_up}: {found:?}, not {expected:?}"));
                }
                expectations += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(expectations > 250, "{expectations}");
}
