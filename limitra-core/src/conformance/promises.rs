//! The promises, each as a check.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::traffic::{Numbers, fresh_key, mode, next_instant, rule, subject};
use super::{Finding, Promise, refunds};
use crate::algorithm::Algorithm;
use crate::attempt::{Attempt, Mode, Outcome, Subject};
use crate::key::Key;
use crate::limit::Limit;
use crate::rule::Rule;
use crate::storage::Storage;
use crate::storage::memory::MemoryStorage;
use crate::time::{Clock, Micros};

pub(super) const START: Micros = Micros::new(1_700_000_000_000_000);
pub(super) const STEPS: u64 = 200;

pub(super) const ALL: &[Promise] = &[
    Promise {
        number: 1,
        sentence: "one rule decides as its algorithm does",
        check: |storage| Box::pin(one_rule_decides_as_its_algorithm_does(storage)),
    },
    Promise {
        number: 2,
        sentence: "several subjects and rules are charged all or not at all",
        check: |storage| Box::pin(several_are_charged_all_or_not_at_all(storage)),
    },
    Promise {
        number: 2,
        sentence: "racing calls admit exactly the limit",
        check: |storage| Box::pin(racing_calls_admit_exactly_the_limit(storage)),
    },
    Promise {
        number: 3,
        sentence: "a peek and a refused hit change nothing",
        check: |storage| Box::pin(a_peek_and_a_refused_hit_change_nothing(storage)),
    },
    Promise {
        number: 4,
        sentence: "the storage's own clock does not go back",
        check: |storage| Box::pin(the_own_clock_does_not_go_back(storage)),
    },
    Promise {
        number: 5,
        sentence: "a record keeps the entries that it was not asked for",
        check: |storage| Box::pin(a_record_keeps_other_entries(storage)),
    },
    Promise {
        number: 7,
        sentence: "clear removes one record and no other",
        check: |storage| Box::pin(clear_removes_one_record(storage)),
    },
    Promise {
        number: 11,
        sentence: "many are decided as one after the other",
        check: |storage| Box::pin(many_are_decided_as_one_after_the_other(storage)),
    },
    Promise {
        number: 12,
        sentence: "a charge is undone as its algorithm does",
        check: |storage| Box::pin(refunds::a_charge_is_undone_as_its_algorithm_does(storage)),
    },
    Promise {
        number: 12,
        sentence: "a charge that is given back was never made",
        check: |storage| Box::pin(refunds::a_charge_that_is_given_back_was_never_made(storage)),
    },
    Promise {
        number: 12,
        sentence: "only what was charged is given back",
        check: |storage| Box::pin(refunds::only_what_was_charged_is_given_back(storage)),
    },
    Promise {
        number: 12,
        sentence: "racing charges and returns lose nothing",
        check: |storage| Box::pin(refunds::racing_charges_and_returns_lose_nothing(storage)),
    },
];

async fn one_rule_decides_as_its_algorithm_does(storage: Arc<dyn Storage>) -> Result<(), Finding> {
    for algorithm in Algorithm::ALL {
        for seed in 0..4 {
            let mut numbers = Numbers::from_seed(seed * 100 + 1);
            let Some(rule) = rule(*algorithm, &mut numbers) else { continue };
            let rules = [rule];
            let key = fresh_key("one");
            replay(&*storage, &[(&key, &rules)], &mut numbers).await?;
        }
    }
    Ok(())
}

async fn several_are_charged_all_or_not_at_all(storage: Arc<dyn Storage>) -> Result<(), Finding> {
    let most = storage.bounds().subjects.min(2);
    for seed in 0..8 {
        let mut numbers = Numbers::from_seed(seed * 100 + 2);
        let rules: Vec<Vec<Rule>> = (0..most).map(|_| different_rules(&mut numbers)).collect();
        let keys = [fresh_key("first"), fresh_key("second")];
        let subjects: Vec<(&str, &[Rule])> =
            keys.iter().map(String::as_str).zip(rules.iter().map(Vec::as_slice)).collect();
        replay(&*storage, &subjects, &mut numbers).await?;
    }
    Ok(())
}

/// Three rules of any algorithms, no two of which share a counter.
pub(super) fn different_rules(numbers: &mut Numbers) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    while rules.len() < 3 {
        let place = usize::try_from(numbers.below(8)).unwrap_or_default();
        let algorithm = Algorithm::ALL.get(place).copied().unwrap_or_default();
        if let Some(rule) = rule(algorithm, numbers)
            && !rules.iter().any(|other| other.has_tag_of(&rule))
        {
            rules.push(rule);
        }
    }
    rules
}

