//! What a refusal is kept for: a key, its rules and a cost, as digests.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use siphasher::sip128::{Hasher128 as _, SipHasher13};

use crate::attempt::Subject;
use crate::key::Key;
use crate::rule::Rule;

/// Stands between a key and its rules: no text has such a byte.
const END_OF_KEY: u8 = 0xff;

/// A key with its rules, as digests that are seeded at random for each cache, and what is asked of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    /// Of the key alone: two keys that share it share a place in the table, and are forgotten together.
    pub(super) key: u64,
    pub(super) fingerprint: Fingerprint,
    pub(super) cost: u64,
}

/// 128 bits of a key and its rules; with a moving window among them also of the cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fingerprint(u64, u64);

/// What makes questions.
pub(super) struct Digest(SipHasher13);

impl Digest {
    /// One seeded by the operating system's randomness.
    pub(super) fn new() -> Self {
        let [one, other] = [(); 2].map(|()| RandomState::new().hash_one(0_u64));
        Self(SipHasher13::new_with_keys(one, other))
    }

    pub(super) fn key(&self, key: Key<'_>) -> u64 {
        self.after(key).finish128().h1
    }

    pub(super) fn question(&self, subject: &Subject<'_>) -> Question {
        let mut hasher = self.after(subject.key);
        let key = hasher.finish128().h1;
        for rule in &*subject.rules {
            let limit = rule.limit();
            hasher.write_u8(rule.algorithm().number());
            hasher.write_u64(limit.amount());
            hasher.write_u64(limit.window_micros().get());
            hasher.write_u64(limit.capacity());
        }
        // How long a larger cost has to wait stands in the log, not in the state: another question.
        if subject.rules.iter().any(|rule| rule.algorithm().keeps_log()) {
            hasher.write_u64(subject.cost);
        }
        let hash = hasher.finish128();
        Question { key, fingerprint: Fingerprint(hash.h1, hash.h2), cost: subject.cost }
    }

    fn after(&self, key: Key<'_>) -> SipHasher13 {
        let mut hasher = self.0;
        key.pieces(&mut |piece| hasher.write(piece.as_bytes()));
        hasher.write_u8(END_OF_KEY);
        hasher
    }
}

impl Question {
    /// Whether a refusal of such a question may be kept: one that only time ends, and that changed nothing.
    pub(super) fn may_be_kept(rules: &[Rule]) -> bool {
        !rules.iter().any(|rule| rule.algorithm().counts_refusals())
    }
}
