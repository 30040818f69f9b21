//! What a web service would say with a decision.

use std::time::Duration;

use limitra::{Decision, RuleDecision};

/// The headers of a response, each with its value.
pub(crate) type Headers = Vec<(&'static str, String)>;

/// The structured fields of the IETF draft, with an item for each limit; `Retry-After` on a refusal; the older names.
pub(crate) fn headers(decision: &Decision) -> Headers {
    let each =
        |item: fn(&RuleDecision) -> String| decision.rules().iter().map(item).collect::<Vec<_>>().join(", ");
    let mut headers = vec![("RateLimit-Policy", each(policy)), ("RateLimit", each(left))];
    if let Some(rule) = decision.binding() {
        headers.push(("X-RateLimit-Limit", rule.limit().capacity().to_string()));
        headers.push(("X-RateLimit-Remaining", rule.remaining().to_string()));
        headers.push(("X-RateLimit-Reset", whole_seconds(rule.reset_after()).to_string()));
    }
    if !decision.is_allowed() {
        headers.push(("Retry-After", whole_seconds(decision.retry_after()).to_string()));
    }
    headers
}

fn name(rule: &RuleDecision) -> String {
    format!("{}-per-{}s", rule.limit().amount(), rule.limit().window().as_secs_f64())
}

fn policy(rule: &RuleDecision) -> String {
    let window = whole_seconds(rule.limit().window());
    format!("\"{}\";q={};w={window}", name(rule), rule.limit().capacity())
}

fn left(rule: &RuleDecision) -> String {
    let until = if rule.is_allowed() { rule.reset_after() } else { rule.retry_after() };
    format!("\"{}\";r={};t={}", name(rule), rule.remaining(), whole_seconds(until))
}

/// Rounded up: who waits so long has waited long enough.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
