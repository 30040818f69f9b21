//! Randomness that needs no crate.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A number that no other call returns, in no other process.
pub fn random_number() -> u64 {
    // Each `RandomState` differs in its process; the process's first is seeded by the system.
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    hasher.finish()
}

/// Twelve hexadecimal digits that no other test has.
pub fn fresh_id() -> String {
    format!("{:012x}", random_number() & 0xffff_ffff_ffff)
}
