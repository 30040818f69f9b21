//! What is asked of one record, as scripts read it.

use std::collections::HashSet;

use ::redis::{Cmd, Value};
use foldhash::fast::RandomState;
use smallvec::SmallVec;

use super::command::{Form, answer_bytes, outcome};
use super::failure::Failed;
use super::queue::BATCH;
use super::scripts::{self, Script};
use crate::attempt::{Attempt, Mode, Outcome, Subject};
use crate::state::State;
use crate::storage::key_prefix::KeyPrefix;
use crate::time::Clock;

/// What is asked takes before its rules, and for each of them.
const ASKED_BYTES: usize = 8;
const ASKED_RULE_BYTES: usize = 50;
/// What a key and one rule usually take at most.
const USUAL_BYTES: usize = 160;

/// What is asked of one record, whose answer depends on no other one.
#[derive(Clone)]
pub(super) struct Ask {
    /// The key, and then whether to spend, the cost and the rules.
    bytes: Vec<u8>,
    key_bytes: usize,
    clock: Clock,
    script: &'static Script,
    /// One rule without a log.
    is_few: bool,
}

/// Whether to spend, the cost and the rules, as bytes; see `prelude.lua`. One rule takes 58.
pub(super) type Asked = SmallVec<[u8; 58]>;

impl Ask {
    /// What an attempt asks, if it names one subject.
    pub(super) fn of(attempt: &Attempt<'_>, prefix: &KeyPrefix) -> Option<Self> {
        let [subject] = attempt.subjects else {
            return None;
        };
        Some(Self::about(subject, attempt, prefix))
    }

    /// What an attempt asks of its only subject.
    pub(super) fn about(subject: &Subject<'_>, attempt: &Attempt<'_>, prefix: &KeyPrefix) -> Self {
        let mut bytes = Vec::with_capacity(USUAL_BYTES);
        prefix.pieces(subject.key, &mut |piece| bytes.extend_from_slice(piece.as_bytes()));
        let key_bytes = bytes.len();
        bytes.extend_from_slice(&asked(subject, attempt.mode));
        Self {
            bytes,
            key_bytes,
            clock: attempt.clock,
            script: scripts::for_subjects(attempt.subjects),
            is_few: matches!(&*subject.rules, [rule] if !rule.algorithm().keeps_log()),
        }
    }

    /// The first of these attempts, as many as one command decides.
    pub(super) fn first_of(attempts: &[Attempt<'_>], prefix: &KeyPrefix) -> Vec<Self> {
        let clock = attempts.first().map(|first| first.clock);
        let alike = attempts.iter().take_while(|attempt| Some(attempt.clock) == clock);
        alike.take(BATCH).map_while(|attempt| Self::of(attempt, prefix)).collect()
    }

    /// The command that decides these, each for itself, at the same clock.
    pub(super) fn decide_each<'a>(asks: impl ExactSizeIterator<Item = &'a Self> + Clone, form: Form) -> Cmd {
        let first = asks.clone().next();
        let clock = first.map_or(Clock::Storage, |ask| ask.clock);
        let script = match first {
            Some(first) if asks.clone().all(|ask| std::ptr::eq(ask.script, first.script)) => first.script,
            _ => scripts::for_each(),
        };
        let asked = first.map_or(0, |ask| ask.rules().len());
        let mut command =
            form.of(script, asks.len(), asked + asks.clone().map(|ask| ask.key_bytes).sum::<usize>());
        command.arg(asks.len());
        for ask in asks.clone() {
            command.arg(ask.key());
        }
        push_clock(&mut command, clock, are_seen_at_once(asks.clone()));
        let (mut before, mut left_out): (&[u8], usize) = (&[], 0);
        for ask in asks {
            let rules = ask.rules();
            if rules == before {
                left_out += 1;
                continue;
            }
            // Those after the last other one are not said at all.
            for _ in 0..std::mem::take(&mut left_out) {
                command.arg("");
            }
            command.arg(rules);
            before = rules;
        }
        command
    }

