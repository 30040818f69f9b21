//! When a storage that fails is asked again: no I/O, and no clock of its own.
//!
//! All of it is one word, changed by compare-and-swap alone, so that nobody waits for anybody:
//!
//! | phase | `count` | `instant` |
//! |---|---|---|
//! | closed | failures one after the other | when the last of them was counted |
//! | open | the probe's number, and how many have failed one after the other | when the next probe may go |
//! | half open | the same | when the probe's place is given to another |
//!
//! The number (modulo 256) tells probes apart that are let go within one microsecond: what comes of a probe counts only while
//! the word is the one that reserved its place.

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::time::Micros;

const CLOSED: u64 = 0;
const OPEN: u64 = 1;
const HALF_OPEN: u64 = 2;

const COUNT_BITS: u32 = 14;
/// 8.9 years since the layer was made.
const INSTANT_BITS: u32 = 48;
/// Of the count, where it is not of failures: enough for pauses to double up to any length.
const DOUBLING_BITS: u32 = 6;
const LARGEST_INSTANT: u64 = (1 << INSTANT_BITS) - 1;
/// As many failures or doublings as a word holds.
pub(super) const LARGEST_COUNT: u32 = (1 << COUNT_BITS) - 1;

/// What a circuit breaker does with a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CircuitState {
    /// Every question goes to the storage.
    Closed,
    /// None does, until the next probe may go.
    Open,
    /// One does, to find out whether the storage is back.
    HalfOpen,
}

/// The phase of a circuit, and the rules by which it changes.
#[derive(Debug)]
pub(super) struct Circuit {
    word: AtomicU64,
    failures: u64,
    pause: Micros,
    longest_pause: Micros,
}

/// The right to ask once. What came of it is told by [`Circuit::succeeded`], [`Circuit::failed`] or [`Circuit::gave_up`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pass {
    started: Micros,
    /// The word that reserves the probe's place.
    probe: Option<u64>,
}

/// Whether to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// Yes.
    Ask(Pass),
    /// Yes, and this one finds out.
    Probe(Pass),
    /// No.
    Refused,
}

/// The circuit opened: for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opened(pub(super) Micros);

/// The circuit closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Closed;

/// A word taken apart.
#[derive(Clone, Copy)]
struct Parts {
    phase: u64,
    count: u64,
    instant: Micros,
}

impl Parts {
    const fn of(word: u64) -> Self {
        Self {
            phase: word >> (COUNT_BITS + INSTANT_BITS),
            count: (word >> INSTANT_BITS) & ((1 << COUNT_BITS) - 1),
            instant: Micros::new(word & LARGEST_INSTANT),
        }
    }

    /// How many probes have failed one after the other.
    const fn doublings(self) -> u64 {
        self.count & ((1 << DOUBLING_BITS) - 1)
    }

    /// The same with one more of them.
    const fn doubled(self) -> Self {
        let more = if self.doublings() + 1 < (1 << DOUBLING_BITS) { 1 } else { 0 };
        Self { count: self.count + more, ..self }
    }

    /// The same with the next probe's number.
    const fn numbered(self) -> Self {
        let number = (self.count >> DOUBLING_BITS) + 1;
        let number = number & ((1 << (COUNT_BITS - DOUBLING_BITS)) - 1);
        Self { count: (number << DOUBLING_BITS) | self.doublings(), ..self }
    }

    fn word(self) -> u64 {
        let count = self.count.min(u64::from(LARGEST_COUNT));
        (self.phase << (COUNT_BITS + INSTANT_BITS))
            | (count << INSTANT_BITS)
            | self.instant.get().min(LARGEST_INSTANT)
    }
}

impl Pass {
    /// Whether it finds out if the storage is back.
    pub(super) const fn is_probe(&self) -> bool {
        self.probe.is_some()
    }
}

impl Circuit {
    /// A closed one, which opens after so many failures one after the other.
    pub(super) fn new(failures: u32, pause: Micros, longest_pause: Micros) -> Self {
        Self { word: AtomicU64::new(0), failures: u64::from(failures), pause, longest_pause }
    }

    pub(super) fn state(&self) -> CircuitState {
        match Parts::of(self.word.load(Ordering::Acquire)).phase {
            CLOSED => CircuitState::Closed,
            OPEN => CircuitState::Open,
            _ => CircuitState::HalfOpen,
        }
    }

