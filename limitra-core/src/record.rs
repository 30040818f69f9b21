//! Everything kept for one subject: all its rules in one value under one key.

use smallvec::SmallVec;

use crate::algorithm::Algorithm;
use crate::log::Log;
use crate::rule::Rule;
use crate::state::{State, Step};
use crate::time::Micros;

/// The steps of one subject's rules, in their order.
pub(crate) type Steps = SmallVec<[Step; 1]>;

/// Everything kept for one subject, an entry for each rule.
///
/// A rule's tag is its algorithm and window: reordering rules keeps every count, changing only
/// the amount keeps the count, changing the algorithm starts afresh, and entries of rules that
/// are not asked stay until they expire.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    entries: SmallVec<[Entry; 1]>,
}

#[derive(Clone, Debug)]
struct Entry {
    /// The rule as it was last charged.
    rule: Rule,
    state: State,
    /// For the moving window only.
    log: Option<Box<Log>>,
}

impl Record {
    /// Decides one rule, changing nothing.
    pub(crate) fn ask(&self, rule: &Rule, now: Micros, cost: u64) -> Step {
        let step = match self.entry(rule) {
            Some(entry) => entry.ask(rule, now, cost),
            None => Algorithm::step(rule, &State::default(), now, cost),
        };
        // Nothing is always allowed, even where a lowered amount is already exceeded.
        if cost == 0 {
            Step { allowed: true, charged: step.current, refused: step.current, ..step }
        } else {
            step
        }
    }

    /// Keeps what the steps of an allowed hit left.
    pub(crate) fn charge(&mut self, rules: &[Rule], steps: &[Step], now: Micros, cost: u64) {
        for (rule, step) in rules.iter().zip(steps) {
            let entry = self.entry_or_fresh(rule);
            entry.repair(rule, now);
            entry.rule = *rule;
            entry.state = step.charged;
            if rule.algorithm() == Algorithm::MovingWindow {
                let instant = step.charged.until.minus(rule.window());
                entry.log.get_or_insert_default().push(instant, rule.window(), cost);
            }
        }
        if self.entries.len() > rules.len() {
            self.entries.retain(|entry| entry.until() > now);
        }
    }

    /// Keeps what the steps of a refused hit left: elastic ends and repairs, else nothing.
    pub(crate) fn refuse(&mut self, rules: &[Rule], steps: &[Step], now: Micros) {
        for (rule, step) in rules.iter().zip(steps) {
            if let Some(entry) = self.entries.iter_mut().find(|entry| entry.rule.has_tag_of(rule)) {
                entry.repair(rule, now);
                if step.refused.until > Micros::ZERO {
                    entry.state = step.refused;
                }
            }
        }
    }

    /// The instant from which nothing in it is worth keeping.
    pub(crate) fn until(&self) -> Micros {
        self.entries.iter().map(Entry::until).max().unwrap_or_default()
    }

    /// Whether some rule, as it was last charged, would refuse a hit of 1 at `now`.
    pub(crate) fn is_exceeded(&self, now: Micros) -> bool {
        self.entries.iter().any(|entry| !entry.ask(&entry.rule, now, 1).allowed)
    }

    fn entry(&self, rule: &Rule) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.rule.has_tag_of(rule))
    }

    fn entry_or_fresh(&mut self, rule: &Rule) -> &mut Entry {
        let found = self.entries.iter().position(|entry| entry.rule.has_tag_of(rule));
        let index = found.unwrap_or_else(|| {
            self.entries.push(Entry { rule: *rule, state: State::default(), log: None });
            self.entries.len() - 1
        });
        &mut self.entries[index]
    }
}

impl Entry {
    /// The instant from which it is worth nothing; within its last microsecond a bucket still is.
    fn until(&self) -> Micros {
        let is_in_use = self.rule.algorithm().is_bucket() && self.state.a > 0;
        if is_in_use { self.state.until.plus(Micros::new(1)) } else { self.state.until }
    }

    fn ask(&self, rule: &Rule, now: Micros, cost: u64) -> Step {
        match &self.log {
            Some(log) => {
                let state = log.measure(now, rule.window(), rule.amount(), cost);
                Algorithm::step(rule, &state, now, cost)
            }
            None => Algorithm::step(rule, &self.state, now, cost),
        }
    }

    /// A log from the far future is re-anchored before anything is kept; the other states were by their step.
    fn repair(&mut self, rule: &Rule, now: Micros) {
        if let Some(log) = &mut self.log
            && log.is_from_far_future(now, rule.window())
        {
            log.reanchor(now);
        }
    }
}
