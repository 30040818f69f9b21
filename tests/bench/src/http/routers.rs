//! Services that differ in what limits them.

use std::hint::black_box;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use axum::routing::get;
use governor::clock::QuantaInstant;
use governor::middleware::NoOpMiddleware;
use tower::layer::util::Identity;
use tower::util::MapResponseLayer;
use tower_governor::GovernorLayer;
use tower_governor::governor::{GovernorConfig, GovernorConfigBuilder};
use tower_governor::key_extractor::{GlobalKeyExtractor, KeyExtractor, PeerIpKeyExtractor};

use limitra::Algorithm;
use limitra::web::{Headers, HttpLimiter, Key, key};

use crate::limiters::{Allowance, limits};

use super::handlers::{bare, for_all, for_each, once_for_all, once_for_each};

/// The layer of `tower_governor`, without headers of its own.
type Layer<K> = GovernorLayer<K, NoOpMiddleware<QuantaInstant>, Body>;

/// A service, and what it should answer.
pub(super) struct Contestant {
    pub(super) case: &'static str,
    pub(super) subject: &'static str,
    pub(super) router: Router,
    pub(super) is_allowed: bool,
}

const ALLOWED_ALL: &str = "allowed, a counter for all";
const ALLOWED_EACH: &str = "allowed, a counter for each address";
const DENIED_ALL: &str = "denied, a counter for all";
const DENIED_EACH: &str = "denied, a counter for each address";

/// The layer.
const LIMITRA: &str = "limitra";
/// A handler with `#[rate_limit]`.
const ATTRIBUTE: &str = "limitra, #[rate_limit] on the handler";
const HEADERS: &str = "limitra, headers on every response";
pub(super) const GOVERNOR: &str = "tower_governor";
pub(super) const NOTHING: &str = "no limit, a layer that does nothing";

pub(super) fn all() -> Vec<Contestant> {
    let mut contestants = Vec::new();
    let mut add = |case, subject, router| {
        let is_allowed = [ALLOWED_ALL, ALLOWED_EACH].contains(&case);
        let router: Router = router;
        // As a server has it: its routes are made once, not for each request.
        let router = router.with_state(());
        contestants.push(Contestant { case, subject, router, is_allowed });
    };
    add(ALLOWED_ALL, LIMITRA, limited(Allowance::Ample, key::everyone(), Headers::default()));
    add(
        ALLOWED_ALL,
        HEADERS,
        limited(Allowance::Ample, key::everyone(), Headers::default().on_allowed(true)),
    );
    add(ALLOWED_ALL, ATTRIBUTE, Router::new().route("/", get(for_all)).with_state(limits()));
    add(ALLOWED_ALL, GOVERNOR, governed_for_all());
    add(ALLOWED_ALL, "no limit, no layer", handler());
    add(ALLOWED_ALL, NOTHING, bare_with_layer());
    add(ALLOWED_EACH, LIMITRA, limited(Allowance::Ample, key::peer_ip(), Headers::default()));
    add(
        ALLOWED_EACH,
        HEADERS,
        limited(Allowance::Ample, key::peer_ip(), Headers::default().on_allowed(true)),
    );
    add(ALLOWED_EACH, ATTRIBUTE, Router::new().route("/", get(for_each)).with_state(limits()));
    add(ALLOWED_EACH, GOVERNOR, handler().layer(ample(PeerIpKeyExtractor)));
    add(ALLOWED_EACH, NOTHING, bare_with_layer());
    add(DENIED_ALL, LIMITRA, limited(Allowance::One, key::everyone(), Headers::default()));
    add(DENIED_ALL, ATTRIBUTE, Router::new().route("/", get(once_for_all)).with_state(limits()));
    add(DENIED_ALL, GOVERNOR, handler().layer(one(GlobalKeyExtractor)));
    add(DENIED_EACH, LIMITRA, limited(Allowance::One, key::peer_ip(), Headers::default()));
    add(DENIED_EACH, ATTRIBUTE, Router::new().route("/", get(once_for_each)).with_state(limits()));
    add(DENIED_EACH, GOVERNOR, handler().layer(one(PeerIpKeyExtractor)));
    contestants
}

pub(super) fn handler() -> Router {
    Router::new().route("/", get(bare))
}

pub(super) fn bare_with_layer() -> Router {
    handler().layer(Identity::new())
}

/// Behind limitra's layer.
pub(super) fn limited(allowance: Allowance, key: Key, headers: Headers) -> Router {
    let limiter = allowance.limitra(Algorithm::Gcra, 1000);
    let limiter = HttpLimiter::builder().limit(&limiter, key).headers(headers).build().unwrap();
    handler().layer(limiter.layer())
}

/// Behind `tower_governor`'s layer, by address.
pub(super) fn governed(is_allowed: bool) -> Router {
    handler().layer(if is_allowed { ample(PeerIpKeyExtractor) } else { one(PeerIpKeyExtractor) })
}

/// The same with one counter for all.
pub(super) fn governed_for_all() -> Router {
    handler().layer(ample(GlobalKeyExtractor))
}

/// By address, with its headers on every response.
pub(super) fn governed_and_told() -> Router {
    let mut builder = GovernorConfigBuilder::default().key_extractor(PeerIpKeyExtractor);
    let config = builder.period(Duration::from_micros(1)).burst_size(1_000_000_000).use_headers().finish();
    handler().layer(GovernorLayer::<_, _, Body>::new(config.unwrap()))
}

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

/// Behind a layer that puts two headers, of which it makes one anew each time, and decides nothing: what telling costs by itself.
pub(super) fn told_by_hand() -> Router {
    let put = |mut response: Response| {
        let state = HeaderValue::from_bytes(black_box(b"\"default\";r=999999999;t=1")).unwrap();
        let headers = response.headers_mut();
        headers.insert(POLICY, HeaderValue::from_static("\"default\";q=1000000000;w=1000"));
        headers.insert(STATE, state);
        response
    };
    handler().layer(MapResponseLayer::new(put))
}

/// A million a second, a billion at once.
fn ample<K: KeyExtractor>(key: K) -> Layer<K> {
    layer(key, Duration::from_micros(1), 1_000_000_000)
}

/// One an hour.
fn one<K: KeyExtractor>(key: K) -> Layer<K> {
    layer(key, Duration::from_secs(3600), 1)
}

fn layer<K: KeyExtractor>(key: K, period: Duration, burst: u32) -> Layer<K> {
    let mut builder = GovernorConfigBuilder::default().key_extractor(key);
    let config: GovernorConfig<K, _> = builder.period(period).burst_size(burst).finish().unwrap();
    GovernorLayer::new(config)
}
