//! The rules whose buckets fit into a word.

use super::word::{Arrival, MOST_MICROS, MOST_PARTS, Stretch, Word};
use crate::record::{Entry, Record};
use crate::rule::{Rule, Span};
use crate::state::State;
use crate::sync::OnceLock;
use crate::time::Micros;

/// How many classes there may be; a word numbers them from 1.
const CLASSES: usize = 255;
/// How many places a rule is looked for at.
const PROBES: usize = 8;
/// A bucket that takes longer than this to drain, some four years, is kept as a record.
const DEEPEST: u64 = 1 << 47;

/// A rule of the bucket family, in the numbers of words.
///
/// An increment is always a multiple of `gcd(window, amount) / amount` microseconds, so where `amount / gcd` is at most
/// 256, a byte keeps the fraction exactly.
#[derive(Clone, Debug)]
pub(super) struct Class {
    rule: Rule,
    /// Parts of a microsecond.
    parts: u64,
    /// How many of a rule's fractions make a part.
    fractions_of_a_part: u64,
    increment: Stretch,
    depth: Stretch,
    /// The last instant at which a word can hold a full bucket. What is kept is no later than that.
    last: u64,
}

/// What a class says to a hit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) allowed: bool,
    /// What to keep if it is.
    pub(super) charged: Arrival,
}

impl Class {
    /// The class of this rule, if a word holds its state.
    fn of(rule: &Rule) -> Option<Self> {
        let (window, amount) = (rule.window().get(), rule.amount());
        if !rule.algorithm().is_bucket() || rule.limit().is_unlimited() || amount == 0 {
            return None;
        }
        let fractions_of_a_part = greatest_common_divisor(window, amount);
        let parts = amount / fractions_of_a_part;
        if parts > MOST_PARTS || rule.depth().micros >= DEEPEST {
            return None;
        }
        let [increment, depth] =
            [rule.increment(1), rule.depth()].map(|span| stretch(span, fractions_of_a_part));
        let last = MOST_MICROS - rule.depth().micros;
        Some(Self { rule: *rule, parts, fractions_of_a_part, increment, depth, last })
    }

    pub(super) const fn rule(&self) -> &Rule {
        &self.rule
    }

    /// Twin of the buckets' step, on an arrival: whether `cost` is allowed at `now`. `None` if a word cannot hold what
    /// that leaves.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_single`.
    #[inline(always)]
    pub(super) fn ask(&self, arrival: Arrival, now: u64, cost: u64) -> Option<Asked> {
        let increment = if cost == 1 {
            self.increment
        } else if cost > self.rule.limit().capacity() {
            return None;
        } else {
            stretch(self.rule.increment(cost), self.fractions_of_a_part)
        };
        if now > self.last {
            return None;
        }
        let now = Arrival::at(now);
        let charged = arrival.max(now).later_by(increment, self.parts);
        Some(Asked { allowed: charged <= now.and(self.depth), charged })
    }

    /// How much is missing to be allowed, in whole microseconds.
    #[inline]
    pub(super) const fn wait(&self, refused: &Asked, now: u64) -> u64 {
        refused.charged.micros().saturating_sub(Arrival::at(now).and(self.depth).micros())
    }

    /// The state that an arrival stands for, at an instant no earlier than its last charge.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_single`.
    #[inline(always)]
    pub(super) fn state(&self, arrival: Arrival, began: Micros, now: Micros) -> State {
        State {
            until: began.plus(Micros::new(arrival.micros())),
            a: arrival.parts() * self.fractions_of_a_part,
            b: self.rule.amount(),
            c: now.get(),
        }
    }

    /// The record that a word stands for.
    pub(super) fn record(&self, word: Word, began: Micros, now: Micros) -> Record {
        let state = self.state(word.arrival(), began, now);
        Record { entries: [Entry { rule: self.rule, state, log: None }].into() }
    }

    fn is_of(&self, rule: &Rule) -> bool {
        let (one, other) = (self.rule.limit(), rule.limit());
        self.rule.has_tag_of(rule) && one.amount() == other.amount() && one.capacity() == other.capacity()
    }
}

/// A span in the numbers of words.
fn stretch(span: Span, fractions_of_a_part: u64) -> Stretch {
    // A quotient by 1, which most rules have, is not worth a division.
    let parts = if fractions_of_a_part == 1 { span.fraction } else { span.fraction / fractions_of_a_part };
    Stretch::new(span.micros, parts)
}

/// The classes that a storage has met, by the hash of their rules. They are never forgotten: rules come from code.
///
/// What is not among the first 255 is kept in records.
#[derive(Debug)]
pub(super) struct Classes {
    places: Box<[OnceLock<Option<Class>>]>,
}

impl Classes {
    pub(super) fn new() -> Self {
        Self { places: (0..CLASSES).map(|_| OnceLock::new()).collect() }
    }

    /// The class of a rule and its number, if a word can hold its state and there is a number left.
    #[inline]
    pub(super) fn of(&self, rule: &Rule) -> Option<(u8, &Class)> {
        if !rule.algorithm().is_bucket() {
            return None;
        }
        let first = first_place(rule);
        let place = self.places.get(first)?.get();
        if let Some(Some(class)) = place
            && class.is_of(rule)
        {
            return Some((number(first)?, class));
        }
        self.search(rule, first)
    }

    #[cold]
    fn search(&self, rule: &Rule, first: usize) -> Option<(u8, &Class)> {
        Class::of(rule)?;
        for step in 0..PROBES {
            let index = (first + step) % CLASSES;
            let class = self.places.get(index)?.get_or_init(|| Class::of(rule)).as_ref()?;
            if class.is_of(rule) {
                return Some((number(index)?, class));
            }
        }
        None
    }

    /// The class of this number.
    pub(super) fn numbered(&self, number: u64) -> Option<&Class> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        self.places.get(index)?.get()?.as_ref()
    }
}

fn number(index: usize) -> Option<u8> {
    u8::try_from(index + 1).ok()
}

#[inline]
pub(super) fn first_place(rule: &Rule) -> usize {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let limit = rule.limit();
    let mixed = (rule.window().get() ^ limit.amount().rotate_left(24) ^ limit.capacity().rotate_left(44))
        .wrapping_add(u64::from(rule.algorithm().number()))
        .wrapping_mul(ODD);
    usize::try_from(((mixed >> 32) * 255) >> 32).unwrap_or_default()
}

fn greatest_common_divisor(mut one: u64, mut other: u64) -> u64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::algorithm::Algorithm;
    use crate::limit::Limit;

    #[test]
    fn a_word_is_asked_as_long_as_it_can_hold_a_full_bucket() {
        let limit = Limit::new(7, Duration::from_secs(3600)).expect("a limit");
        let class = Class::of(&Rule::of(Algorithm::Gcra, limit)).expect("a word can hold it");
        let full = class.ask(Arrival::at(0), class.last, 7).expect("a word can hold it");
        assert!(full.allowed);
        assert_eq!((full.charged.micros(), full.charged.parts()), (MOST_MICROS, 0));
        assert_eq!(Word::new(full.charged, 1).arrival(), full.charged);
        assert!(class.ask(Arrival::at(0), class.last + 1, 1).is_none());
    }
}
