//! What a local share admitted and the storage does not know yet.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::PoisonError;

use crate::attempt::Attempt;
use crate::rule::Rule;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Mutex, MutexGuard};
use crate::time::Clock;

/// More keys than this do not owe at once.
const MOST_KEYS: usize = 100_000;

/// What each key owes.
#[derive(Debug, Default)]
pub(super) struct Owed {
    debts: Mutex<Debts>,
    /// As many as there are debts: all that is read where there are none.
    count: AtomicUsize,
}

#[derive(Debug, Default)]
struct Debts {
    /// In order, so that a few are found at once, however many there are.
    of: BTreeMap<String, Debt>,
    /// The last key that was found for no decision of its own: the next ones come first, so that those of which the storage says
    /// nothing keep none of the others.
    last: String,
}

/// What one key owes.
#[derive(Clone, Debug)]
pub(super) struct Debt {
    /// What was admitted since it last was charged.
    pub(super) units: u64,
    /// By these rules, the whole limits: the latest ones, if they changed.
    pub(super) rules: Vec<Rule>,
    /// The clock of the latest hit.
    pub(super) clock: Clock,
}

impl Owed {
    /// How many keys owe.
    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Notes what an attempt admitted; how many of its keys there was no room for.
    pub(super) fn note(&self, attempt: &Attempt<'_>) -> u64 {
        let mut debts = self.lock();
        let mut unnoted = 0;
        for subject in attempt.subjects.iter().filter(|subject| subject.cost > 0) {
            let debt = Debt { units: subject.cost, rules: subject.rules.to_vec(), clock: attempt.clock };
            if !add(&mut debts.of, subject.key.text().into_owned(), debt) {
                unnoted += 1;
            }
        }
        self.count.store(debts.of.len(), Ordering::Release);
        unnoted
    }

    /// Those of the keys in these attempts that owe, and up to `more` others.
    pub(super) fn find(&self, attempts: &[Attempt<'_>], more: usize) -> Vec<(String, Debt)> {
        let mut debts = self.lock();
        let Debts { of: debts, last } = &mut *debts;
        let mut found: BTreeMap<String, Debt> = BTreeMap::new();
        for subject in attempts.iter().flat_map(|attempt| attempt.subjects) {
            if let Some((key, debt)) = debts.get_key_value(&*subject.key.text()) {
                found.insert(key.clone(), debt.clone());
            }
        }
        let most = found.len() + more;
        let behind = debts.range::<str, _>((Bound::Excluded(last.as_str()), Bound::Unbounded));
        let others: Vec<_> = behind.chain(debts.iter()).take(most.min(debts.len())).collect();
        for (key, debt) in others {
            if found.len() < most {
                found.entry(key.clone()).or_insert_with(|| debt.clone());
                last.clone_from(key);
            }
        }
        found.into_iter().collect()
    }

    /// Takes a key's debt, all of it.
    pub(super) fn take(&self, key: &str) -> Option<Debt> {
        let mut debts = self.lock();
        let debt = debts.of.remove(key);
        self.count.store(debts.of.len(), Ordering::Release);
        debt
    }

    /// Puts a debt back that was not charged.
    pub(super) fn put_back(&self, key: String, debt: Debt) {
        let mut debts = self.lock();
        let rules = debts.of.get(&key).map(|newer| newer.rules.clone());
        let debt = Debt { rules: rules.unwrap_or(debt.rules), ..debt };
        add(&mut debts.of, key, debt);
        self.count.store(debts.of.len(), Ordering::Release);
    }

    pub(super) fn forget(&self, key: &str) {
        drop(self.take(key));
    }

    pub(super) fn forget_all(&self) {
        let mut debts = self.lock();
        debts.of.clear();
        self.count.store(0, Ordering::Release);
    }

    /// What is kept is whole whoever panicked.
    fn lock(&self) -> MutexGuard<'_, Debts> {
        self.debts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds to what a key owes, if there is room.
fn add(debts: &mut BTreeMap<String, Debt>, key: String, debt: Debt) -> bool {
    if let Some(known) = debts.get_mut(&key) {
        *known = Debt { units: known.units.saturating_add(debt.units), ..debt };
        return true;
    }
    let has_room = debts.len() < MOST_KEYS;
    if has_room {
        debts.insert(key, debt);
    }
    has_room
}