    /// Whether to ask at `now`.
    pub(super) fn enter(&self, now: Micros) -> Entry {
        let word = self.word.load(Ordering::Acquire);
        let seen = Parts::of(word);
        if seen.phase == CLOSED {
            return Entry::Ask(Pass { started: now, probe: None });
        }
        if now < seen.instant {
            return Entry::Refused;
        }
        let until = now.plus(self.pause_after(seen.doublings()));
        let reserved = Parts { phase: HALF_OPEN, instant: until, ..seen }.numbered().word();
        match self.word.compare_exchange(word, reserved, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Entry::Probe(Pass { started: now, probe: Some(reserved) }),
            // Somebody else was faster.
            Err(_) => Entry::Refused,
        }
    }

    /// The storage answered.
    pub(super) fn succeeded(&self, pass: Pass) -> Option<Closed> {
        if let Some(reserved) = pass.probe {
            let closed = Parts { phase: CLOSED, count: 0, instant: pass.started }.word();
            return self.replace(reserved, closed).then_some(Closed);
        }
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            let seen = Parts::of(word);
            if seen.phase != CLOSED || seen.count == 0 {
                return None;
            }
            let none = Parts { count: 0, ..seen }.word();
            match self.word.compare_exchange_weak(word, none, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return None,
                Err(now) => word = now,
            }
        }
    }

    /// The storage was silent, as it was known at `now`.
    ///
    /// Those that were under way when a failure was counted fail with it: one lost connection is one failure, however many
    /// waited for it.
    pub(super) fn failed(&self, pass: Pass, now: Micros) -> Option<Opened> {
        if let Some(reserved) = pass.probe {
            let seen = Parts::of(reserved).doubled();
            let pause = self.pause_after(seen.doublings());
            let open = Parts { phase: OPEN, instant: now.plus(pause), ..seen };
            return self.replace(reserved, open.word()).then_some(Opened(pause));
        }
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            let seen = Parts::of(word);
            let is_same_failure = seen.count > 0 && pass.started < seen.instant;
            if seen.phase != CLOSED || is_same_failure {
                return None;
            }
            let opens = seen.count + 1 >= self.failures;
            let next = if opens {
                Parts { phase: OPEN, count: 0, instant: now.plus(self.pause) }
            } else {
                Parts { phase: CLOSED, count: seen.count + 1, instant: now }
            };
            match self.word.compare_exchange_weak(word, next.word(), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return opens.then_some(Opened(self.pause)),
                Err(now) => word = now,
            }
        }
    }

    /// Nobody waited for the answer, or it says nothing of the storage: a probe's place is free at once.
    pub(super) fn gave_up(&self, pass: Pass, now: Micros) {
        if let Some(reserved) = pass.probe {
            let free = Parts { phase: OPEN, instant: now, ..Parts::of(reserved) };
            self.replace(reserved, free.word());
        }
    }

    fn replace(&self, word: u64, next: u64) -> bool {
        self.word.compare_exchange(word, next, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Twice as long after each probe that failed.
    fn pause_after(&self, probes: u64) -> Micros {
        let factor = 1_u64.checked_shl(u32::try_from(probes).unwrap_or(u32::MAX)).unwrap_or(u64::MAX);
        let pause = self.pause.get().checked_mul(factor).map_or(Micros::MAX, Micros::new);
        pause.min(self.longest_pause.max(self.pause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn circuit() -> Circuit {
        Circuit::new(3, at(SECOND), at(4 * SECOND))
    }

    fn at(micros: u64) -> Micros {
        Micros::new(micros)
    }

    fn asked(circuit: &Circuit, now: u64) -> Pass {
        match circuit.enter(at(now)) {
            Entry::Ask(pass) => pass,
            other => panic!("{other:?}"),
        }
    }

    fn probe(circuit: &Circuit, now: u64) -> Pass {
        match circuit.enter(at(now)) {
            Entry::Probe(pass) => pass,
            other => panic!("{other:?}"),
        }
    }

    fn opened() -> Circuit {
        let circuit = circuit();
        for now in 0..3 {
            let pass = asked(&circuit, now);
            let change = circuit.failed(pass, at(now));
            assert_eq!(change.is_some(), now == 2);
        }
        circuit
    }

    #[test]
    fn it_opens_after_so_many_failures_one_after_the_other() {
        assert_eq!(opened().state(), CircuitState::Open);
        let circuit = circuit();
        for now in 0..100 {
            let pass = asked(&circuit, now);
            if now % 3 == 2 {
                assert_eq!(circuit.succeeded(pass), None);
            } else {
                assert_eq!(circuit.failed(pass, at(now)), None);
            }
        }
        assert_eq!(circuit.state(), CircuitState::Closed);
    }

    #[test]
    fn those_that_fail_together_are_one_failure() {
        let circuit = circuit();
        for wave in 0..3 {
            let start = wave * 1000;
            let together: Vec<Pass> = (0..50).map(|more| asked(&circuit, start + more)).collect();
            let changes = together.iter().filter_map(|pass| circuit.failed(*pass, at(start + 500)));
            assert_eq!(changes.count(), usize::from(wave == 2), "wave {wave}");
        }
        assert_eq!(circuit.state(), CircuitState::Open);
    }

    #[test]
    fn one_probe_goes_when_the_pause_is_over_and_a_success_closes() {
        let circuit = opened();
        assert_eq!(circuit.enter(at(2 + SECOND - 1)), Entry::Refused);
        let pass = probe(&circuit, 2 + SECOND);
        assert_eq!(circuit.state(), CircuitState::HalfOpen);
        assert_eq!(circuit.enter(at(2 + SECOND)), Entry::Refused);
        assert_eq!(circuit.succeeded(pass), Some(Closed));
        assert_eq!(circuit.state(), CircuitState::Closed);
        asked(&circuit, 2 + SECOND);
    }

    #[test]
    fn each_probe_that_fails_doubles_the_pause_up_to_the_longest() {
        let circuit = opened();
        let mut now = 2 + SECOND;
        for pause in [2 * SECOND, 4 * SECOND, 4 * SECOND, 4 * SECOND] {
            let pass = probe(&circuit, now);
            assert_eq!(circuit.failed(pass, at(now)), Some(Opened(at(pause))));
            assert_eq!(circuit.enter(at(now + pause - 1)), Entry::Refused);
            now += pause;
        }
        // After it closed it starts with the first pause again.
        let pass = probe(&circuit, now);
        circuit.succeeded(pass);
        let mut last = None;
        for more in 0..3 {
            let pass = asked(&circuit, now + more);
            last = circuit.failed(pass, at(now + more));
        }
        assert_eq!(last, Some(Opened(at(SECOND))));
    }

    #[test]
    fn a_probe_that_nobody_waits_for_leaves_its_place() {
        let circuit = opened();
        let pass = probe(&circuit, 2 * SECOND);
        circuit.gave_up(pass, at(2 * SECOND + 5));
        let next = probe(&circuit, 2 * SECOND + 5);
        assert_ne!(pass, next);
        // What the first one comes to has no say any more.
        assert_eq!(circuit.succeeded(pass), None);
        assert_eq!(circuit.failed(pass, at(2 * SECOND + 6)), None);
        assert_eq!(circuit.state(), CircuitState::HalfOpen);
        assert_eq!(circuit.succeeded(next), Some(Closed));
    }

    #[test]
    fn a_probe_that_is_given_up_at_once_is_not_taken_for_the_next_one() {
        let circuit = opened();
        let now = 2 * SECOND;
        let first = probe(&circuit, now);
        circuit.gave_up(first, at(now));
        let second = probe(&circuit, now);
        assert_ne!(first, second);
        assert_eq!(circuit.succeeded(first), None);
        assert_eq!(circuit.state(), CircuitState::HalfOpen);
    }

    #[test]
    fn a_probe_that_stands_still_loses_its_place_after_the_pause() {
        let circuit = opened();
        let stuck = probe(&circuit, 2 * SECOND);
        assert_eq!(circuit.enter(at(3 * SECOND - 1)), Entry::Refused);
        let next = probe(&circuit, 3 * SECOND);
        assert_eq!(circuit.failed(stuck, at(3 * SECOND)), None);
        assert_eq!(circuit.succeeded(next), Some(Closed));
    }

    #[test]
    fn what_began_before_it_opened_neither_closes_nor_lengthens_it() {
        let circuit = circuit();
        let early = [asked(&circuit, 0), asked(&circuit, 0)];
        for now in 0..3 {
            let pass = asked(&circuit, now);
            circuit.failed(pass, at(now));
        }
        assert_eq!(circuit.succeeded(early[0]), None);
        assert_eq!(circuit.failed(early[1], at(3)), None);
        assert_eq!(circuit.state(), CircuitState::Open);
        probe(&circuit, 2 + SECOND);
    }
}
