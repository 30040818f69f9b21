//! Attempts that look random and are the same each time.

use std::borrow::Cow;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use crate::algorithm::Algorithm;
use crate::attempt::{Mode, Subject};
use crate::key::Key;
use crate::limit::Limit;
use crate::rule::Rule;
use crate::time::Micros;

/// A key under which nobody else has a record.
pub(super) fn fresh_key(name: &str) -> String {
    format!("limitra:conformance::{name}:{:016x}:", RandomState::new().hash_one(name))
}

/// A small generator (xorshift, Marsaglia 2003): the same numbers each time.
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) fn from_seed(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound.max(1)
    }
}

/// A rule of any algorithm, small or huge.
pub(super) fn rule(algorithm: Algorithm, numbers: &mut Numbers) -> Option<Rule> {
    let amounts = [1, 2, 3, 7, 10, 100, 1 << 40, Limit::MAX_AMOUNT];
    let windows = [1_000, 1_001, 10_000, 777_777, 60_000_000, 3_155_760_000_000_000];
    let pick = |list: &[u64], numbers: &mut Numbers| {
        let length = u64::try_from(list.len()).unwrap_or(1);
        usize::try_from(numbers.below(length)).ok().and_then(|index| list.get(index).copied())
    };
    let amount = pick(&amounts, numbers)?;
    let window = pick(&windows, numbers)?;
    let mut limit = Limit::new(amount, Duration::from_micros(window)).ok()?;
    if algorithm.is_bucket() && numbers.below(3) == 0 {
        limit = limit.with_burst(numbers.below(20) + 1).unwrap_or(limit);
    }
    Rule::new(algorithm, limit).ok()
}

/// A subject with a cost that its rules can bear.
pub(super) fn subject<'a>(key: &'a str, rules: &'a [Rule], numbers: &mut Numbers) -> Subject<'a> {
    let most = rules.iter().map(|rule| rule.limit().capacity()).min().unwrap_or(1);
    let cost = match numbers.below(4) {
        0 => numbers.below(most) + 1,
        1 => numbers.below(most.min(4)) + 1,
        _ => 1,
    };
    Subject { key: Key::from_text(key), rules: Cow::Borrowed(rules), cost }
}

/// The instant of the next attempt: mostly a little later, at times a leap or a step back.
pub(super) fn next_instant(now: Micros, window: Micros, numbers: &mut Numbers) -> Micros {
    let step = match numbers.below(12) {
        0 => 0,
        1 => 1,
        2 => window.get(),
        3 => numbers.below(window.get().saturating_mul(3)),
        4 => return now.minus(Micros::new(numbers.below(window.get() / 2 + 2))),
        5 if numbers.below(4) == 0 => return now.minus(Micros::new(window.get().saturating_mul(5))),
        _ => numbers.below(window.get() / 5 + 2),
    };
    let latest = Micros::MAX.minus(Micros::from_duration(Limit::MAX_WINDOW + Limit::MAX_WINDOW));
    now.plus(Micros::new(step)).min(latest)
}

pub(super) fn mode(numbers: &mut Numbers) -> Mode {
    if numbers.below(6) == 0 { Mode::Peek } else { Mode::Hit }
}
