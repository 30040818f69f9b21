//! The straight way: one rule of one subject, on memory.

use std::sync::Arc;

use crate::attempt::Mode;
use crate::decide::{Answer, Desk, log_refusal};
use crate::decision::{Decision, Scope};
use crate::error::StorageError;
use crate::identifier::Identifier;
use crate::key::{Key, KeySpace};
use crate::rule::Rule;
use crate::rule_decision::RuleDecision;
use crate::storage::memory::{MemoryStorage, Prepared, Single};

/// What nearly every decision on memory needs, told apart from all that is rare when a limiter is built: one rule
/// that limits, and the storage's own clock.
#[derive(Clone, Debug)]
pub(crate) struct Straight {
    memory: MemoryStorage,
    rule: Rule,
    prepared: Option<Prepared>,
    /// What a refusal tells.
    scope: Scope,
    /// What logs call it.
    label: Arc<str>,
}

impl Straight {
    /// That of these rules at this desk, if they are so simple.
    pub(crate) fn new(desk: &Desk, space: &KeySpace, rules: &[Rule], scope: Scope) -> Option<Self> {
        let (Some(memory), None, &[rule]) = (desk.storage.memory(), &desk.clock, rules) else {
            return None;
        };
        let is_plain = !rule.limit().is_unlimited() && rule.amount() > 0;
        is_plain.then(|| Self {
            memory: memory.clone(),
            rule,
            prepared: memory.prepare(space, &rule),
            scope,
            label: Arc::clone(&desk.label),
        })
    }

    /// Whether a hit of this cost is asked of the storage: it spends something, and could be allowed.
    #[inline]
    pub(crate) const fn takes(&self, cost: u64) -> bool {
        // 0 wraps around to the greatest of all.
        cost.wrapping_sub(1) < self.rule.limit().capacity()
    }

    /// Decides at once, for a cost that it takes.
    #[allow(clippy::inline_always)] // See `Deciding::poll`.
    #[inline(always)]
    pub(crate) fn decide(&self, key: Key<'_>, cost: u64, mode: Mode) -> Result<Decision, StorageError> {
        let prepared = self.prepared.as_ref();
        let single = self.memory.decide_single(prepared, key, &self.rule, cost, mode)?;
        Ok(self.decision(single, cost))
    }

    /// Decides for each of these identifiers, in their order.
    pub(crate) fn decide_many(
        &self,
        identifiers: &[[Identifier<'_>; 1]],
        space: &KeySpace,
        desk: &Desk,
    ) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(identifiers.len());
        let general = |key: Key<'_>| self.decide(key, 1, Mode::Hit).or_else(|error| desk.undecided(error));
        match &self.prepared {
            Some(prepared) => {
                let answer = |key: Key<'_>, single: Option<Single>| {
                    answers.push(single.map_or_else(|| general(key), |single| Ok(self.decision(single, 1))));
                };
                self.memory.decide_many_prepared(prepared, identifiers, |parts| space.key(parts), answer);
            }
            None => answers.extend(identifiers.iter().map(|parts| general(space.key(parts)))),
        }
        answers
    }

    /// The decision that the storage came to.
    #[allow(clippy::inline_always)] // See `Deciding::poll`.
    #[inline(always)]
    fn decision(&self, Single { now, allowed, state }: Single, cost: u64) -> Decision {
        let decision = RuleDecision::new(&self.rule, state, now, cost, allowed);
        if !allowed {
            self.log_refusal(decision);
        }
        Decision::of_one(decision, &self.scope)
    }

    /// Apart, and given a copy: so no decision that is used at once need be in memory.
    #[inline(never)]
    fn log_refusal(&self, decision: RuleDecision) {
        log_refusal(&self.label, || (Some(decision.limit()), decision.retry_after()));
    }
}
