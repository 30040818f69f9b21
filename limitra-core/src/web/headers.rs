//! The headers that tell a client of its limits.

use std::fmt::Write as _;

use http::header::{HeaderMap, HeaderValue, RETRY_AFTER};

use super::limit::Charged;
use super::remainder::Remainder;
use super::telling::{RateLimit, Telling, XRateLimit};
use super::told::numbered;
use crate::decision::Decision;
use crate::exceeded::whole_seconds;
use crate::limit::Limit;
use crate::limiter::RateLimiter;
use crate::rule_decision::RuleDecision;

/// The greatest integer of a structured field (RFC 9651, 3.3.1).
pub(super) const MOST: u64 = 999_999_999_999_999;
/// The length of two such numbers, and of what stands before each.
pub(super) const REST: usize = 2 * (";r=".len() + 15);

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
/// has already gets a number (`"user-2"`); of limits with one name and one quota the one with less left is told,
/// or with as much for longer.
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
    pub(super) rate_limit: bool,
    pub(super) x_rate_limit: bool,
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
        let rate_limit = || match names.filter(|names| names.items.len() == rules.len()) {
            Some(names) => names.told(rules),
            None => Names::of_rules(rules, charged).told(rules),
        };
        let x_rate_limit = || decision.binding().map(XRateLimit::of);
        Telling {
            rate_limit: if self.rate_limit && !rules.is_empty() { rate_limit() } else { None },
            x_rate_limit: if self.x_rate_limit { x_rate_limit() } else { None },
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

/// What limits are called, and what is nearly always said of them.
#[derive(Debug)]
pub(crate) struct Names {
    /// What the item of each begins with: what divides it from the one before, and its name.
    items: Vec<String>,
    limits: Vec<Limit>,
    /// All the quotas: what `RateLimit-Policy` says.
    policy: Option<HeaderValue>,
}

impl Names {
    /// Those of all rules of these limiters.
    pub(crate) fn of<'a>(limiters: impl Iterator<Item = &'a RateLimiter>) -> Self {
        Self::of_pairs(limits_of(limiters))
    }

    fn of_rules(rules: &[RuleDecision], charged: &Charged) -> Self {
        let limiter = |rule: &RuleDecision| charged.get(rule.subject()).map(|(limiter, _)| limiter);
        Self::of_pairs(rules.iter().map(|rule| (limiter(rule), rule.limit())))
    }

    fn of_pairs<'a>(pairs: impl Iterator<Item = (Option<&'a RateLimiter>, Limit)>) -> Self {
        let (mut names, mut limits): (Vec<String>, Vec<Limit>) = (Vec::new(), Vec::new());
        for (limiter, limit) in pairs {
            let is_free = |name: &String| !names.contains(name);
            let name = name_of(limiter, limit);
            let mut others = (2_u64..).map(|nth| numbered(&name, nth));
            let other = if is_free(&name) { None } else { others.find(is_free) };
            names.push(other.unwrap_or(name));
            limits.push(limit);
        }
        let divider = |place| if place == 0 { "" } else { ", " };
        let items = names.iter().enumerate().map(|(place, name)| format!("{}{name}", divider(place)));
        let items: Vec<String> = items.collect();
        Self { policy: policy_of(&items, limits.iter().copied()), items, limits }
    }

    /// What these rules came to.
    fn told(&self, rules: &[RuleDecision]) -> Option<RateLimit> {
        let length = self.items.iter().map(|item| item.len() + REST).sum();
        let mut text = String::with_capacity(length);
        for (item, rule) in self.items.iter().zip(rules) {
            let Remainder { remaining, seconds } = Remainder::of(rule);
            let _ = write!(text, "{item};r={};t={}", remaining.min(MOST), seconds.min(MOST));
        }
        Some(RateLimit { policies: self.policy_of(rules)?, states: HeaderValue::from_str(&text).ok()? })
    }

    /// The quotas that decided: in an outage a share of them may have.
    fn policy_of(&self, rules: &[RuleDecision]) -> Option<HeaderValue> {
        if rules.iter().map(RuleDecision::limit).eq(self.limits.iter().copied()) {
            return self.policy.clone();
        }
        policy_of(&self.items, rules.iter().map(RuleDecision::limit))
    }
}

/// What `RateLimit-Policy` says.
fn policy_of(items: &[String], limits: impl Iterator<Item = Limit>) -> Option<HeaderValue> {
    let quotas = items.iter().zip(limits).map(|(item, limit)| format!("{item}{}", quota_of(limit)));
    HeaderValue::try_from(quotas.collect::<String>()).ok()
}

/// The limits of these limiters that decide, and whose they are.
pub(super) fn limits_of<'a>(
    limiters: impl Iterator<Item = &'a RateLimiter>,
) -> impl Iterator<Item = (Option<&'a RateLimiter>, Limit)> {
    limiters.filter(|limiter| limiter.is_enabled()).flat_map(|limiter| {
        let limits = limiter.config().limits.iter().filter(|limit| !limit.is_unlimited());
        limits.map(move |&limit| (Some(limiter), limit))
    })
}

/// A limit's name, as a string of structured fields.
pub(super) fn name_of(limiter: Option<&RateLimiter>, limit: Limit) -> String {
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
