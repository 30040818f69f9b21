//! A part of the refusals, under one lock.

use std::collections::BTreeSet;

use hashbrown::HashTable;

use super::question::{Fingerprint, Question};
use super::refusal::Refusal;
use crate::time::Micros;

/// How many that have ended go with each that comes.
const ENDED_FOR_A_NEW_ONE: usize = 2;

/// Places of keys by which answers on their way are told apart.
const PLACES: usize = 64;

fn place(key: u64) -> usize {
    usize::try_from(key >> 48).unwrap_or_default() % PLACES
}

/// At most `max_keys` refusals; when there are more, the nearest to its end goes.
pub(super) struct Refusals {
    table: HashTable<Refusal>,
    /// The same, the nearest to its end first.
    ends: BTreeSet<(Micros, Fingerprint, u64)>,
    max_keys: usize,
    /// How often something was forgotten: an answer that was on its way meanwhile may be older than that.
    forgotten: u64,
    /// The same for those keys alone that have a place in common.
    overtaken: [u64; PLACES],
}

impl Refusals {
    pub(super) fn new(max_keys: usize) -> Self {
        Self {
            table: HashTable::new(),
            ends: BTreeSet::new(),
            max_keys,
            forgotten: 0,
            overtaken: [0; PLACES],
        }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn forgotten(&self, key: u64) -> [u64; 2] {
        [self.forgotten, self.overtaken.get(place(key)).copied().unwrap_or_default()]
    }

    pub(super) fn find(&self, question: &Question) -> Option<&Refusal> {
        let is_it = |refusal: &Refusal| refusal.question.fingerprint == question.fingerprint;
        self.table.find(question.key, is_it)
    }

    /// Keeps one, unless something was forgotten since `seen`, or a lower cost is known to be refused.
    pub(super) fn keep(&mut self, refusal: Refusal, seen: [u64; 2], now: Micros) {
        let Question { key, fingerprint, cost } = refusal.question;
        let known = self.find(&refusal.question);
        if self.forgotten(key) != seen
            || known.is_some_and(|known| known.question.cost < cost && now < known.until)
        {
            return;
        }
        if let Some(end) = known.map(|known| known.until) {
            self.remove(end, fingerprint, key);
        }
        self.make_room(now);
        self.ends.insert((refusal.until, fingerprint, key));
        self.table.insert_unique(key, refusal, |refusal| refusal.question.key);
    }

    /// Forgets what is known of a key, but for one fingerprint if that is given.
    pub(super) fn forget(&mut self, key: u64, but: Option<Fingerprint>) {
        let is_it = |refusal: &Refusal| {
            refusal.question.key == key && but.is_none_or(|but| refusal.question.fingerprint != but)
        };
        while let Ok(found) = self.table.find_entry(key, is_it) {
            let (gone, _) = found.remove();
            self.ends.remove(&(gone.until, gone.question.fingerprint, key));
        }
        // What is on its way may have been overtaken.
        if let Some(overtaken) = self.overtaken.get_mut(place(key)) {
            *overtaken = overtaken.wrapping_add(1);
        }
    }

    /// No answer that is on its way now is kept.
    pub(super) fn forget_what_is_on_its_way(&mut self) {
        self.forgotten = self.forgotten.wrapping_add(1);
    }

    pub(super) fn forget_all(&mut self) {
        (self.table, self.ends) = (HashTable::new(), BTreeSet::new());
        self.forget_what_is_on_its_way();
    }

    fn make_room(&mut self, now: Micros) {
        for _ in 0..ENDED_FOR_A_NEW_ONE {
            if self.ends.first().is_some_and(|(end, ..)| *end <= now) {
                self.remove_first();
            }
        }
        while self.table.len() >= self.max_keys && !self.ends.is_empty() {
            self.remove_first();
        }
    }

    fn remove_first(&mut self) {
        if let Some(&(end, fingerprint, key)) = self.ends.first() {
            self.remove(end, fingerprint, key);
        }
    }

    fn remove(&mut self, end: Micros, fingerprint: Fingerprint, key: u64) {
        self.ends.remove(&(end, fingerprint, key));
        if let Ok(found) = self.table.find_entry(key, |refusal| refusal.question.fingerprint == fingerprint) {
            found.remove();
        }
    }
}
