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
use crate::program::Program;
use crate::rounds::Rounds;
use crate::row::{Metric, Name, median};
use crate::scale::Scale;

const OVER: &[Metric] = &[Metric { name: "time over a layer that does nothing", unit: "ns" }];
const TIMES: &[Metric] = &[Metric { name: "a refused request, in allowed ones", unit: "times" }];

/// What this program is called with to measure one of these.
pub(crate) const ARGUMENT: &str = "one-layer";

/// What one figure is worked out from.
enum Measured {
    /// A router beside one whose layer does nothing.
    Over(Router),
    /// A router that refuses beside one that allows.
    Refused { denied: Router, allowed: Router },
}

struct Layer {
    case: &'static str,
    subject: &'static str,
    measured: Measured,
}

/// How many processes measure it in each repetition; the middle one counts.
const PROCESSES: usize = 5;

/// Each in processes of its own: two of one program differ by tens of nanoseconds a request, by where their memory happens to lie.
pub(super) fn add<'a>(rounds: &mut Rounds<'a>, scale: Scale, program: &'a Program) {
    let count = scale.operations(200_000);
    for (index, layer) in layers().iter().enumerate() {
        let arguments = [ARGUMENT.to_owned(), index.to_string(), count.to_string()];
        let metrics = match layer.measured {
            Measured::Over(_) => OVER,
            Measured::Refused { .. } => TIMES,
        };
        rounds.add(Name::new(layer.case, layer.subject), metrics, move || {
            let figures = std::iter::repeat_with(|| program.number(&arguments)).take(PROCESSES);
            vec![median(figures.collect())]
        });
    }
}

/// Prints the figure of one of the layers.
pub(crate) fn print_one(arguments: &[String]) -> Option<()> {
    let [index, count] = arguments else { return None };
    let layer = layers().into_iter().nth(index.parse().ok()?)?;
    println!("{}", layer.measured.figure(count.parse().ok()?));
    Some(())
}

fn layers() -> Vec<Layer> {
    let with_headers = Headers::default().on_allowed(true);
    let over = |case, subject, router| Layer { case, subject, measured: Measured::Over(router) };
    let refused = |subject, allowed, denied| Layer {
        case: "a layer, refused",
        subject,
        measured: Measured::Refused { denied, allowed },
    };
    vec![
        over(
            "a layer, a counter for all, allowed",
            "limitra",
            limited(Allowance::Ample, key::everyone(), Headers::default()),
        ),
        over("a layer, a counter for all, allowed", GOVERNOR, governed_for_all()),
        over("a layer, allowed", "limitra", limited(Allowance::Ample, key::peer_ip(), Headers::default())),
        over(
            "a layer, allowed, with headers",
            "limitra",
            limited(Allowance::Ample, key::peer_ip(), with_headers),
        ),
        over("a layer, allowed", GOVERNOR, governed(true)),
        over("a layer, allowed, with headers", GOVERNOR, governed_and_told()),
        over("a layer, allowed, with headers", "two headers put by hand, nothing decided", told_by_hand()),
        refused(
            "limitra",
            limited(Allowance::Ample, key::peer_ip(), Headers::default()),
            limited(Allowance::One, key::peer_ip(), Headers::default()),
        ),
        refused(GOVERNOR, governed(true), governed(false)),
    ]
}

impl Measured {
    fn figure(self, count: usize) -> f64 {
        match self {
            Self::Over(router) => {
                difference(count, &router.with_state(()), &bare_with_layer().with_state(()))
            }
            Self::Refused { denied, allowed } => {
                let (denied, allowed, count) = (denied.with_state(()), allowed.with_state(()), count / 4);
                assert_eq!(answer(&denied), StatusCode::OK);
                time(count, &denied, StatusCode::TOO_MANY_REQUESTS) / time(count, &allowed, StatusCode::OK)
            }
        }
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
