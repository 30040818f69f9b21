//! What a storage is asked.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::attempt::{Attempt, Mode, Subject};
use crate::key::Key;
use crate::rule::Rule;
use crate::time::Clock;

/// The subjects of one question.
pub(crate) type Subjects<'a> = SmallVec<[Subject<'a>; 1]>;

/// The places of the subjects that are asked, among all that were named.
pub(crate) type Places = SmallVec<[usize; 4]>;

/// What a storage is asked.
pub(crate) struct Question<'a> {
    pub(crate) asked: Subjects<'a>,
    pub(crate) places: Places,
    pub(crate) clock: Clock,
    pub(crate) mode: Mode,
}

/// Key, rules and cost of a subject. What it usually needs lies in itself.
pub(crate) type OwnedSubject = (String, SmallVec<[Rule; 1]>, u64);

/// The same, borrowing nothing.
pub(crate) struct Owned {
    asked: SmallVec<[OwnedSubject; 1]>,
    places: Places,
    clock: Clock,
    mode: Mode,
}

impl Question<'_> {
    pub(crate) fn attempt(&self) -> Attempt<'_> {
        Attempt { subjects: &self.asked, clock: self.clock, mode: self.mode }
    }

    pub(crate) fn owned(self) -> Owned {
        let owned = |subject: &Subject<'_>| {
            (subject.key.text().into_owned(), SmallVec::from_slice(&subject.rules), subject.cost)
        };
        let asked = self.asked.iter().map(owned).collect();
        Owned { asked, places: self.places, clock: self.clock, mode: self.mode }
    }
}

impl Owned {
    pub(crate) fn question(&self) -> Question<'_> {
        let asked = self.asked.iter().map(|(key, rules, cost)| Subject {
            key: Key::from_text(key),
            rules: Cow::Borrowed(rules),
            cost: *cost,
        });
        let asked = asked.collect();
        Question { asked, places: self.places.clone(), clock: self.clock, mode: self.mode }
    }
}

/// The subject without its unlimited rules, which need no storage; `None` if nothing is left.
pub(crate) fn limited<'a>(subject: &Subject<'a>) -> Option<Subject<'a>> {
    if subject.rules.iter().any(|rule| rule.limit().is_unlimited() || rule.amount() == 0) {
        let limited = |rule: &&Rule| !rule.limit().is_unlimited() && rule.amount() > 0;
        let rules: Vec<Rule> = subject.rules.iter().filter(limited).copied().collect();
        (!rules.is_empty()).then(|| Subject { rules: Cow::Owned(rules), ..subject.clone() })
    } else {
        (!subject.rules.is_empty()).then(|| subject.clone())
    }
}
