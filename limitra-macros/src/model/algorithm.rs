//! The names of the algorithms.

use quote::ToTokens;
use syn::{Expr, ExprLit, Lit};

use crate::complaints::Complaints;
use crate::nearest::{listed, nearest};

/// Whether an algorithm has a depth of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bucket,
    Window,
}

const BUCKETS: [&str; 3] = ["token_bucket", "leaky_bucket", "gcra"];
const WINDOWS: [&str; 5] = [
    "sliding_window",
    "fixed_window",
    "fixed_window_aligned",
    "fixed_window_elastic_expiry",
    "moving_window",
];
/// The long name of `sliding_window`.
const COUNTER: &str = "sliding_window_counter";

/// The kind of the algorithm, where it is given as a string that names one.
pub(crate) fn check(value: &Expr, complaints: &mut Complaints) -> Option<Kind> {
    let Expr::Lit(ExprLit { lit, .. }) = value else {
        return None;
    };
    let Lit::Str(text) = lit else {
        let message = "`algorithm` is a name: write e.g. `algorithm = \"token_bucket\"`";
        complaints.about(lit, message);
        return None;
    };
    let text = text.value();
    let name = text.replace('-', "_");
    if BUCKETS.contains(&&*name) {
        return Some(Kind::Bucket);
    }
    if WINDOWS.contains(&&*name) || name == COUNTER {
        return Some(Kind::Window);
    }
    let all = || WINDOWS.into_iter().chain(BUCKETS);
    let hint = nearest(&name, all()).map(|meant| format!("did you mean `{meant}`? "));
    let message =
        format!("unknown algorithm `{text}`: {}there are {}", hint.unwrap_or_default(), listed(all()));
    complaints.about(lit, message);
    None
}

/// A burst needs a bucket.
pub(crate) fn check_burst(kind: Kind, burst: impl ToTokens, complaints: &mut Complaints) {
    if kind == Kind::Window {
        let message =
            format!("only buckets have a `burst`: leave it out, or choose one of {}", listed(BUCKETS));
        complaints.about(burst, message);
    }
}
