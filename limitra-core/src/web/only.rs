//! What is told of an only limit: with most responses, so that it is made ready.

use http::header::HeaderValue;

use super::headers::{MOST, limits_of, name_of, quota_of};
use super::telling::RateLimit;
use crate::limit::Limit;
use crate::limiter::RateLimiter;
use crate::rule_decision::RuleDecision;

/// What is told of the only limit, made ready: it is told with most responses.
#[derive(Debug)]
pub(crate) struct Only {
    /// What its state begins with, at the end of its place.
    name: [u8; Self::LONGEST],
    length: usize,
    pub(super) limit: Limit,
    policy: HeaderValue,
}

impl Only {
    const LONGEST: usize = 64;
    /// Two numbers, and what stands before each.
    pub(super) const REST: usize = 2 * (";r=".len() + 15);

    /// That of these limiters, if they have one in all, with a short name.
    pub(super) fn of<'a>(limiters: impl Iterator<Item = &'a RateLimiter>) -> Option<Self> {
        let mut limits = limits_of(limiters);
        let (Some((limiter, limit)), None) = (limits.next(), limits.next()) else { return None };
        let state = format!("{};r=", name_of(limiter, limit));
        let mut name = [0; Self::LONGEST];
        let (_, end) = name.split_at_mut_checked(Self::LONGEST.checked_sub(state.len())?)?;
        end.copy_from_slice(state.as_bytes());
        let policy = HeaderValue::try_from(name_of(limiter, limit) + &quota_of(limit)).ok()?;
        Some(Self { name, length: state.len(), limit, policy })
    }

    /// The values of `RateLimit-Policy` and `RateLimit`.
    #[inline]
    pub(super) fn told(&self, remainder: Remainder) -> Option<RateLimit> {
        Some(RateLimit { policies: self.policy.clone(), states: self.state(remainder)? })
    }

    /// Its state, as `RateLimit` says it. Written from its end.
    #[inline]
    fn state(&self, Remainder { remaining, seconds }: Remainder) -> Option<HeaderValue> {
        let mut text = [0; Self::LONGEST + Self::REST];
        let room = number_into(&mut text, seconds.min(MOST))?;
        let room = piece_into(room, *b";t=")?;
        let room = number_into(room, remaining.min(MOST))?;
        let room = piece_into(room, self.name)?;
        let start = room.len() + Self::LONGEST - self.length;
        HeaderValue::from_bytes(text.get(start..)?).ok()
    }
}

/// Puts a piece at the end, and gives back the room before it.
#[inline]
fn piece_into<const N: usize>(room: &mut [u8], piece: [u8; N]) -> Option<&mut [u8]> {
    let (room, end) = room.split_last_chunk_mut()?;
    *end = piece;
    Some(room)
}

/// The same with a number in decimal digits.
#[inline]
fn number_into(mut room: &mut [u8], mut number: u64) -> Option<&mut [u8]> {
    while number >= 100 {
        room = piece_into(room, digits(number % 100))?;
        number /= 100;
    }
    let [tens, ones] = digits(number);
    if number >= 10 { piece_into(room, [tens, ones]) } else { piece_into(room, [ones]) }
}

/// A number below 100 as two digits.
#[inline]
fn digits(number: u64) -> [u8; 2] {
    let number = u8::try_from(number).unwrap_or_default();
    [b'0' + number / 10, b'0' + number % 10]
}

/// What is left of a limit, and in how many seconds there is more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Remainder {
    pub(super) remaining: u64,
    pub(super) seconds: u64,
}

impl Remainder {
    #[inline]
    pub(crate) fn of(rule: &RuleDecision) -> Self {
        let remaining = rule.remaining();
        Self { remaining, seconds: seconds_until_more(rule, remaining) }
    }
}

/// Whole seconds, rounded up, until more is left than this, which is left now; 0 where all is.
fn seconds_until_more(rule: &RuleDecision, remaining: u64) -> u64 {
    rule.frees_after(remaining).max(rule.wait()).get().div_ceil(1_000_000)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn only(notation: &str, scope: &str) -> Option<Only> {
        let limiter = RateLimiter::builder().notation(notation).scope(scope).build().unwrap();
        Only::of([&limiter].into_iter())
    }

    #[test]
    fn an_only_limit_is_told_with_every_name_and_number() {
        let numbers = [0, 1, 9, 10, 99, 100, 101, 999, 1000, 12_345, MOST - 1, MOST, MOST + 1, u64::MAX];
        for length in 1..=59 {
            let (name, only) = ("x".repeat(length), only("5/minute", &"x".repeat(length)).unwrap());
            for (remaining, seconds) in numbers.into_iter().flat_map(|one| numbers.map(|other| (one, other)))
            {
                let told = only.told(Remainder { remaining, seconds }).unwrap();
                let (remaining, seconds) = (remaining.min(MOST), seconds.min(MOST));
                assert_eq!(told.states, format!("\"{name}\";r={remaining};t={seconds}"));
                assert_eq!(told.policies, format!("\"{name}\";q=5;w=60"));
            }
        }
    }

    #[test]
    fn a_long_name_and_several_limits_are_told_the_general_way() {
        assert!(only("5/minute", &"x".repeat(60)).is_none());
        assert!(only("5/minute; 50/hour", "x").is_none());
    }
}
