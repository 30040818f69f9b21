//! Services that differ in what limits them.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use governor::clock::QuantaInstant;
use governor::middleware::NoOpMiddleware;
use tower::layer::util::Identity;
use tower_governor::GovernorLayer;
use tower_governor::governor::{GovernorConfig, GovernorConfigBuilder};
use tower_governor::key_extractor::{GlobalKeyExtractor, KeyExtractor, PeerIpKeyExtractor};

use crate::limiters::limits;

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

/// A handler with `#[rate_limit]`.
const LIMITRA: &str = "limitra";
const GOVERNOR: &str = "tower_governor";

pub(super) fn all() -> Vec<Contestant> {
    let handler = || Router::new().route("/", get(bare));
    let mut contestants = Vec::new();
    let mut add = |case, subject, router| {
        let is_allowed = [ALLOWED_ALL, ALLOWED_EACH].contains(&case);
        contestants.push(Contestant { case, subject, router, is_allowed });
    };
    add(ALLOWED_ALL, LIMITRA, Router::new().route("/", get(for_all)).with_state(limits()));
    add(ALLOWED_ALL, GOVERNOR, handler().layer(ample(GlobalKeyExtractor)));
    add(ALLOWED_ALL, "no limit, no layer", handler());
    add(ALLOWED_ALL, "no limit, a layer that does nothing", handler().layer(Identity::new()));
    add(ALLOWED_EACH, LIMITRA, Router::new().route("/", get(for_each)).with_state(limits()));
    add(ALLOWED_EACH, GOVERNOR, handler().layer(ample(PeerIpKeyExtractor)));
    add(DENIED_ALL, LIMITRA, Router::new().route("/", get(once_for_all)).with_state(limits()));
    add(DENIED_ALL, GOVERNOR, handler().layer(one(GlobalKeyExtractor)));
    add(DENIED_EACH, LIMITRA, Router::new().route("/", get(once_for_each)).with_state(limits()));
    add(DENIED_EACH, GOVERNOR, handler().layer(one(PeerIpKeyExtractor)));
    contestants
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
