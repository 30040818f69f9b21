//! What a key is found by.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;

use crate::key::{Essence, Key};

/// A seeded 128-bit hash that stands for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint {
    pub(super) high: u64,
    pub(super) low: u64,
}

/// The secret of a storage: two independent hashes of 64 bits, seeded at random.
#[derive(Debug)]
pub(super) struct Seeds {
    space: [u64; 2],
    high: SharedSeed,
    low: SharedSeed,
}

impl Seeds {
    /// Seeded by the operating system's randomness, through the standard library.
    pub(super) fn random() -> Self {
        let [one, other, high, low] = [0_u64, 1, 2, 3].map(|number| RandomState::new().hash_one(number));
        Self { space: [one, other], high: SharedSeed::from_u64(high), low: SharedSeed::from_u64(low) }
    }

    #[inline]
    pub(super) fn fingerprint(&self, key: Key<'_>) -> Fingerprint {
        key.essence(|essence| self.hash(essence))
    }

    #[inline]
    fn hash(&self, essence: Essence<'_>) -> Fingerprint {
        let [one, other] = essence.space;
        // Which space it is goes through the secret first, so that no identifier can make up for another space.
        let seed = folded(one ^ self.space[0], other ^ self.space[1]) ^ essence.kind;
        let mut high = FoldHasher::with_seed(seed, &self.high);
        let mut low = FoldHasher::with_seed(!seed, &self.low);
        high.write(essence.bytes);
        low.write(essence.bytes);
        Fingerprint { high: high.finish(), low: low.finish() }
    }
}

/// Both halves of a product, one upon the other.
#[inline]
fn folded(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    let half = |product: u128| u64::try_from(product & u128::from(u64::MAX)).unwrap_or_default();
    half(product) ^ half(product >> 64)
}
