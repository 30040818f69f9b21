//! The exact log: never more than the amount in any interval of a window's length.
//!
//! The entries themselves are the record's business (a [`crate::log::Log`]); a step is handed
//! what they come to at its instant: how many units are in the window, and the entry whose
//! leaving would let the asked cost in. An entry exactly `window` old has left.

use crate::limit::Limit;
use crate::rule::Rule;
use crate::state::{State, Step};
use crate::time::Micros;

pub(super) fn step(rule: &Rule, state: &State, now: Micros, cost: u64) -> Step {
    let current = *state;
    let allowed = cost <= rule.amount().saturating_sub(current.a);
    // A newest entry a little ahead of now stands for now.
    let until = now.plus(rule.window()).max(current.until);
    // The oldest entry stays what it was, unless this is the only one.
    let c = if current.a == 0 { until.minus(rule.window()).get() } else { current.c };
    let charged = State { until, a: current.a.saturating_add(cost), b: 0, c };
    Step { allowed, current, charged, refused: current }
}

/// A state without a log has no entries that anything could be given back from; see `Log::give_back`.
pub(super) fn give_back(
    _rule: &Rule,
    _state: &State,
    _receipt: &State,
    _now: Micros,
    _cost: u64,
) -> Option<State> {
    None
}

pub(super) fn remaining(limit: &Limit, state: &State, _now: Micros) -> u64 {
    limit.amount().saturating_sub(state.a)
}

pub(super) fn allowed_at(limit: &Limit, state: &State, now: Micros, cost: u64) -> Micros {
    if cost <= limit.amount().saturating_sub(state.a) {
        now
    } else {
        now.max(Micros::new(state.b).plus(limit.window_micros()))
    }
}

/// The first instant at which an entry leaves.
pub(super) fn frees_at(limit: &Limit, state: &State, now: Micros) -> Micros {
    now.max(Micros::new(state.c).plus(limit.window_micros()))
}

pub(super) fn reset_at(_limit: &Limit, state: &State, now: Micros) -> Micros {
    if state.a == 0 { now } else { now.max(state.until) }
}
