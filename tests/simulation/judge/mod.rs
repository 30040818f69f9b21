//! Who sees everything that really happens, and holds it against the reference limiter.

mod answers;
mod seen;

use std::fmt::Display;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use limitra::{Decision, Error};
use limitra_tests::{Reference, ReferenceSubject};

pub(crate) use answers::numbers;
pub(crate) use seen::{Event, EventKind};

use seen::{Found, Question, Seen};

use crate::bounds;
use crate::plan::{Act, Ask, Clocks, FaultKind, NodePlan, Patience, Plan, World};
use crate::times::Times;

/// For how long a deny cache believes a refusal, in microseconds: the layer's default.
const MAX_AGE: u64 = 1_000_000;

pub(crate) struct Judge {
    times: Arc<Times>,
    /// Whether every decision has to be the reference's. What a clock that is ahead made memory forget is
    /// gone for the others: there only the bounds hold.
    is_exact: bool,
    nodes_decide: bool,
    /// Microseconds.
    slack: u64,
    deadline: u64,
    nodes: Vec<NodePlan>,
    seen: Mutex<Seen>,
}

impl Judge {
    pub(crate) fn new(plan: &Plan, times: Arc<Times>, tells: bool) -> Self {
        // The clock that decides was set, which a cache cannot see.
        let steps = plan.faults.iter().filter(|fault| matches!(fault.kind, FaultKind::ServerClock(_)));
        let losses = steps.map(|fault| (fault.from * 1000, None)).collect();
        let seen = Seen { losses, story: tells.then(Vec::new), ..Seen::default() };
        Self {
            times,
            is_exact: plan.world == World::Register || plan.clocks == Clocks::OfTheServer,
            nodes_decide: plan.clocks == Clocks::OfEachNode,
            slack: plan.slack() * 1000,
            deadline: plan.deadline * 1000,
            nodes: plan.nodes.clone(),
            seen: Mutex::new(seen),
        }
    }

    /// What happened so far.
    pub(crate) fn story(&self) -> String {
        self.seen.lock().unwrap().story.clone().unwrap_or_default().join("\n")
    }

    /// An act begins.
    pub(crate) fn begin(&self, act: &Act, subjects: Vec<ReferenceSubject>, clock: Option<u64>) {
        let begun = self.times.now();
        let question = Question {
            node: act.node,
            ask: act.ask,
            is_patient: matches!(act.patience, Patience::Endless),
            subjects,
            begun,
            clock,
            messages: 0,
            is_unknown: false,
            looked: (0, 0),
            found: None,
        };
        let mut seen = self.seen.lock().unwrap();
        seen.questions.insert(act.id, question);
        *seen.waiting.entry(act.node).or_default() += 1;
    }

    /// A caller waits no more.
    pub(crate) fn leaves(&self, node: usize) {
        *self.seen.lock().unwrap().waiting.get_mut(&node).unwrap() -= 1;
    }

    /// A message is sent; which one of this act it is.
    pub(crate) fn sends(&self, act: u64, is_write: bool) -> u64 {
        let mut seen = self.seen.lock().unwrap();
        seen.note(act);
        let question = seen.questions.get_mut(&act).unwrap();
        question.messages += 1;
        // What a share admitted is charged by acts that are told nothing of it.
        let may_charge =
            self.nodes[question.node].local.is_some() && !matches!(question.ask, Ask::GiveBack { .. });
        let (messages, is_repeated) = (question.messages, question.is_unknown && is_write && !may_charge);
        if is_repeated {
            seen.accuse(act, "what got no answer was sent again");
        }
        messages
    }

    /// A node is told that there is no answer.
    pub(crate) fn fails(&self, act: u64, node: usize, is_write: bool) {
        let mut seen = self.seen.lock().unwrap();
        self.tell(&mut seen, act, || "no answer".to_owned());
        seen.troubles.push((node, self.times.now()));
        seen.questions.get_mut(&act).unwrap().is_unknown |= is_write;
    }

    /// The record was read for an act, at this instant of the clock that decides, if the act brings none of its own.
    pub(crate) fn read(&self, act: u64, now: u64) {
        let mut seen = self.seen.lock().unwrap();
        let Question { subjects, clock, ask, .. } = seen.questions[&act].clone();
        let now = clock.unwrap_or(now);
        let mut after = seen.reference.clone();
        let decision = match ask {
            Ask::Hit { .. } | Ask::All { .. } => after.hit(&subjects, now),
            _ => after.test(&subjects, now),
        };
        let Ok(decision) = decision else { return };
        self.tell(&mut seen, act, || format!("read at {now}: {decision:?}"));
        let question = seen.questions.get_mut(&act).unwrap();
        question.looked = (self.times.now(), now);
        if !question.found.as_ref().is_some_and(|found| found.is_committed) {
            question.found = Some(Found { decision, after: Arc::new(after), is_committed: false });
        }
    }

