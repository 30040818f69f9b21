//! Two counters of clock-aligned windows.
//!
//! A hit is allowed if `floor(previous * (window - elapsed) / window) + current + cost <= amount`,
//! where `elapsed` is how far the current slot has gone: what Cloudflare described in "How we
//! built rate limiting capable of scaling to millions of domains" (2017), in exact integers.
//! It assumes that the previous slot's hits were spread evenly: at most the amount in one slot, and in any
//! interval of a window's length at most twice the amount, that only if the traffic is made for it: all of it
//! late in one slot, and all of it again a little less late in the next, when the first weighs less than one unit.

use crate::limit::Limit;
use crate::quotient;
use crate::rule::Rule;
use crate::state::{State, Step};
use crate::time::Micros;

pub(super) fn step(rule: &Rule, state: &State, now: Micros, cost: u64) -> Step {
    let slot = Slot::at(state, now, rule.window());
    let allowed = match rule.amount().checked_sub(slot.current) {
        Some(left) => cost <= left && slot.weight_fits(slot.elapsed(now), left - cost),
        None => false,
    };
    let charged = State { b: slot.current.saturating_add(cost), ..slot.state() };
    // Nothing that could be kept is worth more than it was: the slots roll when they are read.
    let current = slot.kept(state);
    Step { allowed, current, charged, refused: current }
}

/// What is charged in a slot is given back from that slot's count, also where it has become the previous one.
pub(super) fn give_back(
    rule: &Rule,
    state: &State,
    receipt: &State,
    now: Micros,
    cost: u64,
) -> Option<State> {
    let window = rule.window();
    let slot = Slot::at(state, now, window);
    // Nothing is left in a state that is over or from the far future, nor of a charge that weighs nothing any more.
    let this = now.minus(Micros::new(now.get() % window.get().max(1)));
    if slot.repaired || state.until <= this || receipt.until <= this {
        return None;
    }
    let kept = if state.until == receipt.until {
        State { b: state.b.saturating_sub(cost), ..*state }
    } else if state.until == receipt.until.plus(window) {
        State { a: state.a.saturating_sub(cost), ..*state }
    } else {
        return None;
    };
    let is_fresh = kept.a == 0 && kept.b == 0;
    (kept != *state).then_some(if is_fresh { State::default() } else { kept })
}

pub(super) fn remaining(limit: &Limit, state: &State, now: Micros) -> u64 {
    let slot = Slot::at(state, now, limit.window_micros());
    let used = slot.weight(slot.elapsed(now)).saturating_add(slot.current);
    limit.amount().saturating_sub(used)
}

pub(super) fn allowed_at(limit: &Limit, state: &State, now: Micros, cost: u64) -> Micros {
    let slot = Slot::at(state, now, limit.window_micros());
    if let Some(left) = limit.amount().checked_sub(slot.current.saturating_add(cost))
        && let Some(elapsed) = slot.elapsed_until(left)
    {
        return now.max(slot.start.plus(elapsed));
    }
    let next = slot.next();
    match next.elapsed_until(limit.amount().saturating_sub(cost)) {
        Some(elapsed) => next.start.plus(elapsed),
        None => next.start.plus(next.window),
    }
}

pub(super) fn reset_at(limit: &Limit, state: &State, now: Micros) -> Micros {
    let slot = Slot::at(state, now, limit.window_micros());
    let used_up = if slot.current > 0 { slot.next() } else { slot };
    // A count of 1 weighs less than 1 as soon as any of its window has passed, so `Some`.
    let elapsed = used_up.elapsed_until(0).unwrap_or(used_up.window);
    now.max(used_up.start.plus(elapsed))
}

/// The slot of the clock that stands for an instant, and its two counts.
#[derive(Clone, Copy)]
struct Slot {
    start: Micros,
    window: Micros,
    previous: u64,
    current: u64,
    repaired: bool,
}

impl Slot {
    fn at(state: &State, now: Micros, window: Micros) -> Self {
        let this = now.minus(Micros::new(now.get() % window.get().max(1)));
        let fresh = Self { start: this, window, previous: 0, current: 0, repaired: false };
        if state.until <= this {
            return fresh;
        }
        let kept = Self {
            start: state.until.minus(window).minus(window),
            previous: state.a,
            current: state.b,
            ..fresh
        };
        if kept.start == this || (kept.start > now && kept.start <= now.plus(window)) {
            kept
        } else if kept.start > now {
            // From the far future, its clock leapt: the counts stay, in this slot.
            Self { start: this, repaired: true, ..kept }
        } else {
            kept.next()
        }
    }

    fn next(self) -> Self {
        Self { start: self.start.plus(self.window), previous: self.current, current: 0, ..self }
    }

    fn elapsed(&self, now: Micros) -> u64 {
        now.minus(self.start).get()
    }

    /// `floor(previous * (window - elapsed) / window)`.
    fn weight(&self, elapsed: u64) -> u64 {
        let left = u128::from(self.window.get().saturating_sub(elapsed));
        quotient::down(u128::from(self.previous) * left, self.window.get())
    }

    /// Whether the previous count weighs at most `room`: without a division, which is what Lua can do exactly.
    fn weight_fits(&self, elapsed: u64, room: u64) -> bool {
        let left = u128::from(self.window.get().saturating_sub(elapsed));
        u128::from(self.previous) * left < (u128::from(room) + 1) * u128::from(self.window.get())
    }

    /// How much of the slot must have passed for the previous count to weigh at most `room`;
    /// `None` if that is not before its end.
    fn elapsed_until(&self, room: u64) -> Option<Micros> {
        if self.previous <= room {
            return Some(Micros::ZERO);
        }
        let window = u128::from(self.window.get());
        let left = quotient::up((u128::from(room) + 1) * window, self.previous);
        // `previous > room`, so `left` is at most the window.
        let elapsed = self.window.get().saturating_sub(left) + 1;
        (elapsed < self.window.get()).then_some(Micros::new(elapsed))
    }

    fn state(&self) -> State {
        let until = self.start.plus(self.window).plus(self.window);
        State { until, a: self.previous, b: self.current, c: 0 }
    }

    fn kept(&self, state: &State) -> State {
        if self.repaired { self.state() } else { *state }
    }
}
