//! Promise 12: what is charged can be given back.

use std::borrow::Cow;
use std::sync::Arc;

use futures_util::future::join_all;

use super::Finding;
use super::promises::{START, STEPS, different_rules, hit, hour, is_alike, minute, peek};
use super::traffic::{Numbers, fresh_key, next_instant, rule, subject};
use crate::algorithm::Algorithm;
use crate::attempt::{Attempt, Mode, Outcome, Subject};
use crate::key::Key;
use crate::refund::Refund;
use crate::rule::Rule;
use crate::state::State;
use crate::storage::Storage;
use crate::storage::memory::MemoryStorage;
use crate::time::{Clock, Micros};

/// One rule of each algorithm, and several of different ones on one or two subjects.
pub(super) async fn a_charge_is_undone_as_its_algorithm_does(
    storage: Arc<dyn Storage>,
) -> Result<(), Finding> {
    for algorithm in Algorithm::ALL {
        for seed in 0..3 {
            let mut numbers = Numbers::from_seed(seed * 100 + 12);
            let Some(rule) = rule(*algorithm, &mut numbers) else { continue };
            let (key, rules) = (fresh_key("returned"), [rule]);
            replay(&*storage, &[(&key, &rules)], &mut numbers).await?;
        }
    }
    let most = storage.bounds().subjects.min(2);
    for seed in 0..3 {
        let mut numbers = Numbers::from_seed(seed * 100 + 13);
        let rules: Vec<Vec<Rule>> = (0..most).map(|_| different_rules(&mut numbers)).collect();
        let keys = [fresh_key("one"), fresh_key("other")];
        let subjects: Vec<(&str, &[Rule])> =
            keys.iter().map(String::as_str).zip(rules.iter().map(Vec::as_slice)).collect();
        replay(&*storage, &subjects, &mut numbers).await?;
    }
    Ok(())
}

/// A charge that may be given back.
struct Charged<'a> {
    subjects: Vec<Subject<'a>>,
    receipts: Vec<State>,
}

