//! What a judge has seen so far.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use limitra_tests::{Reference, ReferenceDecision, ReferenceSubject};

use crate::plan::Ask;

#[derive(Default)]
pub(super) struct Seen {
    pub(super) reference: Reference,
    pub(super) questions: BTreeMap<u64, Question>,
    pub(super) events: Vec<Event>,
    /// When something was forgotten, and by whose removal; a clock that was set counts as well.
    pub(super) losses: Vec<(u64, Option<String>)>,
    /// When a node was told that something went wrong.
    pub(super) troubles: Vec<(usize, u64)>,
    /// For each node how many callers wait there.
    pub(super) waiting: BTreeMap<usize, usize>,
    /// For each node how many callers found the storage silent.
    pub(super) silences: BTreeMap<usize, u32>,
    pub(super) faults: Vec<String>,
    /// What happened, where somebody wants to read it.
    pub(super) story: Option<Vec<String>>,
    /// Changes with everything that happens.
    pub(super) trace: u64,
    pub(super) answers: u64,
}

/// What an act asks, and what came of it so far.
#[derive(Clone)]
pub(super) struct Question {
    pub(super) node: usize,
    pub(super) ask: Ask,
    /// Its caller polls whenever there is something to do.
    pub(super) is_patient: bool,
    pub(super) subjects: Vec<ReferenceSubject>,
    pub(super) begun: u64,
    /// What the node's clock showed, where that decides.
    pub(super) clock: Option<u64>,
    pub(super) messages: u64,
    /// A write got no answer.
    pub(super) is_unknown: bool,
    /// When and by which instant it was last looked at.
    pub(super) looked: (u64, u64),
    pub(super) found: Option<Found>,
}

#[derive(Clone)]
pub(super) struct Found {
    pub(super) decision: ReferenceDecision,
    /// What it would make of the records that were looked at.
    pub(super) after: Arc<Reference>,
    pub(super) is_committed: bool,
}

/// What changed the server's records.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// When it changed them, in microseconds.
    pub(crate) at: u64,
    pub(crate) kind: EventKind,
}

#[derive(Clone, Debug)]
pub(crate) enum EventKind {
    Hit {
        /// When it was decided.
        decided: u64,
        subjects: Vec<ReferenceSubject>,
        /// Of those that may have changed.
        keys: Vec<String>,
        /// The records afterwards.
        after: Arc<Reference>,
        allowed: bool,
    },
    Clear(String),
}

impl Seen {
    pub(super) fn accuse(&mut self, act: u64, fault: impl Display) {
        let asked = self.questions.get(&act).map(|question| (question.node, question.ask));
        self.faults.push(format!("act {act}, {asked:?}: {fault}"));
    }

    /// The server's records change.
    pub(super) fn happens(&mut self, at: u64, kind: EventKind) {
        match &kind {
            // A driver does not write what it leaves as it was.
            EventKind::Hit { keys, after, .. } => {
                for key in keys {
                    self.reference.take_over(key, after);
                }
            }
            EventKind::Clear(key) => self.reference.clear(key),
        }
        self.events.push(Event { at, kind });
    }

    pub(super) fn note(&mut self, what: u64) {
        self.trace = self.trace.rotate_left(5).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ what;
    }
}
