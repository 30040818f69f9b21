//! What a local share admitted and the storage does not know yet.

use std::collections::BTreeMap;
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
    /// In order, so that a few are found at once, however many there are.
    debts: Mutex<BTreeMap<String, Debt>>,
    /// As many as there are debts: all that is read where there are none.
    count: AtomicUsize,
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
            if !add(&mut debts, subject.key.text().into_owned(), debt) {
                unnoted += 1;
            }
        }
        self.count.store(debts.len(), Ordering::Release);
        unnoted
    }

    /// Those of the keys in these attempts that owe, and up to `more` others.
    pub(super) fn find(&self, attempts: &[Attempt<'_>], more: usize) -> Vec<(String, Debt)> {
        let debts = self.lock();
        let mut found: BTreeMap<String, Debt> = BTreeMap::new();
        for subject in attempts.iter().flat_map(|attempt| attempt.subjects) {
            if let Some((key, debt)) = debts.get_key_value(&*subject.key.text()) {
                found.insert(key.clone(), debt.clone());
            }
        }
        let own = found.len();
        for (key, debt) in &debts.iter().take(own + more).collect::<Vec<_>>() {
            if found.len() < own + more {
                found.entry((*key).clone()).or_insert_with(|| (*debt).clone());
            }
        }
        found.into_iter().collect()
    }

    /// Takes a key's debt, all of it.
    pub(super) fn take(&self, key: &str) -> Option<Debt> {
        let mut debts = self.lock();
        let debt = debts.remove(key);
        self.count.store(debts.len(), Ordering::Release);
        debt
    }

    /// Puts a debt back that was not charged.
    pub(super) fn put_back(&self, key: String, debt: Debt) {
        let mut debts = self.lock();
        let rules = debts.get(&key).map(|newer| newer.rules.clone());
        let debt = Debt { rules: rules.unwrap_or(debt.rules), ..debt };
        add(&mut debts, key, debt);
        self.count.store(debts.len(), Ordering::Release);
    }

    pub(super) fn forget(&self, key: &str) {
        drop(self.take(key));
    }

    pub(super) fn forget_all(&self) {
        let mut debts = self.lock();
        debts.clear();
        self.count.store(0, Ordering::Release);
    }

    /// What is kept is whole whoever panicked.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Debt>> {
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