/// Decides a run of attempts on the storage and on memory; both must find the same.
async fn replay(
    storage: &dyn Storage,
    subjects: &[(&str, &[Rule])],
    numbers: &mut Numbers,
) -> Result<(), Finding> {
    let memory = MemoryStorage::new();
    let window = subjects.iter().flat_map(|(_, rules)| rules.iter().map(Rule::window)).min();
    let mut now = START;
    for step in 0..STEPS {
        now = next_instant(now, window.unwrap_or_default(), numbers);
        let asked: Vec<Subject<'_>> =
            subjects.iter().map(|(key, rules)| subject(key, rules, numbers)).collect();
        let attempt = Attempt { subjects: &asked, clock: Clock::At(now), mode: mode(numbers) };
        let found = storage.decide(&attempt).await?;
        let expected = memory.decide_now(&attempt)?;
        if !is_alike(&found, &expected) {
            let rules: Vec<&[Rule]> = subjects.iter().map(|(_, rules)| *rules).collect();
            return Err(Finding(format!(
                "step {step} at {now:?} of {rules:?}, {:?} {asked:?}: found {found:?}, expected {expected:?}",
                attempt.mode
            )));
        }
    }
    Ok(())
}

pub(super) fn is_alike(found: &Outcome, expected: &Outcome) -> bool {
    found.now == expected.now
        && found.rules.len() == expected.rules.len()
        && found
            .rules
            .iter()
            .zip(&expected.rules)
            .all(|(found, expected)| found.allowed == expected.allowed && found.state == expected.state)
}

async fn racing_calls_admit_exactly_the_limit(storage: Arc<dyn Storage>) -> Result<(), Finding> {
    for algorithm in Algorithm::ALL {
        let rules = [minute(*algorithm, 10)?, hour(*algorithm, 15)?];
        let key = fresh_key("race");
        let one = || hit(&*storage, &key, &rules, Clock::At(START));
        let answers = join_all((0..40).map(|_| one())).await;
        let mut admitted = 0;
        for answer in answers {
            admitted += u64::from(answer?.is_allowed());
        }
        if admitted != 10 {
            return Err(Finding(format!("{algorithm}: {admitted} of 40 racing calls were admitted, not 10")));
        }
    }
    Ok(())
}

async fn a_peek_and_a_refused_hit_change_nothing(storage: Arc<dyn Storage>) -> Result<(), Finding> {
    let elastic = Algorithm::FixedWindowElasticExpiry;
    for algorithm in Algorithm::ALL.iter().filter(|algorithm| **algorithm != elastic) {
        let rules = [minute(*algorithm, 1)?];
        let key = fresh_key("still");
        let (at, later) = (Clock::At(START), Clock::At(START.plus(Micros::new(1_000_000))));
        peek(&*storage, &key, &rules, at).await?;
        let first = hit(&*storage, &key, &rules, at).await?;
        let refused = hit(&*storage, &key, &rules, later).await?;
        let peeked = peek(&*storage, &key, &rules, later).await?;
        let states =
            [&first, &refused, &peeked].map(|outcome| outcome.rules.first().map(|rule| rule.state.until));
        if !first.is_allowed()
            || refused.is_allowed()
            || peeked.is_allowed()
            || states[1] != states[0]
            || states[2] != states[0]
        {
            return Err(Finding(format!("{algorithm}: {first:?}, then {refused:?}, then {peeked:?}")));
        }
    }
    Ok(())
}

async fn the_own_clock_does_not_go_back(storage: Arc<dyn Storage>) -> Result<(), Finding> {
    let rules = [minute(Algorithm::Gcra, 1000)?];
    let key = fresh_key("clock");
    let mut before = Micros::ZERO;
    for _ in 0..20 {
        let now = hit(&*storage, &key, &rules, Clock::Storage).await?.now;
        if now < before {
            return Err(Finding(format!("{now:?} came after {before:?}")));
        }
        before = now;
    }
    Ok(storage.clear(Key::from_text(&key)).await?)
}

async fn a_record_keeps_other_entries(storage: Arc<dyn Storage>) -> Result<(), Finding> {
    for algorithm in Algorithm::ALL {
        let key = fresh_key("rolling");
        let (old, new) = ([minute(*algorithm, 1)?], [hour(*algorithm, 5)?]);
        let at = Clock::At(START);
        let first = hit(&*storage, &key, &old, at).await?;
        let other = hit(&*storage, &key, &new, at).await?;
        let again = hit(&*storage, &key, &old, at).await?;
        if !first.is_allowed() || !other.is_allowed() || again.is_allowed() {
            return Err(Finding(format!("{algorithm}: a hit under other rules made a record forget")));
        }
        // A deploy adds a limit: the one that was there before goes on with its count.
        let both = [new[0], old[0]];
        if hit(&*storage, &key, &both, at).await?.is_allowed() {
            return Err(Finding(format!("{algorithm}: a rule forgot its count when another joined it")));
        }
    }
    Ok(())
}

