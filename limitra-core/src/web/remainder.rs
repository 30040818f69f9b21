//! What is left of a limit, as headers say it.

use crate::rule_decision::RuleDecision;

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