    /// The answers of a command that decides these, each its own.
    pub(super) fn answers<'a>(
        asks: impl ExactSizeIterator<Item = &'a Self>,
        answer: &Value,
    ) -> Vec<Result<Outcome, Failed>> {
        let count = asks.len();
        let answers = match answer {
            Value::BulkString(bytes) => said(asks, bytes),
            Value::Array(answers) => listed(asks, answers),
            _ => None,
        };
        answers.unwrap_or_else(|| (0..count).map(|_| Err(Failed::Malformed)).collect())
    }

    fn key(&self) -> &[u8] {
        self.bytes.get(..self.key_bytes).unwrap_or_default()
    }

    /// Whether to spend, the cost and the rules, as bytes.
    fn rules(&self) -> &[u8] {
        self.bytes.get(self.key_bytes..).unwrap_or_default()
    }

    /// About how many rules it asks.
    pub(super) fn rule_count(&self) -> usize {
        self.rules().len().saturating_sub(ASKED_BYTES) / ASKED_RULE_BYTES
    }
}

/// Whether one look may show all their records: each is asked for once, and for one rule without a log.
fn are_seen_at_once<'a>(mut asks: impl ExactSizeIterator<Item = &'a Ask>) -> bool {
    let mut keys = HashSet::with_capacity_and_hasher(asks.len(), RandomState::default());
    asks.len() > 1 && asks.all(|ask| ask.is_few && keys.insert(ask.key()))
}

/// The answers of all, one behind the other and behind the instant.
fn said<'a>(
    asks: impl ExactSizeIterator<Item = &'a Ask>,
    bytes: &[u8],
) -> Option<Vec<Result<Outcome, Failed>>> {
    let (now, mut rest) = bytes.split_first_chunk()?;
    let mut answers = Vec::with_capacity(asks.len());
    for ask in asks {
        let rules = ask.rule_count();
        let (own, others) = rest.split_at_checked(answer_bytes(rest, rules))?;
        answers.push(outcome(*now, own, rules).ok_or(Failed::Malformed));
        rest = others;
    }
    rest.is_empty().then_some(answers)
}

/// The answers of a list whose last one is the instant, which belongs to each of the others that is no error.
fn listed<'a>(
    asks: impl ExactSizeIterator<Item = &'a Ask>,
    answers: &[Value],
) -> Option<Vec<Result<Outcome, Failed>>> {
    let (Value::BulkString(now), answers) = answers.split_last()? else {
        return None;
    };
    let now = now.as_slice().try_into().ok()?;
    let own = |(ask, answer): (&Ask, &Value)| match answer {
        Value::BulkString(own) => outcome(now, own, ask.rule_count()).ok_or(Failed::Malformed),
        Value::ServerError(error) => Err(Failed::Error(error.clone().into())),
        _ => Err(Failed::Malformed),
    };
    (asks.len() == answers.len()).then(|| asks.zip(answers).map(own).collect())
}

/// The instant that is asked for, or nothing for the server's own; behind a star where one look may show all records.
pub(super) fn push_clock(command: &mut Cmd, clock: Clock, at_once: bool) {
    match (clock, at_once) {
        (Clock::Storage, false) => command.arg(""),
        (Clock::Storage, true) => command.arg("*"),
        (Clock::At(instant), false) => command.arg(instant.get()),
        (Clock::At(instant), true) => command.arg(format!("*{}", instant.get())),
    };
}

/// What is asked of a subject. A cost of 0 only looks.
pub(super) fn asked(subject: &Subject<'_>, mode: Mode) -> Asked {
    let mut bytes = Asked::new();
    bytes.push(u8::from(mode == Mode::Hit && subject.cost > 0));
    bytes.extend_from_slice(&short(subject.cost));
    for rule in subject.rules.iter() {
        let (increment, depth) = (rule.increment(subject.cost), rule.depth());
        bytes.push(rule.algorithm().number());
        let numbers = [
            rule.window().get(),
            rule.amount(),
            rule.limit().capacity(),
            increment.micros,
            increment.fraction,
            depth.micros,
            depth.fraction,
        ];
        bytes.extend_from_slice(numbers.map(short).as_flattened());
    }
    bytes
}

