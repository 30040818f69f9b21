//! A bucket's state in one word.

/// Bits of an arrival below its whole microseconds.
const FRACTION_BITS: u32 = 8;
/// Bits of a word below its arrival.
const CLASS_BITS: u32 = 8;
const BYTE: u64 = 0xFF;
/// Whole microseconds that a word holds: 8.9 years since its storage began.
pub(super) const MOST_MICROS: u64 = (1 << 48) - 1;

/// The most parts of a microsecond that a fraction can count.
pub(super) const MOST_PARTS: u64 = 1 << FRACTION_BITS;

/// A theoretical arrival time: microseconds since the storage began, and the parts of one beyond.
///
/// Arrivals compare as instants whatever the parts are, for a fraction is always less than a microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Arrival(u64);

impl Arrival {
    /// A whole instant, since a process began: far below 2^53.
    pub(super) const fn at(micros: u64) -> Self {
        Self(micros << FRACTION_BITS)
    }

    /// This long after a whole instant.
    pub(super) const fn and(self, stretch: Stretch) -> Self {
        Self(self.0 + stretch.0)
    }

    /// This long after, where a microsecond has so many parts.
    #[inline]
    pub(super) const fn later_by(self, stretch: Stretch, parts: u64) -> Self {
        // What a carry leaves over in the fraction's byte: with it the sum of both is the whole microsecond more. Most rules
        // have no fractions.
        let is_carried = parts > 1 && self.parts() + (stretch.0 & BYTE) >= parts;
        let carry = if is_carried { MOST_PARTS - parts } else { 0 };
        Self(self.0 + stretch.0 + carry)
    }

    pub(super) const fn micros(self) -> u64 {
        self.0 >> FRACTION_BITS
    }

    pub(super) const fn parts(self) -> u64 {
        self.0 & BYTE
    }
}

/// A length of time: whole microseconds, and parts of one beyond.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch(u64);

impl Stretch {
    /// Of fewer parts than make a microsecond, and of some years at most.
    pub(super) const fn new(micros: u64, parts: u64) -> Self {
        Self(micros << FRACTION_BITS | parts)
    }
}

/// An arrival and the number of the class that it was counted in: what one compare-and-swap replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(u64);

impl Word {
    pub(super) const fn new(arrival: Arrival, class: u8) -> Self {
        Self(arrival.0 << CLASS_BITS | class as u64)
    }

    /// No key's any more. The arrival stays: what comes after is later, so that no swap mistakes it for what was read.
    pub(super) const fn vacated(self) -> Self {
        Self(self.0 & !BYTE)
    }

    pub(super) const fn of_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(super) const fn bits(self) -> u64 {
        self.0
    }

    pub(super) const fn class(self) -> u64 {
        self.0 & BYTE
    }

    pub(super) const fn arrival(self) -> Arrival {
        Arrival(self.0 >> CLASS_BITS)
    }

    pub(super) const fn is_vacant(self) -> bool {
        self.class() == 0
    }

    /// Whether it says no more at `now` than a fresh bucket does.
    pub(super) fn is_over(self, now: u64) -> bool {
        self.arrival() <= Arrival::at(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_keeps_its_arrival_and_its_class() {
        for (micros, parts, class) in [(0, 0, 1), (MOST_MICROS, 255, 255), (1 << 40, 7, 3)] {
            let arrival = Arrival::at(micros).and(Stretch::new(0, parts));
            let word = Word::of_bits(Word::new(arrival, class).bits());
            assert_eq!((word.arrival().micros(), word.arrival().parts()), (micros, parts));
            assert_eq!(word.class(), u64::from(class));
            assert!(!word.is_vacant());
        }
    }

    #[test]
    fn parts_that_make_a_microsecond_are_one() {
        for parts in [1, 2, 7, 128, 129, 255, 256] {
            for (one, other) in (0..parts).flat_map(|one| (0..parts).map(move |other| (one, other))) {
                let sum = Arrival::at(10).and(Stretch::new(0, one)).later_by(Stretch::new(5, other), parts);
                let expected = (15 + (one + other) / parts, (one + other) % parts);
                assert_eq!((sum.micros(), sum.parts()), expected);
            }
        }
    }

    #[test]
    fn a_bucket_is_in_use_within_its_last_microsecond() {
        let arrival = Arrival::at(100).and(Stretch::new(0, 1));
        assert!(!Word::new(arrival, 1).is_over(100));
        assert!(Word::new(arrival, 1).is_over(101));
        assert!(Word::new(Arrival::at(100), 1).is_over(100));
    }
}
