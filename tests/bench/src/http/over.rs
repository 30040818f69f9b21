//! What a layer adds to a router.

use axum::Router;
use axum::http::StatusCode;
use limitra::web::{Headers, key};

use super::answer;
use super::routers::{
    GOVERNOR, bare_with_layer, governed, governed_and_told, governed_for_all, limited, told_by_hand,
};
use crate::limiters::Allowance;
use crate::pass::nanoseconds;
use crate::rounds::Rounds;
use crate::row::{Metric, Name};
use crate::scale::Scale;

const OVER: &[Metric] = &[Metric { name: "time over a layer that does nothing", unit: "ns" }];
const TIMES: &[Metric] = &[Metric { name: "a refused request, in allowed ones", unit: "times" }];

pub(super) fn add(rounds: &mut Rounds<'_>, scale: Scale) {
    let count = scale.operations(200_000);
    let with_headers = Headers::default().on_allowed(true);
    let layers = [
        (
            "a layer, a counter for all, allowed",
            "limitra",
            limited(Allowance::Ample, key::everyone(), Headers::default()),
        ),
        ("a layer, a counter for all, allowed", GOVERNOR, governed_for_all()),
        ("a layer, allowed", "limitra", limited(Allowance::Ample, key::peer_ip(), Headers::default())),
        (
            "a layer, allowed, with headers",
            "limitra",
            limited(Allowance::Ample, key::peer_ip(), with_headers),
        ),
        ("a layer, allowed", GOVERNOR, governed(true)),
        ("a layer, allowed, with headers", GOVERNOR, governed_and_told()),
        ("a layer, allowed, with headers", "two headers put by hand, nothing decided", told_by_hand()),
    ];
    for (case, subject, router) in layers {
        let (router, bare): (Router, Router) = (router.with_state(()), bare_with_layer().with_state(()));
        rounds.add(Name::new(case, subject), OVER, move || vec![difference(count, &router, &bare)]);
    }
    let denied = limited(Allowance::One, key::peer_ip(), Headers::default());
    let pairs = [
        ("limitra", limited(Allowance::Ample, key::peer_ip(), Headers::default()), denied),
        (GOVERNOR, governed(true), governed(false)),
    ];
    for (subject, allowed, denied) in pairs {
        let (allowed, denied): (Router, Router) = (allowed.with_state(()), denied.with_state(()));
        assert_eq!(answer(&denied), StatusCode::OK);
        rounds.add(Name::new("a layer, refused", subject), TIMES, move || {
            let count = count / 4;
            vec![time(count, &denied, StatusCode::TOO_MANY_REQUESTS) / time(count, &allowed, StatusCode::OK)]
        });
    }
}

fn time(count: usize, router: &Router, wanted: StatusCode) -> f64 {
    nanoseconds(1, count, |_| || assert_eq!(answer(router), wanted))
}

/// By turns and in short slices, each at its least: what disturbs a slice is left out.
fn difference(count: usize, one: &Router, other: &Router) -> f64 {
    const SLICES: usize = 40;
    let count = (count / SLICES).max(10);
    let mut least = [f64::INFINITY; 2];
    for _ in 0..SLICES {
        for (least, router) in least.iter_mut().zip([one, other]) {
            *least = least.min(time(count, router, StatusCode::OK));
        }
    }
    least[0] - least[1]
}