/// Charges and gives back on the storage and on memory, in any order; both must find the same.
async fn replay(
    storage: &dyn Storage,
    subjects: &[(&str, &[Rule])],
    numbers: &mut Numbers,
) -> Result<(), Finding> {
    let memory = MemoryStorage::new();
    let window = subjects.iter().flat_map(|(_, rules)| rules.iter().map(Rule::window)).min();
    let (mut now, mut charges): (Micros, Vec<Charged<'_>>) = (START, Vec::new());
    for step in 0..STEPS {
        if numbers.below(3) > 0 {
            now = next_instant(now, window.unwrap_or_default(), numbers);
        }
        let clock = Clock::At(now);
        let place = usize::try_from(numbers.below(charges.len() as u64)).unwrap_or_default();
        if numbers.below(3) == 0
            && let Some(Charged { subjects, receipts }) = charges.get(place)
        {
            let refund = Refund { subjects, receipts, clock };
            let (found, expected) = (storage.give_back(&refund).await?, memory.give_back_now(&refund));
            if found != expected {
                return Err(Finding(format!(
                    "step {step}: {refund:?}: given back: {found}, expected {expected}"
                )));
            }
            // Some are given back twice.
            if numbers.below(4) > 0 {
                charges.swap_remove(place);
            }
        }
        let asked: Vec<Subject<'_>> =
            subjects.iter().map(|(key, rules)| subject(key, rules, numbers)).collect();
        let mode = if numbers.below(4) == 0 { Mode::Peek } else { Mode::Hit };
        let attempt = Attempt { subjects: &asked, clock, mode };
        let (found, expected) = (storage.decide(&attempt).await?, memory.decide_now(&attempt)?);
        if !is_alike(&found, &expected) {
            return Err(Finding(format!(
                "step {step} at {now:?} {mode:?} {asked:?}: found {found:?}, expected {expected:?}"
            )));
        }
        if mode == Mode::Hit && found.is_allowed() {
            let receipts = found.rules.iter().map(|rule| rule.state).collect();
            charges.push(Charged { subjects: asked, receipts });
        }
    }
    Ok(())
}

/// At the same instant, so nothing has drained.
pub(super) async fn a_charge_that_is_given_back_was_never_made(
    storage: Arc<dyn Storage>,
) -> Result<(), Finding> {
    for algorithm in Algorithm::ALL {
        let (key, twin) = (fresh_key("undone"), fresh_key("twin"));
        let rules = [minute(*algorithm, 3)?, hour(*algorithm, 5)?];
        let at = Clock::At(START);
        for key in [&key, &twin] {
            hit(&*storage, key, &rules, at).await?;
        }
        let charged = hit(&*storage, &key, &rules, at).await?;
        let is_undone = give_back(&*storage, &key, &rules, &charged, at).await?;
        for _ in 0..3 {
            let (found, expected) =
                (hit(&*storage, &key, &rules, at).await?, hit(&*storage, &twin, &rules, at).await?);
            if !is_undone || !is_alike(&found, &expected) {
                return Err(Finding(format!("{algorithm}: {found:?}, never charged: {expected:?}")));
            }
        }
    }
    Ok(())
}

/// A whole number of windows later, with as many charges as before: they stay.
pub(super) async fn only_what_was_charged_is_given_back(storage: Arc<dyn Storage>) -> Result<(), Finding> {
    for algorithm in Algorithm::ALL {
        let (key, rules) = (fresh_key("later"), [minute(*algorithm, 2)?]);
        let later = START.plus(rules[0].window()).plus(rules[0].window());
        let (before, at) = (Clock::At(START), Clock::At(later));
        let old = hit(&*storage, &key, &rules, before).await?;
        let new = hit(&*storage, &key, &rules, at).await?;
        hit(&*storage, &key, &rules, at).await?;
        let is_undone = give_back(&*storage, &key, &rules, &old, at).await?;
        if is_undone || hit(&*storage, &key, &rules, at).await?.is_allowed() {
            return Err(Finding(format!("{algorithm}: a charge of another window was given back")));
        }
        // And of those that are there, no more than there are.
        let mut times = 0;
        while times < 4 && give_back(&*storage, &key, &rules, &new, at).await? {
            times += 1;
        }
        if times == 0 || times > 2 {
            return Err(Finding(format!("{algorithm}: of 2 units 1 was given back {times} times")));
        }
    }
    Ok(())
}

/// Each of some racing calls charges and gives back; then the whole limit is there.
pub(super) async fn racing_charges_and_returns_lose_nothing(
    storage: Arc<dyn Storage>,
) -> Result<(), Finding> {
    for algorithm in Algorithm::ALL {
        let (key, rules, at) =
            (fresh_key("returns"), [minute(*algorithm, 10)?, hour(*algorithm, 15)?], Clock::At(START));
        let one = || async {
            let charged = hit(&*storage, &key, &rules, at).await?;
            if charged.is_allowed() && !give_back(&*storage, &key, &rules, &charged, at).await? {
                return Err(Finding(format!("{algorithm}: a charge could not be given back")));
            }
            Ok(())
        };
        for ended in join_all((0..20).map(|_| one())).await {
            ended?;
        }
        let mut admitted = 0;
        for answer in join_all((0..40).map(|_| hit(&*storage, &key, &rules, at))).await {
            admitted += u64::from(answer?.is_allowed());
        }
        if admitted != 10 {
            return Err(Finding(format!("{algorithm}: {admitted} were admitted then, not 10")));
        }
        // Their charges are lost, and stay.
        if peek(&*storage, &key, &rules, at).await?.is_allowed() {
            return Err(Finding(format!("{algorithm}: a charge went that nobody gave back")));
        }
    }
    Ok(())
}

async fn give_back(
    storage: &dyn Storage,
    key: &str,
    rules: &[Rule],
    charged: &Outcome,
    clock: Clock,
) -> Result<bool, Finding> {
    let subjects = [Subject { key: Key::from_text(key), rules: Cow::Borrowed(rules), cost: 1 }];
    let receipts: Vec<State> = charged.rules.iter().map(|rule| rule.state).collect();
    Ok(storage.give_back(&Refund { subjects: &subjects, receipts: &receipts, clock }).await?)
}
