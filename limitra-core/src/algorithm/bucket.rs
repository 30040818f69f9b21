//! Token bucket, leaky bucket (as a meter) and GCRA: one step, three views.
//!
//! The state is a theoretical arrival time (TAT, ITU-T I.371): the instant at which the bucket is
//! full again (of tokens) or empty (of water). With the emission interval `T = window / amount`,
//! a hit of `cost` at `now` is allowed if `max(TAT, now) + cost * T <= now + burst * T`; the left
//! side is then the new TAT. Instants are whole microseconds and a fraction over the amount, so
//! `T` is exact. In any interval of length `t` at most `burst + t / T` units pass.
//!
//! A TAT that was counted with another amount keeps the units that it stands for: it drains at
//! the old rate until the next allowed hit restates it.

use crate::limit::Limit;
use crate::quotient;
use crate::rule::{Rule, Span};
use crate::state::{State, Step};
use crate::time::Micros;

pub(super) fn step(rule: &Rule, state: &State, now: Micros, cost: u64) -> Step {
    let current = anchored(rule, state, now);
    let at = instant(&current, now);
    let increment = rule.increment(cost);
    let Some(ahead) = Excess::of(&current, at) else {
        let charged = arrival(at, increment, rule.amount());
        return Step { allowed: increment <= rule.depth(), current, charged, refused: current };
    };
    let restated = if current.b == rule.amount() {
        ahead.span
    } else {
        // Units that no longer fit are refused before their time is used.
        match ahead.units_rounded_up(rule.window()).checked_add(cost) {
            Some(units) if units <= rule.limit().capacity() => ahead.counted_with(rule.amount()),
            _ => return Step { allowed: false, current, charged: current, refused: current },
        }
    };
    let total = sum(restated, increment, rule.amount());
    let charged = arrival(at, total, rule.amount());
    Step { allowed: total <= rule.depth(), current, charged, refused: current }
}

/// Takes off what of the charge has not drained yet, as if the bucket were a queue: what was in it at the charge drains
/// first, then the charge, until the TAT that it left, then what came later.
///
/// That is never more than the charge still adds. A bucket without it would have drained what came later in its place, and stood
/// idle only after what was there before; so the two differ by the whole cost until the charge's turn, and by no
/// less than what is left of it from then on. They differ by exactly that if nothing was left over to drain in between.
///
/// Where several charges are out at once and one in front is given back, the turn of those behind it comes earlier than their
/// receipts say, which no state tells: part of them may have drained by then. No charge gives back more than it was, so from any instant
/// at which none of them was out, no more than `burst + t / T` is kept all the same.
///
/// Units that were counted with another amount since drain at another rate: then nothing is given back.
pub(super) fn give_back(
    rule: &Rule,
    state: &State,
    receipt: &State,
    now: Micros,
    cost: u64,
) -> Option<State> {
    let is_far = Micros::new(state.c) > now.plus(rule.window());
    if is_far || state.b != rule.amount() || receipt.b != rule.amount() {
        return None;
    }
    let at = instant(state, now);
    let ahead = Excess::of(state, at)?.span;
    let left = Excess::of(receipt, at)?.span.min(rule.increment(cost));
    if ahead <= left {
        return Some(State::default());
    }
    let kept = arrival(at, difference(ahead, left, rule.amount()), rule.amount());
    Some(State { c: state.c, ..kept })
}

pub(super) fn remaining(limit: &Limit, state: &State, now: Micros) -> u64 {
    let used = Excess::of(state, instant(state, now))
        .map_or(0, |ahead| ahead.units_rounded_up(limit.window_micros()));
    limit.capacity().saturating_sub(used)
}

/// Whole units left, and the first instant at which one more is: when the unit in use that drains first has drained.
pub(super) fn left(limit: &Limit, state: &State, now: Micros) -> (u64, Micros) {
    let (at, window) = (instant(state, now), limit.window_micros());
    let Some(ahead) = Excess::of(state, at) else { return (limit.capacity(), now) };
    let (whole, part) = quotient::with_rest(ahead.numerator(), window.get());
    let used = whole.saturating_add(u64::from(part > 0));
    let Some(left) = limit.capacity().checked_sub(used) else { return (0, allowed_at(limit, state, now, 1)) };
    let first = if part > 0 { part } else { window.get() };
    (left, at.plus(Micros::new(first.div_ceil(ahead.amount.max(1)))))
}

pub(super) fn allowed_at(limit: &Limit, state: &State, now: Micros, cost: u64) -> Micros {
    let at = instant(state, now);
    let Some(ahead) = Excess::of(state, at) else { return now };
    // ceil(TAT - (capacity - cost) * window / amount)
    let room = u128::from(limit.capacity().saturating_sub(cost)) * u128::from(limit.window_micros().get());
    match ahead.numerator().saturating_sub(room) {
        0 => now,
        missing => at.plus(Micros::new(quotient::up(missing, ahead.amount))),
    }
}

pub(super) fn reset_at(_limit: &Limit, state: &State, now: Micros) -> Micros {
    let fraction = Micros::new(u64::from(state.a > 0));
    now.max(state.until.plus(fraction))
}

