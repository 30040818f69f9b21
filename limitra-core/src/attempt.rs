//! What a storage is asked, and what it answers.

use std::borrow::Cow;
use std::num::NonZeroU32;

use smallvec::SmallVec;

use crate::error::StorageErrorKind;
use crate::key::Key;
use crate::record::{Record, Steps};
use crate::rule::Rule;
use crate::state::{State, Step};
use crate::time::{Clock, Micros};

/// One question to a storage: may these subjects spend their cost now, all of them or none?
#[derive(Clone, Debug)]
pub struct Attempt<'a> {
    /// At least one; no two have the same key.
    pub subjects: &'a [Subject<'a>],
    /// Which clock says what time it is.
    pub clock: Clock,
    /// Whether to spend or only to look.
    pub mode: Mode,
}

impl Attempt<'_> {
    /// Decides on these records, one for each subject in their order, at `now`: what a storage runs
    /// between loading values and swapping them. A peek changes nothing.
    ///
    /// # Errors
    /// [`StorageErrorKind::Full`] if a record holds 255 entries of other rules that are still worth something; then
    /// nothing has changed.
    pub fn decide(&self, records: &mut [Record], now: Micros) -> Result<Decided, StorageErrorKind> {
        let pairs = || self.subjects.iter().zip(records.iter());
        let steps: SmallVec<[Steps; 1]> = pairs().map(|(subject, record)| subject.ask(record, now)).collect();
        let allowed = steps.iter().flatten().all(|step| step.allowed);
        let has_room = |(subject, record): (&Subject<'_>, &Record)| subject.has_room(record, now);
        if allowed && self.mode == Mode::Hit && !pairs().all(has_room) {
            return Err(StorageErrorKind::Full);
        }
        let outcomes = steps.iter().flatten().map(|step| RuleOutcome::of(step, self.mode, allowed));
        let outcome = Outcome::new(now, outcomes.collect());
        let settled = self.subjects.iter().zip(records).zip(&steps).map(|((subject, record), steps)| {
            self.mode == Mode::Hit && subject.settle(record, steps, allowed, now)
        });
        Ok(Decided { changed: settled.collect(), outcome })
    }
}

/// What [`Attempt::decide`] found, and which records have to be written.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Decided {
    /// The answer.
    pub outcome: Outcome,
    /// For each record whether it changed.
    pub changed: SmallVec<[bool; 1]>,
}

impl Subject<'_> {
    /// What each of its rules says.
    pub(crate) fn ask(&self, record: &Record, now: Micros) -> Steps {
        self.rules.iter().map(|rule| record.ask(rule, now, self.cost)).collect()
    }

    /// Whether its rules fit into its record.
    pub(crate) fn has_room(&self, record: &Record, now: Micros) -> bool {
        self.cost == 0 || record.has_room(&self.rules, now)
    }

    /// Keeps what the steps left; whether the record changed.
    pub(crate) fn settle(&self, record: &mut Record, steps: &Steps, allowed: bool, now: Micros) -> bool {
        if self.cost == 0 {
            false
        } else if allowed {
            record.charge(&self.rules, steps, now, self.cost);
            true
        } else {
            record.refuse(&self.rules, steps, now)
        }
    }
}

/// One subject of an [`Attempt`]: a record's key, its rules and what is asked of them.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// Where its record is.
    pub key: Key<'a>,
    /// At least one rule; none unlimited, none with an amount of 0, no two with the same algorithm and window.
    pub rules: Cow<'a, [Rule]>,
    /// Units, at most the least capacity of the rules. 0 is always allowed and leaves the record as it is.
    pub cost: u64,
}

/// Whether an [`Attempt`] spends what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Spend it if every rule allows it.
    Hit,
    /// Only say whether a hit would be allowed; nothing is written.
    Peek,
}

/// A storage's answer to an [`Attempt`].
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The instant of the decision by the clock that was asked for.
    pub now: Micros,
    /// For each rule of each subject, in their order.
    pub rules: SmallVec<[RuleOutcome; 1]>,
    /// Where a local share decided in the storage's place: by how many the limits were divided. None where the storage
    /// decided. See [`LocalShare`](crate::LocalShare).
    pub local_share: Option<NonZeroU32>,
}

impl Outcome {
    /// What a storage decided.
    pub const fn new(now: Micros, rules: SmallVec<[RuleOutcome; 1]>) -> Self {
        Self { now, rules, local_share: None }
    }

    /// Whether every rule of every subject allowed the hit.
    pub fn is_allowed(&self) -> bool {
        self.rules.iter().all(|rule| rule.allowed)
    }
}

impl RuleOutcome {
    /// What a step comes to in this mode, if all steps together are allowed or not.
    pub(crate) fn of(step: &Step, mode: Mode, allowed: bool) -> Self {
        let state = match (mode, allowed) {
            (Mode::Peek, _) => step.current,
            (Mode::Hit, true) => step.charged,
            (Mode::Hit, false) => step.refused,
        };
        Self { allowed: step.allowed, state }
    }
}

/// What came of one rule.
#[derive(Clone, Copy, Debug)]
pub struct RuleOutcome {
    /// Whether this rule allows it.
    pub allowed: bool,
    /// Its state after the decision.
    pub state: State,
}
