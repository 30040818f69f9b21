//! Examples, changed at random.

use super::Target;

/// Changes examples at random; the same seed makes the same changes.
#[derive(Debug)]
pub struct Mutator(u64);

impl Mutator {
    /// Changes that depend on this number alone.
    pub fn from_seed(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// One of the examples, with up to eight changes.
    pub fn next(&mut self, examples: &[Vec<u8>], target: &Target) -> Vec<u8> {
        let mut bytes = self.one_of(examples).cloned().unwrap_or_default();
        for _ in 0..=self.below(8) {
            self.change(&mut bytes, examples, target.words);
        }
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, examples: &[Vec<u8>], words: &[&str]) {
        let at = self.below(bytes.len() + 1);
        let end = (at + self.below(16)).min(bytes.len());
        match self.below(7) {
            0 => {
                bytes.drain(at..end);
            }
            1 => {
                let repeated = bytes[at..end].to_vec();
                bytes.splice(at..at, repeated);
            }
            2 => {
                let word = self.one_of(words).map_or(&b""[..], |word| word.as_bytes());
                bytes.splice(at..at, word.iter().copied());
            }
            3 => {
                let other = self.one_of(examples).cloned().unwrap_or_default();
                let from = self.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            4 => {
                let extreme = [0, 0xff, 0x7f, 0x80, b'0', b'%'];
                let extreme = extreme[self.below(extreme.len())];
                bytes[at..end].fill(extreme);
            }
            5 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << self.below(8);
                }
            }
            _ => {
                let byte = self.number().to_le_bytes()[0];
                bytes.insert(at, byte);
            }
        }
    }

    fn one_of<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        list.get(self.below(list.len().max(1)))
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.number() % u64::try_from(bound).unwrap()).unwrap()
    }

    /// Xorshift (Marsaglia 2003).
    fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
