//! Charging to the storage what the share admitted.

use std::borrow::Cow;
use std::mem;
use std::slice;
use std::time::Instant;

use super::Shared;
use super::owed::{Debt, Owed};
use crate::attempt::{Attempt, Mode, Outcome, Subject};
use crate::error::{StorageError, StorageErrorKind};
use crate::key::Key;
use crate::measured;
use crate::outage::Event;
use crate::rule::Rule;
use crate::storage::Storage;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::time::Clock;

/// How many keys a decision takes along that are not its own.
const TAKEN_ALONG: usize = 16;
/// How many keys are charged at once where nobody waits for a decision.
const AT_ONCE: usize = 128;

/// What the storage says nothing of.
#[derive(Default)]
pub(super) struct Silent {
    /// Keys that owe.
    keys: Vec<(String, StorageError)>,
    /// An answer that did not come in time: who has waited for one does not wait for another, whatever the key.
    late: Option<StorageError>,
}

impl Silent {
    /// Why the storage cannot decide this, if that is known already.
    pub(super) fn of(&self, attempt: &Attempt<'_>) -> Option<StorageError> {
        let keys = || attempt.subjects.iter().map(|subject| subject.key.text());
        let of_key = || self.keys.iter().find(|(silent, _)| keys().any(|key| key == *silent));
        self.late.as_ref().or_else(|| of_key().map(|(_, error)| error)).cloned()
    }

    fn note(&mut self, error: &StorageError) {
        if error.kind() == StorageErrorKind::Timeout {
            self.late.get_or_insert_with(|| error.clone());
        }
    }
}

/// What is asked of one key.
struct Question<'a> {
    key: &'a str,
    rules: &'a [Rule],
    cost: u64,
    clock: Clock,
    mode: Mode,
}

impl<'a> Question<'a> {
    fn subject(&self) -> [Subject<'a>; 1] {
        [Subject { key: Key::from_text(self.key), rules: Cow::Borrowed(self.rules), cost: self.cost }]
    }
}

/// Debts that were taken to be charged: until the charge is sent, they go back if nobody waits for it any more.
struct Taken<'a> {
    owed: &'a Owed,
    debts: Vec<(String, Debt)>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        for (key, debt) in self.debts.drain(..) {
            self.owed.put_back(key, debt);
        }
    }
}

/// The right to take others' keys along, given back when it is dropped.
struct Along<'a>(&'a AtomicBool);

