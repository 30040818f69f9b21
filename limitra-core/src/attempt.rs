//! What a storage is asked, and what it answers.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::key::Key;
use crate::rule::Rule;
use crate::state::State;
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
}

impl Outcome {
    /// Whether every rule of every subject allowed the hit.
    pub fn is_allowed(&self) -> bool {
        self.rules.iter().all(|rule| rule.allowed)
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
