//! The headers that tell a client of its limits.

use std::fmt::Write as _;

use http::header::{HeaderMap, HeaderValue, RETRY_AFTER};

use super::pass::Charged;
use super::telling::{RateLimit, Telling, XRateLimit};
use super::told::numbered;
use crate::decision::Decision;
use crate::exceeded::whole_seconds;
use crate::limit::Limit;
use crate::limiter::RateLimiter;
use crate::rule_decision::RuleDecision;

/// The greatest integer of a structured field (RFC 9651, 3.3.1).
const MOST: u64 = 999_999_999_999_999;

/// Which headers tell a client of its limits.
///
/// | header | what it says | default |
/// |---|---|---|
/// | `Retry-After` | whole seconds until the same request is let in, rounded up, at least 1; on refusals only | on |
/// | `RateLimit-Policy` | each limit: `"user";q=10;w=60` (amount; window in seconds, left out where it is not whole) | on |
/// | `RateLimit` | each limit: `"user";r=3;t=7`: 3 units are left, more in 7 seconds at the latest | on |
/// | `X-RateLimit-Limit`, `-Remaining`, `-Reset` | the same of the limit that binds; `Reset` in seconds from now | off |
///
/// `RateLimit` and `RateLimit-Policy` are the structured fields of draft-ietf-httpapi-ratelimit-headers (10). A limit is called by its
/// limiter's scope; of a limiter with several limits with the window behind it (`"user-60s"`). `t` is counted until more is
/// left than `r`, under every algorithm: a client that spends at most `r` and then waits `t` is never refused, if it is alone.
///
/// They stand on refusals, and on allowed responses if [`Headers::on_allowed`] says so. Where layers are stacked, or a handler or a
/// proxied service tells of limits of its own, the limits that are not told of yet are added to the same line. A name that another limit
/// has already gets a number (`"user-2"`); of limits with one name and one quota the one with less left is told.
///
/// ```
/// use limitra_core::web::Headers;
///
/// let headers = Headers::default().x_rate_limit(true).on_allowed(true);
/// assert_ne!(headers, Headers::none());
/// ```
#[allow(clippy::struct_excessive_bools)] // Each is a header that is on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers {
    retry_after: bool,
    rate_limit: bool,
    x_rate_limit: bool,
    on_allowed: bool,
}

impl Default for Headers {
    fn default() -> Self {
        Self { retry_after: true, rate_limit: true, x_rate_limit: false, on_allowed: false }
    }
}

impl Headers {
    /// None of them.
    pub const fn none() -> Self {
        Self { retry_after: false, rate_limit: false, x_rate_limit: false, on_allowed: false }
    }

    /// `Retry-After` on refusals, or not.
    pub const fn retry_after(mut self, is_on: bool) -> Self {
        self.retry_after = is_on;
        self
    }

    /// `RateLimit` and `RateLimit-Policy`, or not.
    pub const fn rate_limit(mut self, is_on: bool) -> Self {
        self.rate_limit = is_on;
        self
    }

    /// `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset`, or not.
    pub const fn x_rate_limit(mut self, is_on: bool) -> Self {
        self.x_rate_limit = is_on;
        self
    }

    /// Whether allowed responses carry them too, not only refusals.
    pub const fn on_allowed(mut self, is_on: bool) -> Self {
        self.on_allowed = is_on;
        self
    }

    pub(crate) const fn are_on_allowed(self) -> bool {
        self.on_allowed && (self.rate_limit || self.x_rate_limit)
    }

    /// What is told of a decision of these limiters, whose names may be at hand.
    pub(crate) fn told(self, decision: &Decision, charged: &Charged, names: Option<&Names>) -> Telling {
        let rules = decision.rules();
        // What an outage policy refuses is told by no limit.
        if rules.iter().any(|rule| rule.limit().amount() == 0) {
            return Telling::NOTHING;
        }
        let rate_limit = || match names.filter(|names| names.states.len() == rules.len()) {
            Some(names) => names.told(rules),
            None => Names::of_rules(rules, charged).told(rules),
        };
        let x_rate_limit = || decision.binding().map(XRateLimit::of);
        Telling {
            rate_limit: if self.rate_limit && !rules.is_empty() { rate_limit() } else { None },
            x_rate_limit: if self.x_rate_limit { x_rate_limit() } else { None },
        }
    }