async fn clear_removes_one_record(storage: Arc<dyn Storage>) -> Result<(), Finding> {
    let rules = [minute(Algorithm::MovingWindow, 1)?];
    let (cleared, kept, absent) = (fresh_key("cleared"), fresh_key("kept"), fresh_key("absent"));
    let at = Clock::At(START);
    hit(&*storage, &cleared, &rules, at).await?;
    hit(&*storage, &kept, &rules, at).await?;
    storage.clear(Key::from_text(&cleared)).await?;
    storage.clear(Key::from_text(&absent)).await?;
    let (fresh, full) =
        (hit(&*storage, &cleared, &rules, at).await?, hit(&*storage, &kept, &rules, at).await?);
    if fresh.is_allowed() && !full.is_allowed() {
        Ok(())
    } else {
        Err(Finding(format!("the cleared one: {fresh:?}, the other: {full:?}")))
    }
}

async fn many_are_decided_as_one_after_the_other(storage: Arc<dyn Storage>) -> Result<(), Finding> {
    let mut numbers = Numbers::from_seed(11);
    let memory = MemoryStorage::new();
    let several = storage.bounds().subjects.min(2);
    let mut records: Vec<(String, Vec<Rule>)> = Vec::new();
    for algorithm in Algorithm::ALL {
        for amount in [1, 3] {
            records.push((fresh_key("many"), vec![minute(*algorithm, amount)?]));
        }
        records.push((fresh_key("many"), vec![minute(*algorithm, 2)?, hour(*algorithm, 3)?]));
    }
    let mut now = START;
    for size in [1, 2, 40, 200] {
        let mut questions: Vec<(Vec<Subject<'_>>, Clock, Mode)> = Vec::new();
        for _ in 0..size {
            let mut asked: Vec<Subject<'_>> = Vec::new();
            for _ in 0..=usize::from(numbers.below(5) == 0) * (several - 1) {
                let place = usize::try_from(numbers.below(records.len() as u64)).unwrap_or_default();
                if let Some((key, rules)) = records.get(place)
                    && asked.iter().all(|subject| subject.key.text() != *key)
                {
                    asked.push(Subject { key: Key::from_text(key), rules: Cow::Borrowed(rules), cost: 1 });
                }
            }
            // Within the shortest window: a record that has expired may be there or not.
            now = now.plus(Micros::new(numbers.below(100_000)));
            questions.push((asked, Clock::At(now), mode(&mut numbers)));
        }
        let attempts: Vec<Attempt<'_>> = questions
            .iter()
            .map(|(subjects, clock, mode)| Attempt { subjects, clock: *clock, mode: *mode })
            .collect();
        let found = storage.decide_many(&attempts).await;
        if found.len() != attempts.len() {
            return Err(Finding(format!("{} answers to {} attempts", found.len(), attempts.len())));
        }
        for (place, (attempt, found)) in attempts.iter().zip(found).enumerate() {
            let (found, expected) = (found?, memory.decide_now(attempt)?);
            if !is_alike(&found, &expected) {
                return Err(Finding(format!(
                    "{place} of {size}, {attempt:?}: {found:?}, expected {expected:?}"
                )));
            }
        }
    }
    Ok(())
}

pub(super) async fn hit(
    storage: &dyn Storage,
    key: &str,
    rules: &[Rule],
    clock: Clock,
) -> Result<Outcome, Finding> {
    ask(storage, key, rules, clock, Mode::Hit).await
}

pub(super) async fn peek(
    storage: &dyn Storage,
    key: &str,
    rules: &[Rule],
    clock: Clock,
) -> Result<Outcome, Finding> {
    ask(storage, key, rules, clock, Mode::Peek).await
}

async fn ask(
    storage: &dyn Storage,
    key: &str,
    rules: &[Rule],
    clock: Clock,
    mode: Mode,
) -> Result<Outcome, Finding> {
    let subjects = [Subject { key: Key::from_text(key), rules: Cow::Borrowed(rules), cost: 1 }];
    Ok(storage.decide(&Attempt { subjects: &subjects, clock, mode }).await?)
}

pub(super) fn minute(algorithm: Algorithm, amount: u64) -> Result<Rule, Finding> {
    of_seconds(algorithm, amount, 60)
}

pub(super) fn hour(algorithm: Algorithm, amount: u64) -> Result<Rule, Finding> {
    of_seconds(algorithm, amount, 3600)
}

fn of_seconds(algorithm: Algorithm, amount: u64, seconds: u64) -> Result<Rule, Finding> {
    let limit = Limit::new(amount, Duration::from_secs(seconds));
    let rule = limit.and_then(|limit| Rule::new(algorithm, limit));
    rule.map_err(|error| Finding(error.to_string()))
}