/// The state, unless it was counted more than a window from now (its clock leapt): then as if counted now.
fn anchored(rule: &Rule, state: &State, now: Micros) -> State {
    let counted = Micros::new(state.c);
    if counted > now.plus(rule.window()) {
        State { until: now.plus(state.until.minus(counted)), c: now.get(), ..*state }
    } else {
        *state
    }
}

/// The instant of a decision: the last one that the state knows, should the clock have stepped back.
fn instant(state: &State, now: Micros) -> Micros {
    now.max(Micros::new(state.c))
}

fn arrival(at: Micros, ahead: Span, amount: u64) -> State {
    State { until: at.plus(Micros::new(ahead.micros)), a: ahead.fraction, b: amount, c: at.get() }
}

fn sum(one: Span, other: Span, amount: u64) -> Span {
    let micros = one.micros.saturating_add(other.micros);
    let fraction = u128::from(one.fraction) + u128::from(other.fraction);
    match fraction.checked_sub(u128::from(amount)) {
        Some(rest) => {
            Span { micros: micros.saturating_add(1), fraction: u64::try_from(rest).unwrap_or(u64::MAX) }
        }
        None => Span { micros, fraction: u64::try_from(fraction).unwrap_or(u64::MAX) },
    }
}

/// `one - other`, which is not more.
fn difference(one: Span, other: Span, amount: u64) -> Span {
    let micros = one.micros.saturating_sub(other.micros);
    match one.fraction.checked_sub(other.fraction) {
        Some(fraction) => Span { micros, fraction },
        // Both are below the amount.
        None => Span {
            micros: micros.saturating_sub(1),
            fraction: amount.saturating_sub(other.fraction - one.fraction),
        },
    }
}

/// How far a TAT lies ahead of now, in microseconds over the amount that it was counted with.
struct Excess {
    span: Span,
    amount: u64,
}

impl Excess {
    fn of(state: &State, now: Micros) -> Option<Self> {
        let ahead = state.until > now || (state.until == now && state.a > 0);
        let span = Span { micros: state.until.minus(now).get(), fraction: state.a };
        (ahead && state.b > 0).then_some(Self { span, amount: state.b })
    }

    /// `ceil(excess / T)`: the units that are in use, a part of one counted as one.
    fn units_rounded_up(&self, window: Micros) -> u64 {
        quotient::up(self.numerator(), window.get())
    }

    /// The same units with another amount as the rate.
    fn counted_with(&self, amount: u64) -> Span {
        let (micros, fraction) = quotient::with_rest(self.numerator(), amount);
        Span { micros, fraction }
    }

    fn numerator(&self) -> u128 {
        u128::from(self.span.micros) * u128::from(self.amount) + u128::from(self.span.fraction)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test that cannot go on fails.

    use std::time::Duration;

    use super::*;
    use crate::algorithm::Algorithm;

    /// The deny cache tells by it what the other rules of a refusal say.
    #[test]
    fn a_hit_is_allowed_now_exactly_where_the_step_allows_it() {
        let rule = |amount| {
            let limit = Limit::new(amount, Duration::from_micros(1200)).unwrap();
            Rule::new(Algorithm::TokenBucket, limit).unwrap()
        };
        let (now, mut ahead_of_now) = (Micros::new(10_000), 0);
        for (amount, counted_with) in [(3, 3), (5, 5), (5, 3), (3, 5)] {
            let (rule, cost) = (rule(amount), 2);
            // Counted before now, and by a clock that has stepped back since.
            for (c, until) in (90..=112).flat_map(|c| (c..c + 15).map(move |until| (c, until))) {
                for a in 0..counted_with {
                    let state = State { until: Micros::new(until * 100), a, b: counted_with, c: c * 100 };
                    let is_allowed = step(&rule, &state, now, cost).allowed;
                    let at = allowed_at(&rule.limit(), &state, now, cost);
                    assert_eq!(at == now, is_allowed, "{state:?} of {amount}");
                    ahead_of_now += u64::from(is_allowed && state.c > now.get());
                }
            }
        }
        assert!(ahead_of_now > 0);
    }

    #[test]
    fn what_is_left_and_until_when_is_told_as_each_by_itself() {
        let limit = |amount, burst| {
            Limit::new(amount, Duration::from_micros(1200)).unwrap().with_burst(burst).unwrap()
        };
        let now = Micros::new(10_000);
        let mut seen = [0; 3];
        for (amount, burst, counted_with) in
            [(3, 3, 3), (5, 2, 5), (7, 9, 7), (5, 5, 3), (3, 2, 5), (5, 5, 0)]
        {
            let limit = limit(amount, burst);
            for (c, until) in (90..=112).flat_map(|c| (c..c + 19).map(move |until| (c, until))) {
                for a in 0..counted_with.max(1) {
                    let state = State { until: Micros::new(until * 97), a, b: counted_with, c: c * 97 };
                    let remaining = remaining(&limit, &state, now);
                    let frees_at = Algorithm::Gcra.frees_at(&limit, &state, now, remaining);
                    assert_eq!(left(&limit, &state, now), (remaining, frees_at), "{state:?} of {limit:?}");
                    let kind = if remaining == 0 {
                        0
                    } else if remaining < limit.capacity() {
                        1
                    } else {
                        2
                    };
                    seen[kind] += 1;
                }
            }
        }
        assert!(seen.iter().all(|times| *times > 100), "{seen:?}");
    }
}
