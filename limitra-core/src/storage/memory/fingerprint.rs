//! What a key is found by.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use foldhash::SharedSeed;
use foldhash::fast::FoldHasher;

use super::table::NAMES_OF_GROUPS;
use crate::key::{Essence, Key, Short};

/// A seeded 128-bit hash that stands for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint {
    pub(super) high: u64,
    pub(super) low: u64,
}

/// The secret of a storage: two independent hashes of 64 bits, seeded at random.
#[derive(Clone, Debug)]
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

    /// The same in every run of a model.
    #[cfg(all(test, limitra_loom))]
    pub(super) fn fixed() -> Self {
        Self { space: [1, 2], high: SharedSeed::from_u64(3), low: SharedSeed::from_u64(4) }
    }

    #[inline]
    pub(super) fn fingerprint(&self, key: Key<'_>) -> Fingerprint {
        key.essence(|Essence { space, kind, bytes }| self.of(self.seed(space), kind, bytes))
    }

    /// What a space comes to in the secret: no identifier can make up for another space.
    #[inline]
    pub(super) fn seed(&self, space: [u64; 2]) -> u64 {
        folded(space[0] ^ self.space[0], space[1] ^ self.space[1])
    }

    /// The fingerprint of what has this seed.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_prepared`.
    #[inline(always)]
    pub(super) fn of(&self, seed: u64, kind: u64, bytes: &[u8]) -> Fingerprint {
        let seed = seed ^ kind;
        let mut high = FoldHasher::with_seed(seed, &self.high);
        let mut low = FoldHasher::with_seed(!seed, &self.low);
        high.write(bytes);
        low.write(bytes);
        // Nobody in particular never moves, so that its word is found at once.
        let moves = if kind == Short::Absent.kind() { !NAMES_OF_GROUPS } else { u64::MAX };
        Fingerprint { high: high.finish(), low: low.finish() & moves }
    }
}

/// Both halves of a product, one upon the other.
#[inline]
fn folded(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    let half = |product: u128| u64::try_from(product & u128::from(u64::MAX)).unwrap_or_default();
    half(product) ^ half(product >> 64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifier::Identifier;
    use crate::key::{KeyFields, KeySpace};

    #[test]
    fn nobody_in_particular_names_no_group_however_it_is_said() {
        for number in 0..100 {
            let scope = number.to_string();
            let space = KeySpace::new(&KeyFields { scope: &scope, ..KeyFields::default() });
            let seeds = Seeds::random();
            let nobody = seeds.fingerprint(space.key(&[]));
            assert_eq!(nobody.low & NAMES_OF_GROUPS, 0);
            assert_eq!(nobody, seeds.fingerprint(space.key(&[Identifier::from(())])));
            assert_eq!(nobody, seeds.fingerprint(Key::from_text(&space.key(&[]).text())));
            assert_eq!(nobody, seeds.of(seeds.seed(space.digest()), Short::Absent.kind(), &[]));
        }
    }
}