    /// What is told of the only limit, which amounts to `limit` here, and of what is left of it.
    #[inline]
    pub(crate) fn told_of(self, only: &Only, limit: u64, remainder: Remainder) -> Telling {
        let Remainder { remaining, seconds } = remainder;
        let rate_limit = || Some(RateLimit { policies: only.policy.clone(), states: only.state(remainder)? });
        let x_rate_limit = XRateLimit { limit, remaining, reset: seconds };
        Telling {
            rate_limit: if self.rate_limit { rate_limit() } else { None },
            x_rate_limit: self.x_rate_limit.then_some(x_rate_limit),
        }
    }

    /// Tells when a refused request may come again.
    pub(crate) fn retry_after_into(self, headers: &mut HeaderMap, decision: &Decision) {
        if self.retry_after {
            let wait = whole_seconds(decision.retry_after());
            headers.entry(RETRY_AFTER).or_insert_with(|| wait.into());
        }
    }
}

/// What limits are called, and what is always said of them.
#[derive(Debug)]
pub(crate) struct Names {
    /// For each rule what its state begins with, as `RateLimit` says it: what divides it from the one before, its name, and so on.
    states: Vec<String>,
    /// All the quotas: what `RateLimit-Policy` says.
    policy: Option<HeaderValue>,
    /// For each rule its limit.
    limits: Vec<Limit>,
}

impl Names {
    /// Those of all rules of these limiters.
    pub(crate) fn of<'a>(limiters: impl Iterator<Item = &'a RateLimiter>) -> Self {
        let limited = |limiter: &'a RateLimiter| {
            let limits = limiter.config().limits.iter().filter(|limit| !limit.is_unlimited());
            limits.map(move |&limit| (Some(limiter), limit))
        };
        Self::of_pairs(limiters.flat_map(limited))
    }

    fn of_rules(rules: &[RuleDecision], charged: &Charged) -> Self {
        let limiter = |rule: &RuleDecision| charged.get(rule.subject()).map(|(limiter, _)| limiter);
        Self::of_pairs(rules.iter().map(|rule| (limiter(rule), rule.limit())))
    }

    fn of_pairs<'a>(pairs: impl Iterator<Item = (Option<&'a RateLimiter>, Limit)>) -> Self {
        let (mut items, mut limits): (Vec<(String, String)>, _) = (Vec::new(), Vec::new());
        for (limiter, limit) in pairs {
            let is_free = |name: &String| items.iter().all(|(other, _)| other != name);
            let name = name_of(limiter, limit);
            let mut others = (2_u64..).map(|nth| numbered(&name, nth));
            let other = if is_free(&name) { None } else { others.find(is_free) };
            items.push((other.unwrap_or(name), quota_of(limit)));
            limits.push(limit);
        }
        let policy: Vec<String> = items.iter().map(|(name, quota)| format!("{name}{quota}")).collect();
        let states = items.iter().enumerate().map(|(place, (name, _))| {
            let divider = if place == 0 { "" } else { ", " };
            format!("{divider}{name};r=")
        });
        Self { states: states.collect(), policy: HeaderValue::try_from(policy.join(", ")).ok(), limits }
    }

    /// The same of a single limit, if its name is short.
    pub(crate) fn only(&self) -> Option<Only> {
        let ([state], [limit]) = (&*self.states, &*self.limits) else { return None };
        let mut name = [0; Only::LONGEST];
        let (_, end) = name.split_at_mut_checked(Only::LONGEST.checked_sub(state.len())?)?;
        end.copy_from_slice(state.as_bytes());
        Some(Only { name, length: state.len(), limit: limit.amount(), policy: self.policy.clone()? })
    }

    /// What these rules came to.
    fn told(&self, rules: &[RuleDecision]) -> Option<RateLimit> {
        let mut text = String::new();
        for (state, rule) in self.states.iter().zip(rules) {
            let Remainder { remaining, seconds } = Remainder::of(rule);
            let _ = write!(text, "{state}{};t={}", remaining.min(MOST), seconds.min(MOST));
        }
        Some(RateLimit { policies: self.policy.clone()?, states: HeaderValue::try_from(text).ok()? })
    }
}

