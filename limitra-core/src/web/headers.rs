//! The headers that tell a client of its limits.

use std::fmt::Write as _;
use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};

use super::refusal::whole_seconds;
use crate::decision::Decision;
use crate::limiter::RateLimiter;
use crate::rule_decision::RuleDecision;

pub(crate) const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
pub(crate) const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const X_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

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
/// They stand on refusals, and on allowed responses if [`Headers::on_allowed`] says so. Where layers are stacked, each adds the limits
/// that are not told of yet.
///
/// ```
/// use limitra_core::web::Headers;
///
/// let headers = Headers::default().x_rate_limit(true).on_allowed(true);
/// assert_ne!(headers, Headers::none());
/// ```
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

    /// Tells of a decision of these limiters.
    pub(crate) fn write<'a>(
        self,
        headers: &mut HeaderMap,
        decision: &Decision,
        limiters: impl Iterator<Item = &'a RateLimiter> + Clone,
        policy: Option<&HeaderValue>,
    ) {
        if self.retry_after && !decision.is_allowed() && !headers.contains_key(RETRY_AFTER) {
            headers.insert(RETRY_AFTER, whole_seconds(decision.retry_after()).into());
        }
        // What an outage policy refuses is told by no limit.
        let Some(binding) = decision.binding().filter(|rule| rule.limit().amount() > 0) else { return };
        if self.rate_limit {
            let already = headers.get(RATELIMIT).and_then(|value| value.to_str().ok()).unwrap_or_default();
            let is_new = already.is_empty();
            let rules = || decision.rules().iter().map(|rule| (rule, limiters.clone().nth(rule.subject())));
            let (mut state, mut quotas) = (String::with_capacity(48), String::new());
            for (rule, limiter) in rules() {
                let start = state.len();
                name_into(&mut state, limiter, rule);
                if !is_new && already.contains(state.get(start..).unwrap_or_default()) {
                    state.truncate(start);
                    continue;
                }
                if policy.is_none() || !is_new {
                    let name = state.get(start..).unwrap_or_default();
                    quotas.push_str(if quotas.is_empty() { "" } else { ", " });
                    quotas.push_str(name);
                    quota_into(&mut quotas, rule);
                }
                let _ = write!(state, ";r={}", rule.remaining().min(MOST));
                let _ = write!(state, ";t={}, ", seconds_until_more(rule).min(MOST));
            }
            state.truncate(state.trim_end_matches(", ").len());
            match policy.filter(|_| is_new) {
                Some(policy) => {
                    headers.insert(RATELIMIT_POLICY, policy.clone());
                }
                None => join(headers, RATELIMIT_POLICY, quotas),
            }
            join(headers, RATELIMIT, state);
        }
        if self.x_rate_limit {
            let left = binding.remaining();
            let told = headers.get(X_REMAINING).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
            // Of two layers the one that binds tells.
            if told.is_none_or(|told| left < told) {
                headers.insert(X_LIMIT, binding.limit().amount().into());
                headers.insert(X_REMAINING, left.into());
                headers.insert(X_RESET, seconds_until_more(binding).into());
            }
        }
    }
}

/// The quotas of these limiters: what `RateLimit-Policy` says of them.
pub(crate) fn policy_of<'a>(limiters: impl Iterator<Item = &'a RateLimiter>) -> Option<HeaderValue> {
    let mut text = String::new();
    for limiter in limiters {
        for rule in &limiter.inner.rules {
            if rule.limit().is_unlimited() {
                continue;
            }
            text.push_str(if text.is_empty() { "" } else { ", " });
            label_into(&mut text, limiter, rule.limit().window());
            amount_into(&mut text, rule.limit());
        }
    }
    HeaderValue::try_from(text).ok()
}

/// Puts items at the end of a list.
fn join(headers: &mut HeaderMap, name: HeaderName, mut items: String) {
    if items.is_empty() {
        return;
    }
    if let Some(already) = headers.get(&name).and_then(|value| value.to_str().ok()) {
        items = format!("{already}, {items}");
    }
    if let Ok(value) = HeaderValue::try_from(items) {
        headers.insert(name, value);
    }
}

/// A limit's name, as a string of structured fields.
fn name_into(text: &mut String, limiter: Option<&RateLimiter>, rule: &RuleDecision) {
    match limiter {
        Some(limiter) => label_into(text, limiter, rule.limit().window()),
        None => text.push_str("\"limit\""),
    }
}

fn label_into(text: &mut String, limiter: &RateLimiter, window: Duration) {
    text.push('"');
    string_into(text, &limiter.inner.desk.label);
    if limiter.inner.rules.len() > 1 {
        let _ = write!(text, "-{window:?}");
    }
    text.push('"');
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

fn quota_into(text: &mut String, rule: &RuleDecision) {
    amount_into(text, rule.limit());
}

pub(crate) fn amount_into(text: &mut String, limit: crate::limit::Limit) {
    let _ = write!(text, ";q={}", limit.amount().min(MOST));
    let window = limit.window();
    if window.subsec_nanos() == 0 {
        let _ = write!(text, ";w={}", window.as_secs().min(MOST));
    }
}

/// Whole seconds, rounded up, until more is left than now; 0 where all is.
fn seconds_until_more(rule: &RuleDecision) -> u64 {
    let wait = rule.frees_after().max(rule.retry_after());
    if wait.is_zero() { 0 } else { whole_seconds(wait) }
}
