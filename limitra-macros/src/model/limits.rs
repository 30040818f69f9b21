//! The limits of a layer, from `limits` or from `requests` and `window`.

use syn::{Expr, ExprArray};

use super::number::{Number, Unit, unwrapped};
use crate::args::Args;
use crate::arguments::Arguments;
use crate::complaints::Complaints;

/// All must pass.
pub(crate) enum Limits {
    /// Requests and window of each.
    Each(Vec<(Number, Number)>),
    /// An expression that yields them.
    List(Expr),
}

impl Limits {
    pub(crate) fn is_dynamic(&self) -> bool {
        match self {
            Self::Each(limits) => {
                limits.iter().any(|(requests, window)| requests.is_closure() || window.is_closure())
            }
            Self::List(_) => false,
        }
    }
}

/// The limits that the parameters give; `None` after a complaint.
pub(crate) fn of(args: &mut Args, arguments: &Arguments, complaints: &mut Complaints) -> Option<Limits> {
    let (requests, window) = (args.take("requests"), args.take("window"));
    if let Some(limits) = args.take("limits") {
        return list(unwrapped(limits.value), arguments, complaints);
    }
    if !args.is_whole && (requests.is_none() || window.is_none()) {
        return None;
    }
    let (requests, window) = match (requests, window) {
        (Some(requests), Some(window)) => (requests, window),
        (Some(requests), None) => {
            let message = "`requests` needs a `window` in seconds: write e.g. `window = 60`";
            complaints.about(requests.name, message);
            return None;
        }
        (None, Some(window)) => {
            let message = "`window` needs `requests`, how many it allows: write e.g. `requests = 10`";
            complaints.about(window.name, message);
            return None;
        }
        (None, None) => {
            let message = "no limit is given: write e.g. `#[rate_limit(requests = 10, window = 60)]`, \
                           or `limits = [(10, 1), (500, 3600)]`";
            complaints.at(args.span, message);
            return None;
        }
    };
    let requests = Number::of("requests", Unit::Units, requests.value, arguments, complaints);
    let window = Number::of("window", Unit::Seconds, window.value, arguments, complaints);
    Some(Limits::Each(vec![(requests?, window?)]))
}

fn list(value: Expr, arguments: &Arguments, complaints: &mut Complaints) -> Option<Limits> {
    let array = match value {
        Expr::Array(array) => array,
        Expr::Closure(closure) => {
            let message = "`limits` is a list: write the closures inside it, \
                           as in `limits = [(|user| user.quota(), 60)]`";
            complaints.about(closure, message);
            return None;
        }
        Expr::Lit(_) | Expr::Tuple(_) => {
            complaints.about(value, format_args!("`limits` is a list: {EXAMPLE}"));
            return None;
        }
        other => return Some(Limits::List(other)),
    };
    if array.elems.is_empty() {
        complaints.about(array, format_args!("`limits` is empty: {EXAMPLE}"));
        return None;
    }
    if array.elems.iter().all(is_opaque) {
        return Some(Limits::List(Expr::Array(array)));
    }
    each(array, arguments, complaints)
}

const EXAMPLE: &str = "write pairs of requests and window, as in `limits = [(10, 1), (500, 3600)]`";

/// Whether an element may be a pair that is made elsewhere.
fn is_opaque(element: &Expr) -> bool {
    let ours =
        matches!(element, Expr::Tuple(_) | Expr::Lit(_) | Expr::Closure(_) | Expr::Paren(_) | Expr::Unary(_));
    !ours
}

fn each(array: ExprArray, arguments: &Arguments, complaints: &mut Complaints) -> Option<Limits> {
    let mut limits = Vec::new();
    let mut is_whole = true;
    for element in array.elems {
        let Expr::Tuple(tuple) = unwrapped(element.clone()) else {
            complaints.about(element, format_args!("a limit is a pair: {EXAMPLE}"));
            is_whole = false;
            continue;
        };
        let mut pair = tuple.elems.iter().cloned();
        let (Some(requests), Some(window), None) = (pair.next(), pair.next(), pair.next()) else {
            complaints.about(tuple, format_args!("a limit is a pair: {EXAMPLE}"));
            is_whole = false;
            continue;
        };
        let requests = Number::of("requests", Unit::Units, requests, arguments, complaints);
        let window = Number::of("window", Unit::Seconds, window, arguments, complaints);
        match (requests, window) {
            (Some(requests), Some(window)) => limits.push((requests, window)),
            _ => is_whole = false,
        }
    }
    is_whole.then_some(Limits::Each(limits))
}

/// A cost above the limit would never be allowed.
pub(crate) fn check_cost(
    value: &Expr,
    cost: &Number,
    limits: &Limits,
    burst: Option<&Number>,
    complaints: &mut Complaints,
) {
    let Limits::Each(limits) = limits else {
        return;
    };
    let (what, most) = match burst {
        Some(burst) => ("`burst`", burst.known()),
        None => ("`requests`", limits.iter().filter_map(|(it, _)| it.known()).min()),
    };
    if let (Some(cost), Some(most)) = (cost.known(), most)
        && cost > most
    {
        let message =
            format!("a `cost` of {cost} is above {what}, which is {most}: no call would ever be allowed");
        complaints.about(value, message);
    }
}