/// What is told of the only limit, made ready: it is told with most responses.
#[derive(Debug)]
pub(crate) struct Only {
    /// What its state begins with, at the end of its place.
    name: [u8; Self::LONGEST],
    length: usize,
    pub(super) limit: u64,
    policy: HeaderValue,
}

impl Only {
    const LONGEST: usize = 64;
    /// Two numbers, and what divides them.
    const REST: usize = 2 * 15 + ";t=".len();

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
    remaining: u64,
    seconds: u64,
}

impl Remainder {
    #[inline]
    pub(crate) fn of(rule: &RuleDecision) -> Self {
        let remaining = rule.remaining();
        Self { remaining, seconds: seconds_until_more(rule, remaining) }
    }
}

/// A limit's name, as a string of structured fields.
fn name_of(limiter: Option<&RateLimiter>, limit: Limit) -> String {
    let mut text = String::from("\"");
    match limiter {
        Some(limiter) => {
            string_into(&mut text, &limiter.config().scope);
            if limiter.config().limits.len() > 1 {
                let _ = write!(text, "-{:?}", limit.window());
            }
        }
        None => text.push_str("limit"),
    }
    text.push('"');
    text
}

/// The characters of a string of structured fields: what it cannot hold is a `?`.
pub(crate) fn string_into(text: &mut String, raw: &str) {
    for character in raw.chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            ' '..='~' => text.push(character),
            _ => text.push('?'),
        }
    }
}

/// A limit's amount, and its window where that is a whole number of seconds.
pub(crate) fn quota_of(limit: Limit) -> String {
    let (amount, window) = (limit.amount().min(MOST), limit.window());
    if window.subsec_nanos() == 0 {
        format!(";q={amount};w={}", window.as_secs())
    } else {
        format!(";q={amount}")
    }
}

/// Whole seconds, rounded up, until more is left than this, which is left now; 0 where all is.
pub(super) fn seconds_until_more(rule: &RuleDecision, remaining: u64) -> u64 {
    rule.frees_after(remaining).max(rule.wait()).get().div_ceil(1_000_000)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn names(scope: &str) -> Names {
        let limiter = RateLimiter::builder().requests(5).window(60).scope(scope).build().unwrap();
        Names::of([&limiter].into_iter())
    }

    #[test]
    fn an_only_limit_is_told_as_any_other_is() {
        let numbers = [0, 1, 9, 10, 99, 100, 101, 999, 1000, 12_345, MOST - 1, MOST, MOST + 1, u64::MAX];
        for length in 1..=59 {
            let only = names(&"x".repeat(length)).only().unwrap();
            for (remaining, seconds) in numbers.into_iter().flat_map(|one| numbers.map(|other| (one, other)))
            {
                let state = only.state(Remainder { remaining, seconds }).unwrap();
                let (name, remaining, seconds) = ("x".repeat(length), remaining.min(MOST), seconds.min(MOST));
                assert_eq!(state, format!("\"{name}\";r={remaining};t={seconds}"));
            }
        }
    }

    #[test]
    fn a_limit_with_a_long_name_and_several_limits_are_told_the_general_way() {
        assert!(names(&"x".repeat(60)).only().is_none());
        let limiter = RateLimiter::builder().notation("5/minute; 50/hour").build().unwrap();
        assert!(Names::of([&limiter].into_iter()).only().is_none());
    }
}
