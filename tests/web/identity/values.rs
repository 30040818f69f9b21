//! Keys by a header, a cookie, a token, an address, or a function.

use limitra::web::{ClientIp, KeyError, TrustedProxies, key};
use limitra::{MemoryStorage, RateLimiter};

use crate::requests::{parts, request, who, with};

#[test]
fn a_header_is_who_it_says_byte_for_byte() {
    let key = key::header("x-api-key").unwrap();
    assert_eq!(who(&key, &with(&[("X-Api-Key", "K1 ")])), "K1 ");
    assert_eq!(parts(&key, &request(None, &[("x-api-key", b"\xff\x80")])).unwrap(), [b"\xff\x80"]);
    assert_eq!(who(&key, &with(&[("x-api-key", "")])), "");
    assert_eq!(who(&key, &with(&[("x-other", "K1")])), "no such header");
}

#[test]
fn headers_that_contradict_each_other_name_nobody() {
    let key = key::header("x-api-key").unwrap();
    assert_eq!(who(&key, &with(&[("x-api-key", "forged"), ("x-api-key", "real")])), "no such header");
    assert_eq!(who(&key, &with(&[("x-api-key", "real"), ("x-api-key", "real")])), "real");
}

#[test]
fn a_header_of_any_length_has_a_bounded_key_of_its_own() {
    let limiter =
        RateLimiter::builder().requests(1).window(60).storage(MemoryStorage::new()).build().unwrap();
    let key = key::header("x-api-key").unwrap();
    let of = |text: String| {
        let found = parts(&key, &with(&[("x-api-key", &text)])).unwrap();
        limiter.key(&found[0])
    };
    let (one, other) = (of(format!("{}1", "a".repeat(60_000))), of(format!("{}2", "a".repeat(60_000))));
    assert!(one.len() < 256 && one != other, "{one} {other}");
}

#[test]
fn a_cookie_is_found_among_others_on_any_line() {
    let key = key::cookie("session").unwrap();
    for cookies in [
        &["session=ada"][..],
        &["a=b; session=ada; c=d"],
        &["a=b;session=ada"],
        &["a=b", "session=ada"],
        &[" session = ada ;"],
        &["session=\"ada\""],
        &["session=%61da"],
        &["%73ession=ada"],
        &["session; =x; xsession=bob; session=ada; sessionx=bob; Session=bob"],
        &["session=ada; session=\"ada\"", "session=ad%61"],
    ] {
        let lines: Vec<_> = cookies.iter().map(|line| ("cookie", *line)).collect();
        assert_eq!(who(&key, &with(&lines)), "ada", "{cookies:?}");
    }
    assert_eq!(who(&key, &with(&[("cookie", "session=a=b")])), "a=b");
    assert_eq!(parts(&key, &request(None, &[("cookie", b"session=\xff")])).unwrap(), [b"\xff"]);
}

#[test]
fn cookies_that_are_empty_or_contradict_each_other_name_nobody() {
    let key = key::cookie("session").unwrap();
    for cookies in [
        &[][..],
        &[""],
        &["session"],
        &["session="],
        &["session=\"\""],
        &["other=ada"],
        &["session=forged; session=real"],
        &["session=forged", "a=b; session=real"],
        &["session=; session=real"],
    ] {
        let lines: Vec<_> = cookies.iter().map(|line| ("cookie", *line)).collect();
        assert_eq!(who(&key, &with(&lines)), "no such cookie", "{cookies:?}");
    }
}

#[test]
fn ten_thousand_cookies_are_gone_through_once() {
    let cookies = format!("{}session=ada", "session=ada; ".repeat(4_000));
    assert_eq!(who(&key::cookie("session").unwrap(), &with(&[("cookie", &cookies)])), "ada");
}

#[test]
fn a_token_is_known_by_its_digest_alone() {
    let key = key::bearer_token();
    // The first 128 bits of the SHA-256 of "secret".
    let digest = "2bb80d537b1da3e38bd30361aa855686";
    for credentials in ["Bearer secret", "bearer secret", "BEARER   secret "] {
        assert_eq!(who(&key, &with(&[("authorization", credentials)])), digest, "{credentials:?}");
    }
    let found = parts(&key, &with(&[("authorization", "Bearer secret")])).unwrap();
    assert!(!format!("{key:?}{found:?}").contains("secret"));
    let long = "t".repeat(50_000);
    assert_eq!(who(&key, &with(&[("authorization", &format!("Bearer {long}"))])).len(), 32);
}

