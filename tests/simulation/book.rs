//! What happened to the records of one storage, and whether it keeps the bounds.

use std::collections::{BTreeMap, BTreeSet};

use limitra::Algorithm;
use limitra_tests::{Reference, ReferenceRule, ReferenceSubject};

use crate::bounds::{Hit, holds};

/// What happened to the records of one storage, in its order.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) entries: Vec<Entry>,
    pub(crate) reference: Reference,
    /// Keys of which the reference knows no more exactly what counts.
    pub(crate) blurred: BTreeSet<String>,
    /// Keys of which something was given back that the storage had forgotten: it took what it found.
    robbed: BTreeSet<String>,
}

pub(crate) struct Entry {
    /// Whose own hit it is.
    pub(crate) act: Option<u64>,
    pub(crate) at: u64,
    pub(crate) kind: EntryKind,
}

pub(crate) enum EntryKind {
    Hit { subject: ReferenceSubject, now: u64, is_allowed: bool, returned: Option<u64> },
    Clear(String),
}

impl Book {
    pub(crate) fn clear(&mut self, at: u64, key: &str) {
        self.entries.push(Entry { act: None, at, kind: EntryKind::Clear(key.to_owned()) });
        self.reference.clear(key);
        self.blurred.remove(key);
    }

    /// Takes back what this act charged, at `now` by the storage's clock; whether nothing of it counted any more.
    pub(crate) fn give_back(&mut self, of: u64, key: &str, at: u64, now: u64) -> bool {
        let since_clear = self.entries.iter_mut().rev().map_while(|entry| match &mut entry.kind {
            EntryKind::Clear(cleared) if cleared == key => None,
            EntryKind::Hit { subject, now, is_allowed: true, returned } => {
                let until = *now + subject.rules.iter().map(counts_for).max().unwrap_or_default();
                Some((entry.act == Some(of) && subject.key == key).then_some((returned, until)))
            }
            _ => Some(None),
        });
        let mut is_over = false;
        match since_clear.flatten().next() {
            Some((returned, until)) => (*returned, is_over) = (Some(at), now >= until),
            None => drop(self.robbed.insert(key.to_owned())),
        }
        self.recount();
        is_over
    }

    pub(crate) fn lose(&mut self, after: u64) {
        self.entries.retain(|entry| entry.at <= after);
        for entry in &mut self.entries {
            if let EntryKind::Hit { returned, .. } = &mut entry.kind {
                *returned = returned.filter(|at| *at <= after);
            }
        }
        self.recount();
    }

    /// What stands, as if nothing but the kept hits had been asked; of some algorithms that is not the whole truth.
    fn recount(&mut self) {
        (self.reference, self.blurred) = (Reference::default(), BTreeSet::new());
        for entry in &self.entries {
            match &entry.kind {
                EntryKind::Hit { subject, returned: Some(_), .. } => {
                    if !is_undone_exactly(subject) {
                        self.blurred.insert(subject.key.clone());
                    }
                }
                // It would be allowed now, and had no effect then.
                EntryKind::Hit { subject, is_allowed: false, .. } if is_undone_exactly(subject) => {}
                // No cost is above the limit here: it was decided on.
                EntryKind::Hit { subject, now, .. } => {
                    drop(self.reference.hit(std::slice::from_ref(subject), *now));
                }
                EntryKind::Clear(key) => {
                    self.reference.clear(key);
                    self.blurred.remove(key);
                }
            }
        }
        self.blurred.extend(self.robbed.iter().cloned());
    }

    pub(crate) fn is_within_bounds(&self) -> Result<(), String> {
        // By key, and by window: all rules of a key have one algorithm.
        let mut hits: BTreeMap<&str, BTreeMap<u64, (ReferenceRule, Vec<Hit>)>> = BTreeMap::new();
        for entry in &self.entries {
            match &entry.kind {
                EntryKind::Hit { subject, now, is_allowed, returned } => {
                    for rule in &subject.rules {
                        let of_rule = hits.entry(&subject.key).or_default().entry(rule.window);
                        let (most, hits) = of_rule.or_insert((*rule, Vec::new()));
                        // Of two versions the larger one.
                        *most = ReferenceRule {
                            amount: most.amount.max(rule.amount),
                            burst: Some(most.capacity().max(rule.capacity())),
                            ..*most
                        };
                        let allowed = *is_allowed && returned.is_none();
                        hits.push(Hit { at: *now, cost: subject.cost, allowed, returned: *returned });
                    }
                }
                EntryKind::Clear(key) => {
                    self.hold(key, hits.remove(key.as_str()).unwrap_or_default())?;
                }
            }
        }
        hits.into_iter().try_for_each(|(key, of_key)| self.hold(key, of_key))
    }

    fn hold(&self, key: &str, of_key: BTreeMap<u64, (ReferenceRule, Vec<Hit>)>) -> Result<(), String> {
        if self.robbed.contains(key) {
            return Ok(());
        }
        of_key.into_values().try_for_each(|(rule, hits)| holds(key, &[rule], hits, (0, 0)))
    }
}

/// For how many microseconds a hit counts at most.
fn counts_for(rule: &ReferenceRule) -> u64 {
    match rule.algorithm {
        Algorithm::SlidingWindow => 2 * rule.window,
        algorithm if algorithm.is_bucket() => (rule.capacity() * rule.window).div_ceil(rule.amount),
        _ => rule.window,
    }
}

/// Whether a give-back leaves everything as if the charge had never been made.
fn is_undone_exactly(subject: &ReferenceSubject) -> bool {
    use Algorithm::{FixedWindowAligned, MovingWindow, SlidingWindow};
    let is_exact = |algorithm| matches!(algorithm, FixedWindowAligned | SlidingWindow | MovingWindow);
    subject.rules.iter().all(|rule| is_exact(rule.algorithm))
}
