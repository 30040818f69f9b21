//! Whose turn it is when a shard has no more room.

use std::collections::VecDeque;

use super::fingerprint::Fingerprint;
use crate::time::Micros;

/// More new keys than this without an eviction among them, and a queue is not worth keeping up.
const MOST_NEWCOMERS: usize = 64;
/// A look that missed something that woke is made up for after this long: a flood must not pay for one each.
const BETWEEN_LOOKS: Micros = Micros::new(1000);
/// A queue that knows of every record is trusted for so long: limits may have been raised since.
const TRUSTED_FOR: Micros = Micros::new(1_000_000);

/// The records of a shard that may go, the nearest expiry first.
///
/// One look at a whole shard serves many new keys: the part with the nearest expiry is queued, and the exceeded
/// records that would belong there sleep until they are not. Until the next look the queue is kept true: new keys join
/// it, and a record that was used since finds its new place when its turn comes.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Line,
    asleep: Line,
    newcomers: Vec<Fingerprint>,
    looked_at: Micros,
}

/// Fingerprints in the order of their instants, up to a bound from which on some may be missing.
#[derive(Debug, Default)]
struct Line {
    entries: VecDeque<(Micros, Fingerprint)>,
    /// Zero before the first look, the largest instant if none is missing.
    bound: Micros,
}

impl Queue {
    /// What a look at `now` found: records that may go by their expiry, and exceeded ones (by the instant
    /// from which they are not, with their expiry). At most `most` of each are kept.
    pub(super) fn of(
        free: Vec<(Micros, Fingerprint)>,
        mut exceeded: Vec<(Micros, Fingerprint, Micros)>,
        most: usize,
        now: Micros,
    ) -> Self {
        let waiting = Line::of(free, most);
        exceeded.retain(|(_, _, until)| *until < waiting.bound);
        let asleep = exceeded.into_iter().map(|(wakes, fingerprint, _)| (wakes, fingerprint)).collect();
        Self { waiting, asleep: Line::of(asleep, most), newcomers: Vec::new(), looked_at: now }
    }

    /// Whether a look may find what this does not know of.
    pub(super) fn needs_a_look(&self, now: Micros) -> bool {
        let since = now.minus(self.looked_at);
        let overslept = self.asleep.bound <= now && since >= BETWEEN_LOOKS;
        let empty = self.waiting.entries.is_empty() && self.newcomers.is_empty();
        let knows_all = self.waiting.bound == Micros::MAX;
        overslept || (empty && (!knows_all || since >= TRUSTED_FOR))
    }

    /// The next to go, with the expiry that it was queued by.
    pub(super) fn pop(&mut self) -> Option<(Micros, Fingerprint)> {
        self.waiting.entries.pop_front()
    }

    /// Gives back what was popped last.
    pub(super) fn put_back(&mut self, until: Micros, fingerprint: Fingerprint) {
        self.waiting.entries.push_front((until, fingerprint));
    }

    /// Remembers a new key, whose expiry is not known yet.
    pub(super) fn join(&mut self, fingerprint: Fingerprint) {
        if self.newcomers.len() >= MOST_NEWCOMERS {
            *self = Self::default();
        } else if self.waiting.bound > Micros::ZERO {
            self.newcomers.push(fingerprint);
        }
    }

    /// One that is neither queued nor asleep any more: a new key, or one whose time to wake has come.
    pub(super) fn unsettled(&mut self, now: Micros) -> Option<Fingerprint> {
        if let Some(newcomer) = self.newcomers.pop() {
            return Some(newcomer);
        }
        let (wakes, fingerprint) = *self.asleep.entries.front()?;
        if wakes > now {
            return None;
        }
        self.asleep.entries.pop_front();
        Some(fingerprint)
    }

    /// Queues a record that may go.
    pub(super) fn place(&mut self, until: Micros, fingerprint: Fingerprint) {
        self.waiting.insert(until, fingerprint);
    }

    /// Lets an exceeded record sleep.
    pub(super) fn lull(&mut self, wakes: Micros, fingerprint: Fingerprint) {
        self.asleep.insert(wakes, fingerprint);
    }
}

impl Line {
    fn of(mut entries: Vec<(Micros, Fingerprint)>, most: usize) -> Self {
        let mut bound = Micros::MAX;
        if entries.len() > most {
            let (_, (next, _), _) = entries.select_nth_unstable_by_key(most, |(instant, _)| *instant);
            bound = *next;
            entries.truncate(most);
        }
        entries.sort_unstable_by_key(|(instant, _)| *instant);
        Self { entries: entries.into(), bound }
    }

    /// Beyond the bound it is missing like others: the next look finds it.
    fn insert(&mut self, instant: Micros, fingerprint: Fingerprint) {
        if instant < self.bound {
            let place = self.entries.partition_point(|(other, _)| *other <= instant);
            self.entries.insert(place, (instant, fingerprint));
        }
    }
}