#[test]
fn credentials_of_another_kind_are_no_token() {
    let key = key::bearer_token();
    for credentials in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer   ",
        "Bearersecret",
        "Basic c2VjcmV0",
        "secret",
        "Bearer a b",
        "Bearer a\tb",
        "Bearer\ta",
        " Bearer a",
    ] {
        assert_eq!(who(&key, &with(&[("authorization", credentials)])), "no bearer token", "{credentials:?}");
    }
    let two = with(&[("authorization", "Bearer forged"), ("authorization", "Bearer real")]);
    assert_eq!(who(&key, &two), "no bearer token");
    let two = with(&[("authorization", "Bearer a"), ("authorization", "Basic a")]);
    assert_eq!(who(&key, &two), "no bearer token");
    let spelled_twice = with(&[("authorization", "Bearer a"), ("authorization", "bearer  a")]);
    assert_eq!(who(&key, &spelled_twice), who(&key, &with(&[("authorization", "Bearer a")])));
    assert_eq!(who(&key, &with(&[])), "no bearer token");
}

#[test]
fn an_address_is_a_network_that_can_be_read() {
    let of = |peer: &str, client: ClientIp| {
        who(&key::client_ip(client), &request::<&str, &str>(Some(peer.parse().unwrap()), &[]))
    };
    let peer = ClientIp::peer;
    assert_eq!(of("192.0.2.7:1", peer()), "192.0.2.7");
    assert_eq!(of("[::ffff:192.0.2.7]:1", peer()), "192.0.2.7");
    assert_eq!(of("[2001:DB8:0:1::7]:1", peer()), "2001:db8:0:1::/64");
    assert_eq!(of("[2001:db8:0:1:ffff:0:0:1%3]:1", peer()), "2001:db8:0:1::/64");
    assert_eq!(of("192.0.2.7:1", peer().prefix(24, 48).unwrap()), "192.0.2.0/24");
    assert_eq!(of("[2001:db8:0:1::7]:1", peer().prefix(24, 48).unwrap()), "2001:db8::/48");
    assert_eq!(of("[2001:db8:0:1::7]:1", peer().prefix(32, 128).unwrap()), "2001:db8:0:1::7");
    assert_eq!(who(&key::peer_ip(), &with(&[("x-forwarded-for", "192.0.2.7")])), "no address");
}

#[test]
fn whoever_has_a_network_of_sixty_four_bits_is_one_caller_behind_a_proxy_too() {
    let key = key::client_ip(ClientIp::x_forwarded_for(TrustedProxies::loopback()));
    for rotated in ["2001:db8::1", "2001:db8:0:0:ffff::", "[2001:DB8::2]:80", "2001:db8::3%eth0"] {
        let request = request(Some("127.0.0.1:1".parse().unwrap()), &[("x-forwarded-for", rotated)]);
        assert_eq!(who(&key, &request), "2001:db8::/64", "{rotated}");
    }
}

#[test]
fn a_function_says_who_or_that_nobody_does_or_fails() {
    assert_eq!(who(&key::by(|request| Some(request.path().to_owned())), &with(&[])), "/");
    assert_eq!(who(&key::by(|_| Ok::<_, std::io::Error>(7_u64)), &with(&[])), "7");
    assert_eq!(who(&key::by(|_| None::<String>), &with(&[])), "no caller");
    let missing = key::by(|_| Err::<u64, _>(KeyError::Missing { what: "tenant" }));
    assert_eq!(who(&missing, &with(&[])), "no tenant");
    let failed = key::by(|_| "x".parse::<u64>());
    assert_eq!(
        who(&failed, &with(&[])),
        "who is calling could not be found out: invalid digit found in string"
    );
}

#[test]
fn a_function_may_be_waited_for() {
    let key = key::by_async(|request| {
        let path = request.path().to_owned();
        async move { Ok::<_, std::io::Error>(path) }
    });
    assert_eq!(who(&key, &with(&[])), "/");
    assert_eq!(who(&key::by_async(|_| async { None::<u64> }), &with(&[])), "no caller");
}

#[test]
fn an_invented_method_is_like_any_other_invented_one() {
    let of = |method: &str| {
        let mut request = with(&[]);
        *request.method_mut() = method.parse().unwrap();
        who(&key::method(), &request)
    };
    assert_eq!([of("GET"), of("PATCH"), of("get"), of("BREW")], ["GET", "PATCH", "other", "other"]);
}

#[test]
fn everyone_is_one_caller_and_so_is_a_constant() {
    assert_eq!(who(&key::everyone(), &with(&[("x-a", "b")])), "");
    assert_eq!(who(&key::constant("the whole"), &with(&[])), "the whole");
    assert_eq!(who(&key::route(), &with(&[])), "no route");
    assert_eq!(who(&key::path_parameter("id"), &with(&[])), "no such path parameter");
}

#[test]
fn nothing_of_a_request_stands_in_what_a_key_shows() {
    let key = key::constant("secret").and(key::by(|_| Some(1_u8))).or(key::cookie("session").unwrap());
    let shown = format!("{key:?}");
    assert_eq!(shown, "Either(Both(Constant(Identifier(..6 bytes)), By(..)), Cookie(\"session\"))");
}
