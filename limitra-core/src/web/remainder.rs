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
        let (remaining, frees_after) = rule.left();
        // Whole seconds, rounded up; 0 where all is left.
        Self { remaining, seconds: frees_after.max(rule.wait()).get().div_ceil(1_000_000) }
    }
}
