//! The command that decides, and its reply.

use ::redis::{Cmd, Value};
use smallvec::SmallVec;

use super::scripts::Script;
use crate::attempt::{Attempt, Mode, Outcome, RuleOutcome};
use crate::state::State;
use crate::storage::key_prefix::KeyPrefix;
use crate::time::{Clock, Micros};

/// How a script is named to the server.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Hash,
    Text,
}

impl Form {
    /// `EVALSHA` or `EVAL` of this script.
    pub(super) fn of(self, script: &Script) -> Cmd {
        let (name, text) = match self {
            Self::Hash => ("EVALSHA", script.hash()),
            Self::Text => ("EVAL", script.text()),
        };
        let mut command = ::redis::cmd(name);
        command.arg(text);
        command
    }
}

/// The command that decides: see `prelude.lua` for its arguments.
pub(super) fn decide(script: &Script, prefix: &KeyPrefix, attempt: &Attempt<'_>, form: Form) -> Cmd {
    let mut command = form.of(script);
    command.arg(attempt.subjects.len());
    for subject in attempt.subjects {
        command.arg(prefix.full(subject.key).as_ref());
    }
    match attempt.clock {
        Clock::Storage => command.arg(""),
        Clock::At(instant) => command.arg(instant.get()),
    };
    command.arg(u8::from(attempt.mode == Mode::Hit));
    for subject in attempt.subjects {
        command.arg(subject.cost).arg(subject.rules.len());
        for rule in subject.rules.iter() {
            let (increment, depth) = (rule.increment(subject.cost), rule.depth());
            command
                .arg(rule.algorithm().number())
                .arg(rule.window().get())
                .arg(rule.amount())
                .arg(rule.limit().capacity())
                .arg(increment.micros)
                .arg(increment.fraction)
                .arg(depth.micros)
                .arg(depth.fraction);
        }
    }
    command
}

/// The command that removes a record.
pub(super) fn clear(key: &str) -> Cmd {
    let mut command = ::redis::cmd("UNLINK");
    command.arg(key);
    command
}

/// Reads a script's reply: the instant, then five numbers for each rule.
pub(super) fn outcome(reply: &Value, attempt: &Attempt<'_>) -> Option<Outcome> {
    let count: usize = attempt.subjects.iter().map(|subject| subject.rules.len()).sum();
    let Value::Array(values) = reply else {
        return None;
    };
    let numbers: Option<SmallVec<[u64; 8]>> = values
        .iter()
        .map(|value| match value {
            Value::Int(number) => u64::try_from(*number).ok(),
            _ => None,
        })
        .collect();
    let numbers = numbers?;
    let (now, rules) = numbers.split_first()?;
    if rules.len() != count * 5 {
        return None;
    }
    let rules = rules.chunks_exact(5).map(|rule| match *rule {
        [allowed @ 0..=1, until, a, b, c] => {
            let state = State { until: Micros::new(until), a, b, c };
            Some(RuleOutcome { allowed: allowed == 1, state })
        }
        _ => None,
    });
    Some(Outcome { now: Micros::new(*now), rules: rules.collect::<Option<_>>()? })
}