/// What is given back to a subject; see `give_back.lua`.
pub(super) fn returned(subject: &Subject<'_>, receipts: &[State]) -> Asked {
    let mut bytes = Asked::new();
    bytes.extend_from_slice(&short(subject.cost));
    for (rule, receipt) in subject.rules.iter().zip(receipts) {
        let increment = rule.increment(subject.cost);
        bytes.push(rule.algorithm().number());
        let numbers = [
            rule.window().get(),
            rule.amount(),
            increment.micros,
            increment.fraction,
            receipt.until.get(),
            receipt.a,
            receipt.b,
            receipt.c,
        ];
        bytes.extend_from_slice(numbers.map(short).as_flattened());
    }
    bytes
}

/// A number below 2<sup>53</sup>, so the eighth byte is zero.
const fn short(number: u64) -> [u8; 7] {
    let [number @ .., _] = number.to_le_bytes();
    number
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test that cannot go on fails.

    use std::borrow::Cow;
    use std::time::Duration;

    use super::*;
    use crate::algorithm::Algorithm;
    use crate::key::Key;
    use crate::limit::Limit;
    use crate::rule::Rule;

    const NOW: [u8; 7] = [1; 7];
    /// Of one rule: refused, and its state.
    const REFUSED: [u8; 29] = [0; 29];

    /// Whether each of two who ask is refused, by the answer to both; `None` where it cannot be read.
    fn refused(answer: &Value) -> Vec<Option<bool>> {
        let rule = [Rule::new(Algorithm::Gcra, Limit::new(1, Duration::from_secs(60)).unwrap()).unwrap()];
        let subject = |key| Subject { key: Key::from_text(key), rules: Cow::Borrowed(&rule), cost: 1 };
        let subjects = [subject("ada"), subject("bob")];
        let ask = |subject: &Subject<'_>| {
            let subjects = std::slice::from_ref(subject);
            let attempt = Attempt { subjects, clock: Clock::Storage, mode: Mode::Hit };
            Ask::of(&attempt, &KeyPrefix::default()).unwrap()
        };
        let asks: Vec<Ask> = subjects.iter().map(ask).collect();
        let is_refused = |answer: Result<Outcome, Failed>| answer.ok().map(|outcome| !outcome.is_allowed());
        Ask::answers(asks.iter(), answer).into_iter().map(is_refused).collect()
    }

    fn bytes(parts: &[&[u8]]) -> Value {
        Value::BulkString(parts.concat())
    }

    #[test]
    fn an_answer_that_is_too_short_or_too_long_is_nobodys() {
        assert_eq!(refused(&bytes(&[&NOW, &REFUSED, &REFUSED])), [Some(true); 2]);
        for parts in
            [&[&NOW[..], &REFUSED][..], &[&NOW, &REFUSED, &REFUSED, &[0]], &[&NOW, &REFUSED, &REFUSED[1..]]]
        {
            assert_eq!(refused(&bytes(parts)), [None; 2]);
        }
        assert_eq!(refused(&Value::Array(vec![bytes(&[&REFUSED]), bytes(&[&NOW])])), [None; 2]);
        assert_eq!(refused(&Value::Nil), [None; 2]);
    }

    #[test]
    fn what_cannot_be_read_in_a_list_is_one_callers_alone() {
        let list = |first| Value::Array(vec![first, bytes(&[&REFUSED]), bytes(&[&NOW])]);
        assert_eq!(refused(&list(bytes(&[&REFUSED]))), [Some(true); 2]);
        assert_eq!(refused(&list(Value::Int(7))), [None, Some(true)]);
        assert_eq!(refused(&list(bytes(&[&REFUSED[1..]]))), [None, Some(true)]);
    }
}
