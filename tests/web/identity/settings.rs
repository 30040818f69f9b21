//! Settings that cannot work.

use limitra::ConfigurationError;
use limitra::web::{ClientIp, TrustedProxies, key};

fn mistake(network: &str) -> ConfigurationError {
    TrustedProxies::new(["127.0.0.1", network]).unwrap_err()
}

#[test]
fn proxies_are_addresses_and_networks_of_both_kinds() {
    let networks = [
        "192.0.2.1",
        " 10.0.0.0/8 ",
        "10.1.2.3/8",
        "::1",
        "2001:db8::/32",
        "::ffff:192.0.2.1",
        "::ffff:10.0.0.0/104",
        "fc00::/7",
        "0.0.0.0/1",
        "loopback",
        "private",
    ];
    assert!(TrustedProxies::new(networks).is_ok());
    assert!(TrustedProxies::new("loopback, 192.0.2.1".split(',')).is_ok());
    assert!(TrustedProxies::new([""; 0]).is_ok());
}

#[test]
fn what_is_no_proxy_is_named_with_the_remedy() {
    for network in [
        "",
        "/",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "10.0.0.0/8/8",
        "10.0.0.0/255.0.0.0",
        "::/129",
        "::1/999",
        "010.0.0.0/8",
        "10.0.0",
        "localhost",
        "[::1]",
        "::1%eth0",
        "192.0.2.1:80",
        "::ffff:10.0.0.0/8",
        "Private",
        "*",
    ] {
        let mistake = mistake(network);
        assert!(matches!(mistake, ConfigurationError::TrustedProxy { .. }), "{network}: {mistake}");
        assert!(
            mistake.to_string().starts_with(&format!("`{network}` is no trusted proxy; give")),
            "{mistake}"
        );
    }
    assert!(mistake(&"x".repeat(10_000)).to_string().len() < 200);
}

#[test]
fn to_trust_everybody_is_a_mistake() {
    for network in ["0.0.0.0/0", "::/0", "192.0.2.1/0", "::ffff:0.0.0.0/96"] {
        let mistake = mistake(network);
        assert!(matches!(mistake, ConfigurationError::EverybodyTrusted { .. }), "{network}: {mistake}");
        assert!(mistake.to_string().contains("TrustedProxies::hops"));
    }
}

#[test]
fn a_prefix_has_as_many_bits_as_an_address_at_most() {
    for (v4, v6, told) in [
        (0, 64, "a prefix of IPv4 addresses has 1 to 32 bits, not 0"),
        (33, 64, "a prefix of IPv4 addresses has 1 to 32 bits, not 33"),
        (32, 0, "a prefix of IPv6 addresses has 1 to 128 bits, not 0"),
        (32, 129, "a prefix of IPv6 addresses has 1 to 128 bits, not 129"),
    ] {
        assert_eq!(ClientIp::peer().prefix(v4, v6).unwrap_err().to_string(), told);
    }
}

#[test]
fn a_header_and_a_cookie_have_names_that_http_allows() {
    for name in ["", "x api", "x:y", "é", "a\n"] {
        let mistake = key::header(name).unwrap_err();
        assert!(matches!(mistake, ConfigurationError::HeaderName { .. }), "{name:?}: {mistake}");
        assert!(ClientIp::header(name, TrustedProxies::loopback()).is_err());
    }
    for name in ["", "my session", "a=b", "a;b", "é", "\"a\""] {
        let mistake = key::cookie(name).unwrap_err();
        assert!(matches!(mistake, ConfigurationError::CookieName { .. }), "{name:?}: {mistake}");
    }
    assert!(key::header(http::header::FORWARDED).is_ok() && key::cookie("__Host-id").is_ok());
}
