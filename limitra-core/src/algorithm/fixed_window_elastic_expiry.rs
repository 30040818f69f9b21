//! One counter that is forgotten only after a whole window without any hit.
//!
//! Every hit, refused ones included, moves the end of the window to `now + window`; a test does not.
//! At most the amount between two silences of a window each.

use crate::limit::Limit;
use crate::rule::Rule;
use crate::state::{State, Step};
use crate::time::Micros;

use super::fixed_window;

pub(super) fn step(rule: &Rule, state: &State, now: Micros, cost: u64) -> Step {
    let current = fixed_window::open(state, now, rule.window());
    let allowed = cost <= rule.amount().saturating_sub(current.a);
    // Time never goes back for a record: the last hit was a window before its end.
    let until = now.plus(rule.window()).max(current.until);
    let charged = State { until, a: current.a.saturating_add(cost), b: 0, c: 0 };
    let refused = if current.until == Micros::ZERO { current } else { State { until, ..current } };
    Step { allowed, current, charged, refused }
}

/// The end moves with each hit, so it is the chain of hits that is charged: from the end that this one left on, that may be
/// another chain. The end stays where it is.
pub(super) fn give_back(
    rule: &Rule,
    state: &State,
    receipt: &State,
    now: Micros,
    cost: u64,
) -> Option<State> {
    let is_same = now < receipt.until && fixed_window::open(state, now, rule.window()) == *state;
    if is_same { fixed_window::less(state, cost) } else { None }
}

pub(super) fn remaining(limit: &Limit, state: &State, now: Micros) -> u64 {
    fixed_window::remaining(limit, state, now)
}

pub(super) fn allowed_at(limit: &Limit, state: &State, now: Micros, cost: u64) -> Micros {
    fixed_window::allowed_at(limit, state, now, cost)
}

pub(super) fn reset_at(limit: &Limit, state: &State, now: Micros) -> Micros {
    fixed_window::reset_at(limit, state, now)
}
