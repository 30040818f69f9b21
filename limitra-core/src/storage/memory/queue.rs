//! Whose turn it is when a shard has no more room.

use std::collections::VecDeque;

use super::shard::Fingerprint;
use crate::time::Micros;

/// More new keys than this without an eviction among them, and a queue is not worth keeping up.
const MOST_NEWCOMERS: usize = 64;

/// The records of a shard that may go, the nearest expiry first.
///
/// One look at a whole shard serves many new keys: the part with the nearest expiry is queued. Until the
/// next look the queue is kept true: new keys join it, a record that was used since finds its new place when
/// its turn comes, and before an exceeded record can be one that may go there is another look.
#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: VecDeque<(Micros, Fingerprint)>,
    newcomers: Vec<Fingerprint>,
    /// Whatever may go and is not queued expires no sooner than this; zero before the first look.
    beyond: Micros,
    /// When the first of the exceeded records that would belong into the queue no longer is.
    wake: Micros,
    looked_at: Micros,
}

impl Queue {
    /// What a look at `now` found: the records that may go, and those that do not yet (with the
    /// instant from which they do). At most `most` are queued.
    pub(super) fn of(
        mut found: Vec<(Micros, Fingerprint)>,
        exceeded: &[(Micros, Micros)],
        most: usize,
        now: Micros,
    ) -> Self {
        let mut beyond = Micros::MAX;
        if found.len() > most {
            let (_, (next, _), _) = found.select_nth_unstable_by_key(most, |(until, _)| *until);
            beyond = *next;
            found.truncate(most);
        }
        found.sort_unstable_by_key(|(until, _)| *until);
        let belong = exceeded.iter().filter(|(until, _)| *until < beyond);
        let wake = belong.map(|(_, free)| *free).min().unwrap_or(Micros::MAX);
        Self { entries: found.into(), newcomers: Vec::new(), beyond, wake, looked_at: now }
    }

    /// Whether a look is due: a flood must not pay for one each.
    pub(super) fn is_stale(&self, now: Micros, between: Micros) -> bool {
        now >= self.wake && now >= self.looked_at.plus(between)
    }

    pub(super) fn pop(&mut self) -> Option<(Micros, Fingerprint)> {
        self.entries.pop_front()
    }

    /// Gives back what was popped last.
    pub(super) fn put_back(&mut self, until: Micros, fingerprint: Fingerprint) {
        self.entries.push_front((until, fingerprint));
    }

    /// Remembers a new key, whose expiry is not known yet.
    pub(super) fn join(&mut self, fingerprint: Fingerprint) {
        if self.newcomers.len() >= MOST_NEWCOMERS {
            *self = Self::default();
        } else if self.beyond > Micros::ZERO {
            self.newcomers.push(fingerprint);
        }
    }

    pub(super) fn newcomer(&mut self) -> Option<Fingerprint> {
        self.newcomers.pop()
    }

    /// Queues a record, if it belongs before those that are not.
    pub(super) fn place(&mut self, until: Micros, fingerprint: Fingerprint) {
        if until < self.beyond {
            let place = self.entries.partition_point(|(other, _)| *other <= until);
            self.entries.insert(place, (until, fingerprint));
        }
    }

    /// A record whose turn it was is exceeded until `free`.
    pub(super) fn pass_over(&mut self, free: Micros) {
        self.wake = self.wake.min(free);
    }
}
