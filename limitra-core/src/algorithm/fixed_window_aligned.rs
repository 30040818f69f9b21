//! One counter for each slot of the clock: `[k * window, (k + 1) * window)` since the epoch.
//!
//! At most the amount in one slot, and twice the amount across the boundary of two.

use crate::limit::Limit;
use crate::rule::Rule;
use crate::state::{State, Step};
use crate::time::Micros;

use super::fixed_window;

pub(super) fn step(rule: &Rule, state: &State, now: Micros, cost: u64) -> Step {
    let current = slot(state, now, rule.window());
    let allowed = cost <= rule.amount().saturating_sub(current.a);
    let charged = State { a: current.a.saturating_add(cost), ..current };
    // A slot without hits is not worth keeping.
    let current = if current.a == 0 { State::default() } else { current };
    Step { allowed, current, charged, refused: current }
}

/// What is charged in a slot is given back in that slot alone.
pub(super) fn give_back(
    rule: &Rule,
    state: &State,
    receipt: &State,
    now: Micros,
    cost: u64,
) -> Option<State> {
    let is_same = state.until == receipt.until && slot(state, now, rule.window()) == *state;
    if is_same { fixed_window::less(state, cost) } else { None }
}

pub(super) fn remaining(limit: &Limit, state: &State, now: Micros) -> u64 {
    limit.amount().saturating_sub(slot(state, now, limit.window_micros()).a)
}

pub(super) fn allowed_at(limit: &Limit, state: &State, now: Micros, cost: u64) -> Micros {
    let current = slot(state, now, limit.window_micros());
    if cost <= limit.amount().saturating_sub(current.a) { now } else { current.until }
}

pub(super) fn reset_at(limit: &Limit, state: &State, now: Micros) -> Micros {
    let current = slot(state, now, limit.window_micros());
    if current.a == 0 { now } else { current.until }
}

/// The counter of the slot that holds `now`. A later slot stands for now if it starts at most
/// a window from now; a counter from further ahead (its clock leapt) is moved to this slot.
fn slot(state: &State, now: Micros, window: Micros) -> State {
    let end = now.minus(Micros::new(now.get() % window.get().max(1))).plus(window);
    if state.until <= now {
        State { until: end, ..State::default() }
    } else if state.until.minus(window).minus(window) > now {
        State { until: end, ..*state }
    } else {
        *state
    }
}
