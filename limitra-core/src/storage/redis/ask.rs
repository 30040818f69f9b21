//! What is asked of one record, as scripts read it.

use std::collections::HashSet;

use ::redis::{Cmd, Value};
use foldhash::fast::RandomState;
use smallvec::SmallVec;

use super::command::{Form, NOW_BYTES, answer_bytes};
use super::queue::BATCH;
use super::scripts::{self, Script};
use crate::attempt::{Attempt, Mode, Subject};
use crate::state::State;
use crate::storage::key_prefix::KeyPrefix;
use crate::time::Clock;

/// What is asked takes before its rules, and for each of them.
const ASKED_BYTES: usize = 8;
const ASKED_RULE_BYTES: usize = 50;

/// What is asked of one record, whose answer depends on no other one.
#[derive(Clone)]
pub(super) struct Ask {
    key: String,
    rules: Asked,
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
        Some(Self {
            key: prefix.full(subject.key).into_owned(),
            rules: asked(subject, attempt.mode),
            clock: attempt.clock,
            script: scripts::for_subjects(attempt.subjects),
            is_few: matches!(&*subject.rules, [rule] if !rule.algorithm().keeps_log()),
        })
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
        let asked = first.map_or(0, |ask| ask.rules.len());
        let mut command =
            form.of(script, asks.len(), asked + asks.clone().map(|ask| ask.key.len()).sum::<usize>());
        command.arg(asks.len());
        for ask in asks.clone() {
            command.arg(&ask.key);
        }
        push_clock(&mut command, clock, are_seen_at_once(asks.clone()));
        let (mut before, mut left_out): (&[u8], usize) = (&[], 0);
        for ask in asks {
            let rules = ask.rules.as_slice();
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

    /// The answers of a command that decides these, each its own; `None` if it is no such answer.
    pub(super) fn answers<'a>(
        asks: impl ExactSizeIterator<Item = &'a Self>,
        answer: Value,
    ) -> Option<Vec<Value>> {
        let count = asks.len();
        let bytes = match answer {
            answer if count == 1 => return Some(vec![answer]),
            Value::Array(answers) => return with_instant(answers).filter(|answers| answers.len() == count),
            Value::BulkString(bytes) => bytes,
            _ => return None,
        };
        let (now, mut rest) = bytes.split_at_checked(NOW_BYTES)?;
        let mut answers = Vec::with_capacity(count);
        for ask in asks {
            let (own, others) = rest.split_at_checked(answer_bytes(rest, ask.rule_count()))?;
            answers.push(Value::BulkString([now, own].concat()));
            rest = others;
        }
        rest.is_empty().then_some(answers)
    }

    fn rule_count(&self) -> usize {
        self.rules.len().saturating_sub(ASKED_BYTES) / ASKED_RULE_BYTES
    }
}

/// Whether one look may show all their records: each is asked for once, and for one rule without a log.
fn are_seen_at_once<'a>(mut asks: impl ExactSizeIterator<Item = &'a Ask>) -> bool {
    let mut keys = HashSet::with_capacity_and_hasher(asks.len(), RandomState::default());
    asks.len() > 1 && asks.all(|ask| ask.is_few && keys.insert(ask.key.as_str()))
}

/// The answers of a list whose last one is the instant, which belongs to each of the others that is one.
fn with_instant(mut answers: Vec<Value>) -> Option<Vec<Value>> {
    let Value::BulkString(now) = answers.pop()? else {
        return None;
    };
    for answer in &mut answers {
        if let Value::BulkString(own) = answer {
            *own = [now.as_slice(), own.as_slice()].concat();
        }
    }
    Some(answers)
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
