//! One counter for a window that opens at the first allowed hit and ends exactly `window` later.
//!
//! At most the amount in one window, and twice the amount less one in an interval of that length that
//! lies across the end of one window and the start of the next.

use crate::limit::Limit;
use crate::rule::Rule;
use crate::state::{State, Step};
use crate::time::Micros;

pub(super) fn step(rule: &Rule, state: &State, now: Micros, cost: u64) -> Step {
    let current = open(state, now, rule.window());
    let allowed = cost <= rule.amount().saturating_sub(current.a);
    let until = if current.until == Micros::ZERO { now.plus(rule.window()) } else { current.until };
    let charged = State { until, a: current.a.saturating_add(cost), b: 0, c: 0 };
    Step { allowed, current, charged, refused: current }
}

/// What is charged in a window is given back in that window alone.
pub(super) fn give_back(
    rule: &Rule,
    state: &State,
    receipt: &State,
    now: Micros,
    cost: u64,
) -> Option<State> {
    let is_same = state.until == receipt.until && open(state, now, rule.window()) == *state;
    if is_same { less(state, cost) } else { None }
}

pub(super) fn remaining(limit: &Limit, state: &State, now: Micros) -> u64 {
    limit.amount().saturating_sub(open(state, now, limit.window_micros()).a)
}

pub(super) fn allowed_at(limit: &Limit, state: &State, now: Micros, cost: u64) -> Micros {
    let current = open(state, now, limit.window_micros());
    if cost <= limit.amount().saturating_sub(current.a) { now } else { current.until }
}

pub(super) fn reset_at(limit: &Limit, state: &State, now: Micros) -> Micros {
    now.max(open(state, now, limit.window_micros()).until)
}

/// The state with so many units less, at most those that there are; `None` if there are none.
pub(super) fn less(state: &State, cost: u64) -> Option<State> {
    let count = state.a.saturating_sub(cost);
    let kept = if count == 0 { State::default() } else { State { a: count, ..*state } };
    (count < state.a).then_some(kept)
}

/// The window that is open at `now`, or a fresh state. One that was opened more than a window
/// from now (its clock leapt) is re-anchored: the count stays, the end is a window from now.
pub(super) fn open(state: &State, now: Micros, window: Micros) -> State {
    if state.until <= now {
        State::default()
    } else if state.until.minus(window).minus(window) > now {
        State { until: now.plus(window), ..*state }
    } else {
        *state
    }
}