    /// These records may have changed for an act, by what was read last; a server that decides says what it found.
    pub(crate) fn changed(&self, act: u64, keys: Vec<String>, found: Option<bool>) {
        let mut seen = self.seen.lock().unwrap();
        let Question { subjects, looked: (looked, now), found: before, clock, begun, .. } =
            seen.questions[&act].clone();
        // A node reads its own clock before it asks.
        let decided = if clock.is_some() { begun } else { looked };
        let Some(before) = before else { return };
        if before.is_committed {
            seen.accuse(act, "it was counted twice");
        }
        let expected = before.decision.is_allowed();
        let allowed = found.unwrap_or(expected);
        if self.is_exact && allowed != expected {
            seen.accuse(act, format_args!("allowed: {allowed}, by the reference {:?}", before.decision));
        }
        if let Ok(decision) = seen.reference.test(&subjects, now)
            && self.is_exact
            && allowed
            && !decision.is_allowed()
        {
            seen.accuse(act, format_args!("it was allowed, and when it counted {decision:?}"));
        }
        self.tell(&mut seen, act, || format!("changed {keys:?}"));
        let after = Arc::clone(&before.after);
        seen.questions.get_mut(&act).unwrap().found = Some(Found { is_committed: true, ..before });
        seen.happens(self.times.now(), EventKind::Hit { decided, subjects, keys, after, allowed });
    }

    /// A record was removed.
    pub(crate) fn cleared(&self, key: &str) {
        let (mut seen, at) = (self.seen.lock().unwrap(), self.times.now());
        self.tell(&mut seen, 0, || format!("cleared: {key}"));
        seen.losses.push((at, Some(key.to_owned())));
        seen.happens(at, EventKind::Clear(key.to_owned()));
    }

    /// All that changed after this time is lost.
    pub(crate) fn lost(&self, after: u64) {
        let mut seen = self.seen.lock().unwrap();
        self.check_bounds(&mut seen);
        self.tell(&mut seen, 0, || format!("all is lost after {after}"));
        seen.losses.push((self.times.now(), None));
        seen.reference = Reference::default();
        for event in std::mem::take(&mut seen.events).into_iter().filter(|event| event.at <= after) {
            seen.happens(event.at, event.kind);
        }
    }

    /// A caller has an answer that the ledger holds against its books.
    pub(crate) fn told(&self, act: u64, answer: Result<&Decision, &Error>) {
        let mut seen = self.seen.lock().unwrap();
        self.tell(&mut seen, act, || format!("answered: {answer:?}"));
        seen.answers += 1;
        seen.note(act ^ (self.times.now() << 24));
    }

    /// Which act's charge this one gives back.
    pub(crate) fn gives_back(&self, act: u64) -> u64 {
        match self.seen.lock().unwrap().questions[&act].ask {
            Ask::GiveBack { of } => of,
            _ => 0,
        }
    }

    /// Something happens that the ledger knows of.
    pub(crate) fn hear(&self, act: u64, what: impl FnOnce() -> String) {
        self.tell(&mut self.seen.lock().unwrap(), act, what);
    }

    /// Something is wrong that others saw.
    pub(crate) fn accuse(&self, act: u64, fault: impl Display) {
        self.seen.lock().unwrap().accuse(act, fault);
    }

    /// How much happened and what it comes to; an error if anything was wrong.
    pub(crate) fn verdict(&self) -> Result<(u64, u64), String> {
        let mut seen = self.seen.lock().unwrap();
        self.check_bounds(&mut seen);
        match seen.faults.first() {
            Some(fault) => Err(fault.clone()),
            None => Ok((seen.answers, seen.trace)),
        }
    }

    fn tell(&self, seen: &mut Seen, act: u64, what: impl FnOnce() -> String) {
        let ask = seen.questions.get(&act).map(|question| (question.node, question.ask));
        if let Some(story) = &mut seen.story {
            story.push(format!("{:>10} act {act} {ask:?}: {}", self.times.now(), what()));
        }
    }

    fn check_bounds(&self, seen: &mut Seen) {
        // Where nodes read their clocks and the record knows a later instant, that one counts.
        let late = seen.events.iter().map(|event| match event.kind {
            EventKind::Hit { decided, .. } if self.nodes_decide => event.at - decided,
            _ => 0,
        });
        let late = late.max().unwrap_or(0);
        // Nothing is promised where two clocks that decide differ by a window: what one counted is over for the other.
        let least = if self.nodes_decide { self.slack } else { 0 };
        if let Err(fault) = bounds::hold(&seen.events, self.slack + late, least) {
            seen.faults.push(fault);
        }
    }
}

pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap()
}
