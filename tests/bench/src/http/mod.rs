//! Requests to a web service: in this process without a network, and over loopback.

mod handlers;
mod over;
mod routers;
mod served;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use tower::ServiceExt as _;

use crate::pass::{at_once, nanoseconds};
use crate::program::Program;
use crate::rounds::Rounds;
use crate::row::{ALLOCATIONS_OF_REQUEST, Metric, Name, Row};
use crate::scale::Scale;

use routers::Contestant;

pub(crate) use over::{ARGUMENT, print_one};

/// The name of this group.
pub(crate) const GROUP: &str = "http";

const METRIC: Metric = Metric { name: "time per request", unit: "ns" };

pub(crate) fn measure(scale: Scale, program: &Program) -> Vec<Row> {
    let count = scale.operations(200_000);
    let mut rounds = Rounds::new(GROUP);
    for contestant in routers::all() {
        let name = Name::new(contestant.case, contestant.subject);
        // tower_governor's refusals are slow enough to be few.
        let count = if contestant.is_allowed { count } else { count / 4 };
        contestant.settle();
        rounds.add(name, &[METRIC], move || vec![nanoseconds(1, count, |_| || contestant.request())]);
    }
    over::add(&mut rounds, scale, program);
    served::add(&mut rounds, scale);
    let mut rows = rounds.run(scale.repetitions);
    rows.extend(
        program
            .allocations(GROUP)
            .unwrap_or_default()
            .into_iter()
            .map(|(name, count)| Row::of(GROUP, &name, ALLOCATIONS_OF_REQUEST, vec![count])),
    );
    rows
}

/// Says how often each request allocates, as `count` counts it.
pub(crate) fn print_allocations(count: fn(&mut dyn FnMut()) -> u64) {
    for contestant in routers::all() {
        contestant.settle();
        crate::program::say(GROUP, contestant.case, contestant.subject, count, &mut || contestant.request());
    }
}

impl Contestant {
    /// The first request, which is always allowed.
    fn settle(&self) {
        assert_eq!(answer(&self.router), StatusCode::OK, "{}", self.subject);
    }

    fn request(&self) {
        let wanted = if self.is_allowed { StatusCode::OK } else { StatusCode::TOO_MANY_REQUESTS };
        assert_eq!(answer(&self.router), wanted);
    }
}

/// One request, made and answered.
fn answer(router: &Router) -> StatusCode {
    let mut request = Request::new(Body::empty());
    request.extensions_mut().insert(ConnectInfo(std::net::SocketAddr::from(([127, 0, 0, 1], 4711))));
    at_once(router.clone().oneshot(request)).unwrap().status()
}
