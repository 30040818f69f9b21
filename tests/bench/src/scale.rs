//! How much is measured.

use std::time::Duration;

/// How often and how much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    pub(crate) repetitions: usize,
    /// What is divided out of each count of operations.
    share: usize,
    /// What is divided out of each number of keys.
    keys: usize,
}

impl Scale {
    /// What is published.
    pub(crate) const FULL: Self = Self { repetitions: 7, share: 1, keys: 1 };
    /// A look, in a fraction of the time.
    pub(crate) const QUICK: Self = Self { repetitions: 3, share: 4, keys: 1 };
    /// Whether it runs at all: its figures mean nothing.
    pub(crate) const TINY: Self = Self { repetitions: 1, share: 5000, keys: 1000 };

    /// This many operations, or the part of them that is left.
    pub(crate) fn operations(self, full: usize) -> usize {
        (full / self.share).max(128)
    }

    /// This many keys: fewer only where the figures mean nothing.
    pub(crate) fn keys(self, full: usize) -> usize {
        (full / self.keys).max(64)
    }

    /// How long a round of I/O takes.
    pub(crate) fn round(self) -> Duration {
        match self.share {
            1 => Duration::from_millis(600),
            2..=99 => Duration::from_millis(250),
            _ => Duration::from_millis(10),
        }
    }

    /// The same five times as often, for a shorter time each.
    pub(crate) fn often(self) -> Self {
        Self { repetitions: 5 * self.repetitions, share: self.share.max(Self::QUICK.share), ..self }
    }

    /// Repetitions of what hardly varies and takes long.
    pub(crate) fn fewer_repetitions(self) -> usize {
        self.repetitions.min(3)
    }

    pub(crate) fn is_tiny(self) -> bool {
        self.keys > 1
    }
}
