//! Everything kept for one subject: all its rules in one value under one key.

use smallvec::SmallVec;

use crate::algorithm::Algorithm;
use crate::log::Log;
use crate::rule::Rule;
use crate::state::{State, Step};
use crate::time::Micros;

/// The most entries that one record holds, those of rules that are not asked any more included.
pub(crate) const MOST_ENTRIES: usize = 255;

/// The steps of one subject's rules, in their order.
pub(crate) type Steps = SmallVec<[Step; 1]>;

/// Everything kept for one subject, an entry for each rule.
///
/// A rule's tag is its algorithm and window: reordering rules keeps every count, changing only
/// the amount keeps the count, changing the algorithm starts afresh, and entries of rules that
/// are not asked stay until they expire.
///
/// A storage of your own that can load and swap values atomically needs no more than this: load, [`Record::from_bytes`],
/// [`Attempt::decide`](crate::Attempt::decide), [`Record::to_bytes`], swap.
///
/// ```
/// use limitra_core::{Algorithm, Attempt, Clock, Key, Limit, Micros, Mode, Record, Rule, Subject};
/// use std::time::Duration;
///
/// let rules = [Rule::new(Algorithm::Gcra, Limit::new(1, Duration::from_secs(60))?)?];
/// let subjects = [Subject { key: Key::from_text("limitra:::user:ada:"), rules: rules[..].into(), cost: 1 }];
/// let now = Micros::new(1_700_000_000_000_000);
/// let attempt = Attempt { subjects: &subjects, clock: Clock::At(now), mode: Mode::Hit };
///
/// let mut records = [Record::default()];
/// assert!(attempt.decide(&mut records, now).unwrap().outcome.is_allowed());
/// let mut loaded = [Record::from_bytes(&records[0].to_bytes()).unwrap()];
/// assert!(!attempt.decide(&mut loaded, now).unwrap().outcome.is_allowed());
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub(crate) entries: SmallVec<[Entry; 1]>,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The rule as it was last charged.
    pub(crate) rule: Rule,
    pub(crate) state: State,
    /// For the moving window only.
    pub(crate) log: Option<Box<Log>>,
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

    /// Whether the entries of these rules fit beside those of others that are still worth something.
    pub(crate) fn has_room(&self, rules: &[Rule], now: Micros) -> bool {
        let is_other = |entry: &&Entry| !rules.iter().any(|rule| entry.rule.has_tag_of(rule));
        let others = self.entries.iter().filter(is_other).filter(|entry| entry.until() > now);
        others.count() + rules.len() <= MOST_ENTRIES
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

    /// Keeps what the steps of a refused hit left: elastic ends and repairs, else nothing. Whether there was any.
    pub(crate) fn refuse(&mut self, rules: &[Rule], steps: &[Step], now: Micros) -> bool {
        let mut is_changed = false;
        for (rule, step) in rules.iter().zip(steps) {
            if let Some(entry) = self.entries.iter_mut().find(|entry| entry.rule.has_tag_of(rule))
                && step.refused.until > Micros::ZERO
                && step.refused.until != entry.state.until
            {
                entry.repair(rule, now);
                entry.state = step.refused;
                is_changed = true;
            }
        }
        is_changed
    }

    /// Undoes what is left of a charge that left the state `receipt`; whether anything was.
    ///
    /// An entry that comes to nothing goes, but for the last one, which stays as a fresh one: a record without entries is never
    /// written.
    pub(crate) fn give_back(&mut self, rule: &Rule, receipt: &State, now: Micros, cost: u64) -> bool {
        let found = self.entries.iter_mut().find(|entry| entry.rule.has_tag_of(rule));
        let is_changed = found.is_some_and(|entry| entry.give_back(rule, receipt, now, cost));
        if is_changed && self.entries.len() > 1 {
            self.entries.retain(|entry| entry.state.until > Micros::ZERO);
        }
        is_changed
    }

    /// The instant from which nothing in it is worth keeping; zero if it holds nothing.
    pub fn until(&self) -> Micros {
        self.entries.iter().map(Entry::until).max().unwrap_or_default()
    }

    /// Whether it may be forgotten at `now`: it has expired, or no rule as it was last charged would refuse a hit of 1.
    pub(crate) fn may_go(&self, now: Micros) -> bool {
        self.until() <= now || self.entries.iter().all(|entry| entry.ask(&entry.rule, now, 1).allowed)
    }

    /// The first instant after `now` at which it may be forgotten, if it may not now and is left alone.
    pub(crate) fn may_go_from(&self, now: Micros) -> Micros {
        let free = self.entries.iter().map(|entry| entry.allowed_at(now)).max().unwrap_or_default();
        free.max(now.plus(Micros::new(1)))
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
        // Found, or put there just now.
        #[allow(clippy::indexing_slicing)]
        let entry = &mut self.entries[index];
        entry
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

    /// Undoes what is left of a charge; whether anything was.
    fn give_back(&mut self, rule: &Rule, receipt: &State, now: Micros, cost: u64) -> bool {
        let kept = match &mut self.log {
            Some(log) => {
                let instant = receipt.until.minus(rule.window());
                let until = log.give_back(instant, now, rule.window(), cost);
                until.map(|until| State { until, ..self.state })
            }
            None => Algorithm::give_back(rule, &self.state, receipt, now, cost),
        };
        if let Some(kept) = kept {
            self.state = kept;
        }
        kept.is_some()
    }

    /// When a hit of 1 is allowed by the rule as it was last charged.
    fn allowed_at(&self, now: Micros) -> Micros {
        let step = self.ask(&self.rule, now, 1);
        if step.allowed {
            return now;
        }
        self.rule.algorithm().allowed_at(&self.rule.limit(), &step.current, now, 1)
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