impl Drop for Along<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Shared {
    /// Charges what the keys of these attempts owe, and some others.
    pub(super) async fn settle_before(&self, attempts: &[Attempt<'_>]) -> Silent {
        if self.owed.len() == 0 {
            return Silent::default();
        }
        // One at a time takes others along: in an outage they are asked for in vain.
        let along = (!self.takes_along.swap(true, Ordering::AcqRel)).then(|| Along(&self.takes_along));
        let found = self.owed.find(attempts, if along.is_some() { TAKEN_ALONG } else { 0 });
        let clock = attempts.first().map_or(Clock::Storage, |attempt| attempt.clock);
        self.settle(found, clock).await
    }

    /// Charges everything, as far as the storage answers: of a part of it that does not, nobody waits for more than one answer.
    pub(super) async fn settle_all(&self) {
        for _ in 0..self.owed.len().div_ceil(AT_ONCE) {
            let found = self.owed.find(&[], AT_ONCE);
            if self.settle(found, Clock::Storage).await.late.is_some() {
                return;
            }
        }
    }

    /// Charges these, where the storage says what is left of them.
    async fn settle(&self, found: Vec<(String, Debt)>, clock: Clock) -> Silent {
        let mut silent = Silent::default();
        if found.is_empty() {
            return silent;
        }
        let peek =
            |(key, debt): &(String, Debt)| (key.clone(), debt.rules.clone(), instant(debt.clock, clock));
        let asked: Vec<(String, Vec<Rule>, Clock)> = found.iter().map(peek).collect();
        let questions = asked.iter().map(|(key, rules, clock)| peeking(key, rules, *clock)).collect();
        let answers = ask(&*self.storage, questions).await;
        let mut taken = Taken { owed: &self.owed, debts: Vec::new() };
        let mut left: Vec<Outcome> = Vec::new();
        for ((key, ..), answer) in asked.iter().zip(answers) {
            match answer {
                Ok(outcome) => {
                    // Somebody else may have charged it meanwhile.
                    if let Some(debt) = self.owed.take(key) {
                        taken.debts.push((key.clone(), debt));
                        left.push(outcome);
                    }
                }
                // It is there, but will never take this charge.
                Err(error) if is_of_the_key(&error) => {
                    self.owed.forget(key);
                    self.drop_keys(1);
                }
                // It is not there, or does not decide now: it loads its data, say, or does not know the password.
                Err(error) => {
                    silent.note(&error);
                    silent.keys.push((key.clone(), error));
                }
            }
        }
        if !taken.debts.is_empty() {
            let answers = self.charge(taken, &left, clock).await;
            answers.iter().filter_map(|answer| answer.as_ref().err()).for_each(|error| silent.note(error));
        }
        silent
    }

    /// Charges the debts that were taken, and says what the storage answered; `left` is what it had said of each.
    async fn charge(
        &self,
        mut taken: Taken<'_>,
        left: &[Outcome],
        clock: Clock,
    ) -> Vec<Result<Outcome, StorageError>> {
        let shares: Vec<(Vec<Rule>, Clock)> = taken
            .debts
            .iter()
            .map(|(_, debt)| {
                let rules = debt.rules.iter().map(|rule| rule.share(self.replicas)).collect();
                (rules, instant(debt.clock, clock))
            })
            .collect();
        let questions = taken.debts.iter().zip(&shares);
        let questions = questions.map(|((key, _), (rules, clock))| peeking(key, rules, *clock)).collect();
        let used = ask(&*self.fallback, questions).await;
        // One charge for each rule: of a minute's limit less may still count than of an hour's.
        let mut charges: Vec<(usize, Question<'_>)> = Vec::new();
        // From here on what becomes of them is told by the answers alone: sent is sent.
        let debts = mem::take(&mut taken.debts);
        for (place, (key, debt)) in debts.iter().enumerate() {
            let (Some(left), Some(Ok(used)), Some((shares, _))) =
                (left.get(place), used.get(place), shares.get(place))
            else {
                continue;
            };
            for (index, rule) in debt.rules.iter().enumerate() {
                let remaining = |rules: &[Rule], outcome: &Outcome| {
                    let (rule, found) = rules.get(index).zip(outcome.rules.get(index))?;
                    Some(rule.algorithm().remaining(&rule.limit(), &found.state, outcome.now))
                };
                let (Some(left), Some(share)) = (remaining(&debt.rules, left), remaining(shares, used))
                else {
                    continue;
                };
                let used =
                    shares.get(index).map_or(0, |share| share.limit().capacity()).saturating_sub(share);
                let cost = debt.units.min(used).min(left);
                if cost > 0 {
                    let (rules, clock) = (slice::from_ref(rule), instant(debt.clock, clock));
                    charges.push((place, Question { key, rules, cost, clock, mode: Mode::Hit }));
                }
            }
        }
        let places: Vec<(usize, u64)> = charges.iter().map(|(place, charge)| (*place, charge.cost)).collect();
        let answers = ask(&*self.storage, charges.into_iter().map(|(_, charge)| charge).collect()).await;
        self.settled(debts, &places, &answers);
        answers
    }

    /// Takes in what became of charges: each belongs to the debt of this place.
    fn settled(
        &self,
        debts: Vec<(String, Debt)>,
        places: &[(usize, u64)],
        answers: &[Result<Outcome, StorageError>],
    ) {
        let (mut keys, mut units) = (0, 0);
        for (place, (key, debt)) in debts.into_iter().enumerate() {
            let of_key = || places.iter().zip(answers).filter(|((of, _), _)| *of == place);
            let charged = |((_, cost), answer): (&(usize, u64), &Result<Outcome, StorageError>)| {
                answer.as_ref().is_ok_and(Outcome::is_allowed).then_some(*cost)
            };
            let unsent = |(_, answer): (&(usize, u64), &Result<Outcome, StorageError>)| {
                answer.as_ref().is_err_and(StorageError::was_not_asked)
            };
            if of_key().next().is_some() && of_key().all(unsent) {
                self.owed.put_back(key, debt);
                continue;
            }
            let costs: Vec<u64> = of_key().filter_map(charged).collect();
            keys += u64::from(!costs.is_empty());
            units += costs.iter().sum::<u64>();
            if costs.len() < of_key().count() {
                self.drop_keys(1);
            }
        }
        if keys > 0 {
            self.reconciled.fetch_add(units, Ordering::Relaxed);
            measured::reconciled(self.storage.name(), units, 0);
        }
        // In batches of a few keys each, an outage's debts are thousands of charges: they are told together.
        if let Some((keys, units)) = self.untold.add(keys, units, self.owed.len() == 0, Instant::now()) {
            self.telemetry.tell(&Event::Reconciled { storage: self.storage.name(), keys, units });
        }
        measured::owing(self.storage.name(), self.owed.len());
    }

    pub(super) fn malformed(&self) -> StorageError {
        StorageError::new(StorageErrorKind::Malformed, self.storage.name(), "decide")
    }
}

/// Whether an error is about what stands under the key: then it is the same later.
fn is_of_the_key(error: &StorageError) -> bool {
    use StorageErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ForeignValue | Kind::OtherVersion | Kind::Full | Kind::Unsupported | Kind::Malformed
    )
}

fn peeking<'a>(key: &'a str, rules: &'a [Rule], clock: Clock) -> Question<'a> {
    Question { key, rules, cost: 1, clock, mode: Mode::Peek }
}

/// The answers of a storage to these, one for each.
async fn ask(storage: &dyn Storage, questions: Vec<Question<'_>>) -> Vec<Result<Outcome, StorageError>> {
    if questions.is_empty() {
        return Vec::new();
    }
    let subjects: Vec<[Subject<'_>; 1]> = questions.iter().map(Question::subject).collect();
    let attempts: Vec<Attempt<'_>> = questions
        .iter()
        .zip(&subjects)
        .map(|(question, subjects)| Attempt { subjects, clock: question.clock, mode: question.mode })
        .collect();
    let mut answers = storage.decide_many(&attempts).await;
    answers.resize_with(attempts.len(), || {
        Err(StorageError::new(StorageErrorKind::Malformed, storage.name(), "decide"))
    });
    answers
}

/// When a debt is charged: now, by the clock that it was made by.
fn instant(debt: Clock, now: Clock) -> Clock {
    match (debt, now) {
        (Clock::At(one), Clock::At(other)) => Clock::At(one.max(other)),
        _ => debt,
    }
}
