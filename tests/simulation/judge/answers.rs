//! Whether what callers are told is what it should be.

use limitra::{Decision, Error, OnOutage};
use limitra_tests::{ReferenceAnswer, ReferenceDecision};

use super::seen::{Question, Seen};
use super::{Judge, MAX_AGE, micros};
use crate::plan::Ask;

impl Judge {
    /// A caller has an answer.
    pub(crate) fn answered(&self, act: u64, answer: Result<&Decision, &Error>) {
        let mut seen = self.seen.lock().unwrap();
        self.tell(&mut seen, act, || format!("answered: {answer:?}"));
        seen.answers += 1;
        seen.note(act ^ (self.times.now() << 24));
        let question = seen.questions[&act].clone();
        let node = &self.nodes[question.node];
        let now = self.times.now();
        if let (Some(within), true) = (node.deadline, question.is_patient)
            && now > question.begun + micros(within) + 1_000
        {
            seen.accuse(act, "the answer came after the deadline");
        }
        let is_silence = match answer {
            Ok(decision) => decision.is_degraded() && self.is_in_trouble(&mut seen, &question),
            Err(Error::Storage(error)) => error.is_silence(),
            Err(_) => false,
        };
        *seen.silences.entry(question.node).or_default() += u32::from(is_silence);
        let has_reason = self.has_reason(&mut seen, &question);
        let is_removal = matches!(question.ask, Ask::Clear { .. });
        match answer {
            Ok(decision) if decision.is_degraded() => {
                if !node.is_policy(decision) || !has_reason {
                    seen.accuse(act, format_args!("degraded without a reason: {decision:?}"));
                }
            }
            Ok(decision) if question.messages == 0 => self.answered_by_the_cache(&mut seen, act, decision),
            Ok(decision) => self.answered_by_the_server(&mut seen, act, &question, decision),
            // Nobody is told that something was removed which may be there.
            Err(Error::Storage(_)) if has_reason && (node.on_outage == OnOutage::Error || is_removal) => {}
            Err(error) => seen.accuse(act, format_args!("there was no reason for this: {error}")),
        }
    }

    /// Why there may be no decision: no answer, none in time, too many callers, or too many failures before.
    fn has_reason(&self, seen: &mut Seen, question: &Question) -> bool {
        let node = &self.nodes[question.node];
        let may_be_open =
            node.breaker.is_some_and(|breaker| seen.silences[&question.node] >= breaker.failures);
        let is_full = node.max_in_flight.is_some_and(|most| seen.waiting[&question.node] > most);
        self.is_in_trouble(seen, question) || may_be_open || is_full
    }

    /// Whether the node had no answer since this was asked.
    fn is_in_trouble(&self, seen: &mut Seen, question: &Question) -> bool {
        let (node, now) = (&self.nodes[question.node], self.times.now());
        if node.deadline.is_some_and(|within| now >= question.begun + micros(within)) {
            seen.troubles.push((question.node, now));
        }
        let mut troubles = seen.troubles.iter();
        troubles.any(|trouble| trouble.0 == question.node && trouble.1 >= question.begun)
    }

    fn answered_by_the_server(&self, seen: &mut Seen, act: u64, question: &Question, decision: &Decision) {
        let Some(found) = &question.found else {
            return seen.accuse(act, "there is an answer, and nobody looked at a record");
        };
        let is_hit = matches!(question.ask, Ask::Hit { .. } | Ask::All { .. });
        let costs = question.subjects.iter().any(|subject| subject.cost > 0);
        if is_hit && costs && decision.is_allowed() && !found.is_committed {
            seen.accuse(act, "it was allowed and not counted");
        }
        if !is_hit && found.is_committed {
            seen.accuse(act, "it was only a test, and it was counted");
        }
        let answer = numbers(decision);
        if self.is_exact && answer != found.decision {
            seen.accuse(act, format_args!("the answer is {answer:?}, the reference's {:?}", found.decision));
        }
    }

    /// Only a refusal that still holds is told without asking.
    fn answered_by_the_cache(&self, seen: &mut Seen, act: u64, decision: &Decision) {
        let Question { subjects, .. } = seen.questions[&act].clone();
        if subjects.iter().all(|subject| subject.cost == 0) || !self.is_exact {
            return;
        }
        let now = self.times.now();
        let is_recent = |(at, key): &(u64, Option<String>)| {
            (*at..=at + MAX_AGE).contains(&now)
                && key.as_ref().is_none_or(|key| subjects.iter().any(|one| one.key == *key))
        };
        if seen.losses.iter().any(is_recent) {
            return;
        }
        let Ok(truth) = seen.reference.test(&subjects, self.times.server.now().get()) else { return };
        let told = micros(decision.retry_after());
        if decision.is_allowed() || truth.is_allowed() {
            seen.accuse(act, format_args!("the cache says {decision:?}, the reference {truth:?}"));
        } else if told > truth.retry_after() + self.deadline {
            seen.accuse(act, format_args!("the cache says wait {told} us, the reference {truth:?}"));
        }
    }
}

pub(crate) fn numbers(decision: &Decision) -> ReferenceDecision {
    let rules = decision.rules().iter().map(|rule| ReferenceAnswer {
        allowed: rule.is_allowed(),
        remaining: rule.remaining(),
        retry_after: micros(rule.retry_after()),
        reset_after: micros(rule.reset_after()),
    });
    ReferenceDecision { rules: rules.collect() }
}
