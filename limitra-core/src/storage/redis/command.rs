//! The command that decides, and its reply.

use ::redis::{Cmd, Value};

use super::ask::{asked, push_clock, returned};
use super::failure::Failed;
use super::scripts::{self, Script};
use crate::attempt::{Attempt, Outcome, RuleOutcome};
use crate::refund::Refund;
use crate::state::State;
use crate::storage::key_prefix::KeyPrefix;
use crate::time::Micros;

/// What an answer takes before its rules, and for each of them.
const NOW_BYTES: usize = 7;
const RULE_BYTES: usize = 29;
/// How a record of one rule begins, small and of any numbers, and what it takes.
const SMALL: (&[u8], usize) = (b"LR\x02", 28);
const LARGE: (&[u8], usize) = (b"LR\x01", 40);

/// About what a key and what is asked of it take.
const RECORD_BYTES: usize = 128;

/// What the first of these answers takes beside the instant, if it is about so many rules.
pub(super) fn answer_bytes(answers: &[u8], rules: usize) -> usize {
    let record = [SMALL, LARGE].into_iter().find(|(magic, _)| rules == 1 && answers.starts_with(magic));
    record.map_or(rules * RULE_BYTES, |(_, bytes)| bytes)
}

/// How a script is named to the server.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Hash,
    Text,
}

impl Form {
    /// `EVALSHA` or `EVAL` of this script, with room for so many records, which take so many bytes with what is asked of them.
    pub(super) fn of(self, script: &Script, records: usize, bytes: usize) -> Cmd {
        let (name, text) = match self {
            Self::Hash => ("EVALSHA", script.hash()),
            Self::Text => ("EVAL", script.text()),
        };
        // The name, the text, the number of records and the clock are said once.
        let (once, room) = (4, name.len() + text.len() + 20);
        let mut command = Cmd::with_capacity(once + 2 * records, room + bytes);
        command.arg(name).arg(text);
        command
    }
}

/// The command that decides all subjects or none: see `prelude.lua` for its arguments.
pub(super) fn decide(prefix: &KeyPrefix, attempt: &Attempt<'_>, form: Form) -> Cmd {
    let count = attempt.subjects.len();
    let mut command = form.of(scripts::for_subjects(attempt.subjects), count, count * RECORD_BYTES);
    command.arg(count);
    for subject in attempt.subjects {
        command.arg(prefix.full(subject.key).as_ref());
    }
    push_clock(&mut command, attempt.clock, false);
    for subject in attempt.subjects {
        command.arg(asked(subject, attempt.mode).as_slice());
    }
    command
}

/// The command that gives back: see `give_back.lua` for its arguments.
pub(super) fn give_back(prefix: &KeyPrefix, refund: &Refund<'_>, form: Form) -> Cmd {
    let count = refund.subjects.len();
    let mut command = form.of(scripts::for_refunds(), count, count * RECORD_BYTES);
    command.arg(count);
    for subject in refund.subjects {
        command.arg(prefix.full(subject.key).as_ref());
    }
    push_clock(&mut command, refund.clock, false);
    for (subject, receipts) in refund.parts() {
        command.arg(returned(subject, receipts).as_slice());
    }
    command
}

/// Reads the answer to that: whether anything was given back.
pub(super) fn is_returned(answer: &Value) -> Result<bool, Failed> {
    match answer {
        Value::Int(0) => Ok(false),
        Value::Int(1) => Ok(true),
        _ => Err(Failed::Malformed),
    }
}

/// The command that removes a record.
pub(super) fn clear(key: &str) -> Cmd {
    let mut command = ::redis::cmd("UNLINK");
    command.arg(key);
    command
}

/// How many rules an attempt asks.
pub(super) fn rules(attempt: &Attempt<'_>) -> usize {
    attempt.subjects.iter().map(|subject| subject.rules.len()).sum()
}

/// Reads the answer about so many rules: the instant, then for each whether it allows and its state; or the record that an
/// allowed one left.
pub(super) fn read(answer: &Value, rules: usize) -> Result<Outcome, Failed> {
    let Value::BulkString(bytes) = answer else {
        return Err(Failed::Malformed);
    };
    let said = bytes.split_first_chunk().and_then(|(now, own)| outcome(*now, own, rules));
    said.ok_or(Failed::Malformed)
}

/// The same, where the instant stands elsewhere.
pub(super) fn outcome(now: [u8; NOW_BYTES], own: &[u8], rules: usize) -> Option<Outcome> {
    if own.len() != answer_bytes(own, rules) {
        return None;
    }
    let rules = match own {
        record if rules == 1 && record.starts_with(b"LR") => [written(record)?].into(),
        rules => rules.chunks_exact(RULE_BYTES).map(rule).collect::<Option<_>>()?,
    };
    Some(Outcome::new(Micros::new(number(now)), rules))
}

fn rule(bytes: &[u8]) -> Option<RuleOutcome> {
    let (&allowed @ 0..=1, rest) = bytes.split_first()? else {
        return None;
    };
    Some(RuleOutcome { allowed: allowed == 1, state: state(rest)? })
}

/// An allowed one, by its record; see `prelude.lua`.
fn written(record: &[u8]) -> Option<RuleOutcome> {
    let state = if let Some(record) = record.strip_prefix(SMALL.0) {
        let (until, rest) = record.get(7..)?.split_first_chunk::<7>()?;
        let (a, rest) = rest.split_first_chunk::<3>()?;
        let (b, rest) = rest.split_first_chunk::<3>()?;
        let (c, _) = rest.split_first_chunk::<5>()?;
        let (until, before) = (number(*until), number(*c));
        // 1 more than it lies before, or 0 for 0.
        let c = if before > 0 { (until + 1).checked_sub(before)? } else { 0 };
        State { until: Micros::new(until), a: number(*a), b: number(*b), c }
    } else {
        state(record.get(12..)?)?
    };
    Some(RuleOutcome { allowed: true, state })
}

fn state(bytes: &[u8]) -> Option<State> {
    let (until, rest) = bytes.split_first_chunk::<7>()?;
    let (a, rest) = rest.split_first_chunk::<7>()?;
    let (b, rest) = rest.split_first_chunk::<7>()?;
    let (c, _) = rest.split_first_chunk::<7>()?;
    Some(State { until: Micros::new(number(*until)), a: number(*a), b: number(*b), c: number(*c) })
}

fn number<const BYTES: usize>(bytes: [u8; BYTES]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
