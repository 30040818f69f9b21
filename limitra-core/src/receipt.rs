//! What an allowed hit charged, as it is given back.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::attempt::Subject;
use crate::decision::Decision;
use crate::error::{ConfigurationError, StorageError};
use crate::key::Key;
use crate::question::{OwnedSubject, Subjects, limited};
use crate::refund::Refund;
use crate::rule_decision::RuleDecision;
use crate::state::State;
use crate::storage::Storage;
use crate::storage::memory::MemoryStorage;
use crate::time::Clock;

/// Keys, rules and costs that a decision charged, and the states that this left.
pub(crate) struct Receipt {
    subjects: SmallVec<[OwnedSubject; 1]>,
    states: SmallVec<[State; 1]>,
}

impl Receipt {
    /// That of a decision on these subjects; `None` if it has charged nothing.
    ///
    /// The rules are those that the decision was made by.
    pub(crate) fn of(
        decision: &Decision,
        subjects: &[Subject<'_>],
    ) -> Result<Option<Self>, ConfigurationError> {
        if !decision.has_charged() {
            return Ok(None);
        }
        let mut receipt = Self { subjects: SmallVec::new(), states: SmallVec::new() };
        let mut found = decision.rules().iter();
        for (place, subject) in subjects.iter().enumerate() {
            let asked = limited(subject);
            let mut rules = SmallVec::new();
            for rule in asked.iter().flat_map(|asked| asked.rules.iter()) {
                let is_of = |by: &&RuleDecision| {
                    by.subject() == place && by.rule().has_tag_of(rule) && by.cost() == subject.cost
                };
                let charged = found.next().filter(is_of).ok_or(ConfigurationError::OtherDecision)?;
                rules.push(charged.rule());
                if subject.cost > 0 {
                    receipt.states.push(charged.state());
                }
            }
            if subject.cost > 0 && !rules.is_empty() {
                receipt.subjects.push((subject.key.text().into_owned(), rules, subject.cost));
            }
        }
        if found.next().is_some() {
            return Err(ConfigurationError::OtherDecision);
        }
        Ok((!receipt.subjects.is_empty()).then_some(receipt))
    }

    pub(crate) fn subjects(&self) -> Subjects<'_> {
        let subjects = self.subjects.iter().map(|(key, rules, cost)| Subject {
            key: Key::from_text(key),
            rules: Cow::Borrowed(&rules[..]),
            cost: *cost,
        });
        subjects.collect()
    }

    /// Gives it back at once.
    pub(crate) fn give_back_now(&self, memory: &MemoryStorage, clock: Clock) -> bool {
        let subjects = self.subjects();
        memory.give_back_now(&Refund { subjects: &subjects, receipts: &self.states, clock })
    }

    /// Gives it back.
    pub(crate) async fn give_back(&self, storage: &dyn Storage, clock: Clock) -> Result<bool, StorageError> {
        let subjects = self.subjects();
        storage.give_back(&Refund { subjects: &subjects, receipts: &self.states, clock }).await
    }
}
