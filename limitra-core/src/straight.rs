//! The straight way: one rule of one subject, on memory.

use std::sync::Arc;

use crate::attempt::Mode;
use crate::decide::{Desk, log_refusal};
use crate::decision::{Decision, Scope};
use crate::error::StorageError;
use crate::identifier::Identifier;
use crate::key::{Key, KeySpace};
use crate::measured::Tally;
use crate::pending::Answer;
use crate::rule::Rule;
use crate::rule_decision::RuleDecision;
use crate::storage::memory::{Charged, Lookahead, MemoryStorage, Prepared, Single};

/// What nearly every decision on memory needs, told apart from all that is rare when a limiter is built: one rule
/// that limits, and the storage's own clock.
#[derive(Debug)]
pub(crate) struct Straight {
    memory: MemoryStorage,
    rule: Rule,
    prepared: Option<Prepared>,
    /// What a refusal tells.
    scope: Scope,
    /// What logs call it.
    label: Arc<str>,
    tally: Tally,
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
            tally: desk.tally.clone(),
        })
    }

    /// Whether a hit of this cost is asked of the storage: it spends something, and could be allowed.
    #[inline]
    pub(crate) const fn takes(&self, cost: u64) -> bool {
        // 0 wraps around to the greatest of all.
        cost.wrapping_sub(1) < self.rule.limit().capacity()
    }

    /// Decides where nothing is in the way, for a cost that is not 0; else `None`, and nothing has happened.
    #[allow(clippy::inline_always)] // See `Deciding::poll`.
    #[inline(always)]
    pub(crate) fn at_once(&self, parts: &[Identifier<'_>], cost: u64, mode: Mode) -> Option<Found<'_>> {
        let prepared = self.prepared.as_ref()?;
        let answer = self.memory.decide_prepared(prepared, parts, cost, mode)?;
        Some(self.found(prepared, answer, cost, mode))
    }

    /// The answer that the storage came to, counted and told to the log.
    #[allow(clippy::inline_always)] // See `Deciding::poll`.
    #[inline(always)]
    fn found<'a>(&'a self, prepared: &'a Prepared, answer: Charged, cost: u64, mode: Mode) -> Found<'a> {
        if mode == Mode::Hit {
            self.tally.decided(answer.allowed);
        }
        if !answer.allowed && tracing::level_enabled!(tracing::Level::DEBUG) {
            self.log_refusal(self.memory.single(prepared, answer), cost);
        }
        Found { straight: self, prepared, answer, cost }
    }

    /// Decides where that could not, by the desk's outage policy.
    #[cold]
    #[inline(never)]
    pub(crate) fn decide(&self, desk: &Desk, key: Key<'_>, cost: u64, mode: Mode) -> Answer {
        desk.straight(mode, self.ask(key, cost, mode))
    }

    fn ask(&self, key: Key<'_>, cost: u64, mode: Mode) -> Result<Decision, StorageError> {
        let single = self.memory.decide_single(key, &self.rule, cost, mode)?;
        if let Some(prepared) = &self.prepared {
            self.memory.note_place(prepared, key);
        }
        Ok(self.told(single, cost))
    }

    /// Decides for each of these identifiers, in their order.
    pub(crate) fn decide_many(
        &self,
        identifiers: &[[Identifier<'_>; 1]],
        space: &KeySpace,
        desk: &Desk,
    ) -> Vec<Answer> {
        let general = |key: Key<'_>| self.decide(desk, key, 1, Mode::Hit);
        let Some(prepared) = &self.prepared else {
            return identifiers.iter().map(|parts| general(space.key(parts))).collect();
        };
        let mut lookahead = Lookahead::new(&self.memory, prepared, identifiers);
        let mut others = Vec::new();
        let answer = |(at, parts): (usize, &[Identifier<'_>; 1])| {
            if let Some(charged) = lookahead.decide_next() {
                return Ok(self.found(prepared, charged, 1, Mode::Hit).decision());
            }
            // Put in its place later, so that those above are made where they stay: to move them costs more than to decide.
            others.push((at, general(space.key(parts))));
            Ok(Decision::unlimited())
        };
        let mut answers: Vec<Answer> = identifiers.iter().enumerate().map(answer).collect();
        for (at, answer) in others {
            if let Some(place) = answers.get_mut(at) {
                *place = answer;
            }
        }
        answers
    }

    /// The decision that the storage came to, told to the log too.
    fn told(&self, single: Single, cost: u64) -> Decision {
        if !single.allowed {
            self.log_refusal(single, cost);
        }
        Decision::of_one(self.rule_decision(single, cost), &self.scope)
    }

    #[allow(clippy::inline_always)] // See `Deciding::poll`.
    #[inline(always)]
    fn rule_decision(&self, Single { now, allowed, state }: Single, cost: u64) -> RuleDecision {
        RuleDecision::new(&self.rule, state, now, cost, allowed)
    }

    #[cold]
    #[inline(never)]
    fn log_refusal(&self, single: Single, cost: u64) {
        let decision = self.rule_decision(single, cost);
        log_refusal(&self.label, || (Some(decision.limit()), decision.retry_after()));
    }
}

/// An answer that is not worked out further than it is read.
pub(crate) struct Found<'a> {
    straight: &'a Straight,
    prepared: &'a Prepared,
    answer: Charged,
    cost: u64,
}

impl Found<'_> {
    #[inline]
    pub(crate) const fn is_allowed(&self) -> bool {
        self.answer.allowed
    }

    /// The whole of it.
    #[allow(clippy::inline_always)] // See `Deciding::poll`.
    #[inline(always)]
    pub(crate) fn decision(self) -> Decision {
        Decision::of_one(self.rule_decision(), &self.straight.scope)
    }

    /// What its only rule says.
    #[allow(clippy::inline_always)] // See `Deciding::poll`.
    #[inline(always)]
    pub(crate) fn rule_decision(&self) -> RuleDecision {
        let Self { straight, prepared, answer, cost } = self;
        straight.rule_decision(straight.memory.single(prepared, *answer), *cost)
    }
}
