//! Labels that code wrote, and no more of them than a metrics store can bear.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use ::metrics::SharedString;

/// How many functions and scopes a process tells apart.
const MOST: usize = 1000;
/// What all further ones are called.
const OTHER: &str = "other";

static LABELS: Labels = Labels::new(MOST);

/// The label of a function or scope.
pub(super) fn bounded(of: &str) -> SharedString {
    LABELS.bounded(of)
}

/// The labels that were given out: they stay, so that a counter never changes its name.
struct Labels {
    most: usize,
    known: Mutex<BTreeSet<Arc<str>>>,
}

impl Labels {
    const fn new(most: usize) -> Self {
        Self { most, known: Mutex::new(BTreeSet::new()) }
    }

    fn bounded(&self, of: &str) -> SharedString {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(label) = known.get(of) {
            return SharedString::from_shared(Arc::clone(label));
        }
        if known.len() >= self.most {
            return SharedString::const_str(OTHER);
        }
        let label: Arc<str> = of.into();
        known.insert(Arc::clone(&label));
        SharedString::from_shared(label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_beyond_the_bound_are_one_and_those_within_it_stay() {
        let labels = Labels::new(2);
        let of = |names: [&str; 3]| names.map(|name| labels.bounded(name).to_string());
        assert_eq!(of(["a", "b", "c"]), ["a", "b", "other"]);
        assert_eq!(of(["d", "a", "b"]), ["other", "a", "b"]);
    }
}
