//! Of many attempts, which have to be decided one after the other.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::attempt::Attempt;

/// The places of attempts that share a key, with each other or through others: in their order.
pub(super) type Chain = Vec<usize>;

/// Every attempt is in one chain, and no two chains share a key.
pub(super) fn chains(attempts: &[Attempt<'_>]) -> Vec<Chain> {
    let mut before = Before((0..attempts.len()).collect());
    let mut first_of: HashMap<Cow<'_, str>, usize> = HashMap::new();
    for (place, attempt) in attempts.iter().enumerate() {
        for subject in attempt.subjects {
            let first = *first_of.entry(subject.key.text()).or_insert(place);
            before.join(first, place);
        }
    }
    let mut chains = vec![Chain::new(); attempts.len()];
    for place in 0..attempts.len() {
        let front = before.front(place);
        if let Some(chain) = chains.get_mut(front) {
            chain.push(place);
        }
    }
    chains.retain(|chain| !chain.is_empty());
    chains
}

/// For each place an earlier one of its chain; for the one in front itself.
struct Before(Vec<usize>);

impl Before {
    /// The one in front of a place's chain.
    fn front(&mut self, mut place: usize) -> usize {
        while let Some(before) = self.of(place).filter(|before| *before != place) {
            // Each walk makes the next one shorter.
            if let (Some(nearer), Some(known)) = (self.of(before), self.0.get_mut(place)) {
                *known = nearer;
            }
            place = before;
        }
        place
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.front(one), self.front(other));
        if let Some(before) = self.0.get_mut(one.max(other)) {
            *before = one.min(other);
        }
    }

    fn of(&self, place: usize) -> Option<usize> {
        self.0.get(place).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::{Mode, Subject};
    use crate::key::Key;
    use crate::time::Clock;

    fn chains_of(keys: &[&[&'static str]]) -> Vec<Chain> {
        let subject =
            |key: &&'static str| Subject { key: Key::from_text(key), rules: Cow::Borrowed(&[]), cost: 1 };
        let subjects: Vec<Vec<Subject<'_>>> =
            keys.iter().map(|keys| keys.iter().map(subject).collect()).collect();
        let attempt = |subjects| Attempt { subjects, clock: Clock::Storage, mode: Mode::Hit };
        let attempts: Vec<Attempt<'_>> = subjects.iter().map(|subjects| attempt(subjects)).collect();
        let mut chains = chains(&attempts);
        chains.sort();
        chains
    }

    #[test]
    fn attempts_that_share_a_key_are_in_one_chain_in_their_order() {
        for (keys, expected) in [
            (vec![], vec![]),
            (vec![&["a"][..], &["b"], &["a"], &["c"], &["a"]], vec![vec![0, 2, 4], vec![1], vec![3]]),
            (vec![&["a"], &["b"], &["a", "b"], &["b"]], vec![vec![0, 1, 2, 3]]),
            (vec![&["a", "b"], &["c"], &["d"], &["d", "c"], &["e", "b"]], vec![vec![0, 4], vec![1, 2, 3]]),
            // A chain that joined another takes its keys with it.
            (vec![&["a"], &["a"], &["a"], &["b"], &["b", "a"], &["b"]], vec![vec![0, 1, 2, 3, 4, 5]]),
            (vec![&["a"], &["b", "c"], &["a", "c"], &["b"], &["d"]], vec![vec![0, 1, 2, 3], vec![4]]),
        ] {
            assert_eq!(chains_of(&keys), expected, "{keys:?}");
        }
    }
}
