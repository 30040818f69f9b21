//! The limits of a layer, from `limits` or from `requests` and `window`.

use core::ops::Range;

use proc_macro2::Span;
use syn::{Expr, ExprArray, ExprLit, Lit, LitStr};

use super::number::{Number, Unit, unwrapped};
use crate::args::Args;
use crate::arguments::Arguments;
use crate::complaints::Complaints;
use crate::notation::{self, Mistake, Written};

/// All must pass.
pub(crate) enum Limits {
    /// Requests and window of each.
    Each(Vec<(Number, Number)>),
    /// An expression that yields them.
    List(Expr),
    /// A text, and what it describes.
    Notation(LitStr, Vec<Written>),
}

impl Limits {
    pub(crate) fn is_dynamic(&self) -> bool {
        match self {
            Self::Each(limits) => {
                limits.iter().any(|(requests, window)| requests.is_closure() || window.is_closure())
            }
            Self::List(_) | Self::Notation(..) => false,
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
                           `limits = [(10, 1), (500, 3600)]`, or `#[rate_limit(\"10/minute\")]`";
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
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => return described(text, complaints),
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

/// The limits that a text describes.
fn described(text: LitStr, complaints: &mut Complaints) -> Option<Limits> {
    let notation = text.value();
    match notation::read(&notation) {
        Ok(limits) => {
            let windows = || limits.iter().filter_map(|limit| limit.window);
            let twice =
                windows().enumerate().find(|(index, it)| windows().take(*index).any(|other| other == *it));
            if let Some((_, window)) = twice {
                let message =
                    format!("two of the limits have the same window, {window} s: keep the smaller one");
                complaints.about(text, message);
                return None;
            }
            Some(Limits::Notation(text, limits))
        }
        Err(mistake) => {
            match span_of(&mistake, &notation, &text) {
                Some(span) => complaints.at(span, mistake.problem),
                None => complaints.about(text, pointed(&mistake, &notation)),
            }
            None
        }
    }
}

/// The place of a mistake inside a literal, where the compiler tells it: not yet on stable.
fn span_of(mistake: &Mistake, notation: &str, text: &LitStr) -> Option<Span> {
    let token = text.token();
    let is_plain = token.to_string() == format!("\"{notation}\"");
    let range = mistake.range.start + 1..mistake.range.end.max(mistake.range.start + 1) + 1;
    if is_plain { token.subspan(range) } else { None }
}

/// The complaint with the column, and a line that points at it.
fn pointed(mistake: &Mistake, notation: &str) -> String {
    let width = |range: Range<usize>| notation.get(range).unwrap_or_default().chars().count();
    let before = width(0..mistake.range.start);
    let carets = "^".repeat(width(mistake.range.clone()).max(1));
    let shown: String = notation.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
    let column = before + 1;
    format!(
        "at column {column} of the limits: {}\n\n    {shown}\n    {:before$}{carets}",
        mistake.problem, ""
    )
}

const EXAMPLE: &str = "write pairs of requests and window, as in `limits = [(10, 1), (500, 3600)]`";

/// Whether an element may be a pair that is made elsewhere.
fn is_opaque(element: &Expr) -> bool {
    let ours =
        matches!(element, Expr::Tuple(_) | Expr::Lit(_) | Expr::Closure(_) | Expr::Paren(_) | Expr::Unary(_));
    !ours
}

fn each(array: ExprArray, arguments: &Arguments, complaints: &mut Complaints) -> Option<Limits> {
    let mut limits: Vec<(Number, Number)> = Vec::new();
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
            (Some(requests), Some(window)) => {
                let micros = window.known_window();
                if micros.is_some() && limits.iter().any(|(_, other)| other.known_window() == micros) {
                    complaints.about(tuple, "two of the limits have the same window: keep the smaller one");
                    is_whole = false;
                }
                limits.push((requests, window));
            }
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
    let (what, most) = match (burst, limits) {
        (_, Limits::List(_)) => return,
        (Some(burst), _) => ("`burst`", burst.known()),
        (None, Limits::Each(limits)) => ("`requests`", limits.iter().filter_map(|(it, _)| it.known()).min()),
        (None, Limits::Notation(_, limits)) => {
            ("the least of the limits", limits.iter().map(|it| it.burst.unwrap_or(it.amount)).min())
        }
    };
    if let (Some(cost), Some(most)) = (cost.known(), most)
        && cost > most
    {
        let message =
            format!("a `cost` of {cost} is above {what}, which is {most}: no call would ever be allowed");
        complaints.about(value, message);
    }
}
