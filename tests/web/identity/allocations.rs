//! To find out whose address a request is from allocates nothing.

use std::hint::black_box;

use allocation_counter::measure;
use limitra::web::{ClientIp, TrustedProxies};

use crate::requests::{client, request};

#[test]
fn an_address_behind_proxies_is_found_without_an_allocation() {
    let request = request(
        Some("10.0.0.9:1".parse().unwrap()),
        &[
            ("x-forwarded-for", "1.1.1.1, \"forged\", [2001:db8::7]:80, 10.0.0.8"),
            ("forwarded", "for=1.1.1.1, for=\"[2001:db8::7]:80\";host=\"a\\\"b\", for=10.0.0.8"),
            ("x-real-ip", "2001:db8::7"),
        ],
    );
    for by in [
        ClientIp::x_forwarded_for(TrustedProxies::private()),
        ClientIp::forwarded(TrustedProxies::private()),
        ClientIp::header("x-real-ip", TrustedProxies::private()).unwrap(),
    ] {
        let mut found = None;
        let allocations = measure(|| found = black_box(client(&by, &request))).count_total;
        assert_eq!((allocations, found), (0, Some("2001:db8::7".parse().unwrap())), "{by:?}");
    }
}
