//! Identifiers in the order in which they are asked for.

/// As many different texts as wanted, in a random order that is always the same, one behind the other in memory:
/// reading them costs every subject the same, and next to nothing.
#[derive(Clone)]
pub(crate) struct Keys {
    text: String,
    width: usize,
}

impl Keys {
    pub(crate) fn new(count: usize, width: usize) -> Self {
        let mut text = String::with_capacity(count * width);
        for number in shuffled(count) {
            text.push_str(&key(number, width));
        }
        Self { text, width }
    }

    pub(crate) fn len(&self) -> usize {
        self.text.len() / self.width
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|index| &self.text[index * self.width..(index + 1) * self.width])
    }

    /// One after the other and round again; each of several threads starts elsewhere.
    pub(crate) fn walk<'a>(&'a self, thread: usize) -> impl FnMut() -> &'a str + use<'a> {
        let mut next = start(thread, self.len()) * self.width;
        move || {
            if next == self.text.len() {
                next = 0;
            }
            let key = &self.text[next..next + self.width];
            next += self.width;
            key
        }
    }
}

/// The key of a number, in so many bytes.
pub(crate) fn key(number: u64, width: usize) -> String {
    format!("{number:0width$x}")
}

/// One value after the other and round again.
pub(crate) fn walk<'a, T>(values: &'a [T], thread: usize) -> impl FnMut() -> &'a T + use<'a, T> {
    let mut next = start(thread, values.len());
    move || {
        if next == values.len() {
            next = 0;
        }
        let value = &values[next];
        next += 1;
        value
    }
}

fn start(thread: usize, length: usize) -> usize {
    (thread * (length / 2 + 1)) % length
}

/// The numbers below `count` in a random order that is always the same.
pub(crate) fn shuffled(count: usize) -> Vec<u64> {
    let mut numbers: Vec<u64> = (0..count as u64).collect();
    let mut state = 0x9E37_79B9_7F4A_7C15;
    for left in (1..count).rev() {
        let other = random(&mut state) % (left as u64 + 1);
        numbers.swap(left, usize::try_from(other).unwrap());
    }
    numbers
}

/// splitmix64.
pub(crate) fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_walk_comes_by_every_key_and_begins_again() {
        let keys = Keys::new(100, 12);
        let mut walk = keys.walk(1);
        let first: Vec<String> = (0..100).map(|_| walk().to_owned()).collect();
        assert_eq!(first.iter().collect::<HashSet<_>>().len(), 100);
        assert!(first.iter().all(|key| key.len() == 12));
        assert_eq!(walk(), first[0]);
        assert_ne!(keys.walk(0)(), first[0]);
    }
}
