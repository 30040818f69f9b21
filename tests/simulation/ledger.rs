//! The books of a mixed plan: what the server and each node's share really admit, held against the reference limiter and the
//! published bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use limitra::{Attempt, Decision, Error};
use limitra_tests::{ReferenceDecision, ReferenceRule, ReferenceSubject};

use crate::book::{Book, Entry, EntryKind};
use crate::judge::{Judge, numbers};
use crate::plan::{Act, Ask, Plan};
use crate::times::Times;

pub(crate) struct Ledger {
    plan: Plan,
    times: Arc<Times>,
    judge: Arc<Judge>,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    /// What each act asks.
    subjects: BTreeMap<u64, Vec<ReferenceSubject>>,
    server: Book,
    /// One for each node.
    shares: BTreeMap<usize, Book>,
    /// What each node's share admitted to each key, and what of it was charged by each window.
    admitted: BTreeMap<(usize, String), u64>,
    charged: BTreeMap<(usize, String, u64), u64>,
    /// What the server said to each act; the reference's numbers, where they are exact.
    said: BTreeMap<u64, Vec<(bool, Option<ReferenceDecision>)>>,
    /// Acts that know what a key has left, and charge it next.
    looked: BTreeSet<u64>,
}

/// What a server was asked, of one subject.
pub(crate) struct Asked {
    pub(crate) subject: ReferenceSubject,
    pub(crate) is_hit: bool,
    /// By a share, for what it had admitted.
    pub(crate) is_charge: bool,
}

impl Ledger {
    pub(crate) fn new(plan: &Plan, times: &Arc<Times>, judge: &Arc<Judge>) -> Self {
        let (times, judge) = (Arc::clone(times), Arc::clone(judge));
        Self { plan: plan.clone(), times, judge, books: Mutex::default() }
    }

    /// An act begins.
    pub(crate) fn begin(&self, act: &Act, subjects: Vec<ReferenceSubject>) {
        let mut books = self.books.lock().unwrap();
        if let (Ask::Clear { .. }, [subject]) = (act.ask, &subjects[..]) {
            // The share forgets at once, before anything is sent.
            books.shares.entry(act.node).or_default().clear(self.times.now(), &subject.key);
        }
        books.subjects.insert(act.id, subjects);
    }

    /// Whether these hits charge what is owed: of nobody twice by the same rule, and by an act that has just looked.
    pub(crate) fn is_charge(&self, act: u64, attempts: &[Attempt<'_>]) -> bool {
        let has_looked = self.books.lock().unwrap().looked.remove(&act);
        let subjects = attempts.iter().flat_map(|attempt| attempt.subjects);
        let asked: BTreeSet<_> = subjects
            .map(|subject| {
                let windows: Vec<_> = subject.rules.iter().map(|rule| rule.limit().window()).collect();
                (subject.key.text(), windows)
            })
            .collect();
        has_looked && asked.len() == attempts.len()
    }

    /// A node was told what is left of those who owe.
    pub(crate) fn looked(&self, act: u64) {
        self.books.lock().unwrap().looked.insert(act);
    }

    /// The server decided at this instant of its clock.
    pub(crate) fn decided(&self, act: u64, node: usize, asked: Asked, now: u64, is_allowed: bool) {
        let mut books = self.books.lock().unwrap();
        let Asked { subject, is_hit, is_charge } = asked;
        let own = (!is_charge).then_some(act);
        self.judge.hear(act, || {
            format!("decided, a charge: {is_charge}, a hit: {is_hit}, allowed: {is_allowed}, {subject:?}")
        });
        let is_blurred = books.server.blurred.contains(&subject.key);
        let asked = [subject];
        let found = if is_hit {
            books.server.reference.hit(&asked, now)
        } else {
            books.server.reference.test(&asked, now)
        };
        let [subject] = asked;
        let Ok(found) = found else {
            return self.judge.accuse(act, "the server decided on a cost above the limit");
        };
        if !is_blurred && found.is_allowed() != is_allowed {
            self.judge.accuse(act, format_args!("allowed: {is_allowed}, by the reference {found:?}"));
        }
        if is_charge && is_hit {
            self.is_owed(&mut books, act, node, &subject);
        }
        // What a share looks at for itself is no answer to the act.
        let is_test = |asked: &&Act| asked.id == act && matches!(asked.ask, Ask::Test { .. });
        if own.is_some() && (is_hit || self.plan.acts.iter().any(|asked| is_test(&asked))) {
            books.said.entry(act).or_default().push((is_allowed, (!is_blurred).then_some(found)));
        }
        if is_hit {
            let kind = EntryKind::Hit { subject, now, is_allowed, returned: None };
            books.server.entries.push(Entry { act: own, at: self.times.now(), kind });
        }
    }

    /// Nothing is charged that no share admitted, and nothing twice.
    fn is_owed(&self, books: &mut Books, act: u64, node: usize, subject: &ReferenceSubject) {
        let admitted = books.admitted.get(&(node, subject.key.clone())).copied().unwrap_or(0);
        for rule in &subject.rules {
            let charged = books.charged.entry((node, subject.key.clone(), rule.window)).or_default();
            *charged += subject.cost;
            if *charged > admitted {
                self.judge.accuse(act, format_args!("{charged} units of {admitted} charged: {subject:?}"));
            }
        }
    }

    /// The server gave back what this act had charged, if there was anything.
    pub(crate) fn gave_back(&self, act: u64, of: u64, key: &str, is_changed: bool) {
        let mut books = self.books.lock().unwrap();
        self.judge.hear(act, || format!("gave back what {of} charged: {is_changed}"));
        if is_changed {
            let is_over = books.server.give_back(of, key, self.times.now(), self.times.server.now().get());
            if is_over {
                self.judge.accuse(act, "it gave back a charge of which nothing counted any more");
            }
        }
    }

    /// The server removed a record.
    pub(crate) fn cleared(&self, key: &str) {
        self.judge.hear(0, || format!("cleared: {key}"));
        self.books.lock().unwrap().server.clear(self.times.now(), key);
    }

    /// The server forgot all that changed after this time.
    pub(crate) fn lost(&self, after: u64) {
        let mut books = self.books.lock().unwrap();
        self.judge.hear(0, || format!("all is lost after {after}"));
        self.is_within_bounds(&books.server, "the server");
        books.server.lose(after);
    }

    /// A caller has its answers.
    pub(crate) fn answered(&self, act: &Act, answers: &[Result<Decision, Error>]) {
        let mut books = self.books.lock().unwrap();
        let books = &mut *books;
        let subjects = books.subjects.get(&act.id).cloned().unwrap_or_default();
        let said = books.said.get(&act.id).cloned().unwrap_or_default();
        let node = &self.plan.nodes[act.node];
        let by_server = |answer: &Result<Decision, Error>| {
            answer.as_ref().is_ok_and(|decision| !decision.is_degraded() && decision.is_allowed())
        };
        let is_hit = !matches!(act.ask, Ask::Test { .. });
        let heard = answers.iter().filter(|answer| by_server(answer)).count();
        if heard > said.iter().filter(|(is_allowed, _)| *is_allowed).count() {
            self.judge.accuse(act.id, "it was allowed and not counted");
        }
        for (place, (answer, subject)) in answers.iter().zip(&subjects).enumerate() {
            self.judge.told(act.id, answer.as_ref());
            match (answer, node.local) {
                (Ok(decision), Some(replicas)) if decision.is_degraded() => {
                    let share = share_of(subject, replicas);
                    let now = self.times.nodes[act.node].now().get();
                    let book = books.shares.entry(act.node).or_default();
                    let asked = [share];
                    let found = if is_hit {
                        book.reference.hit(&asked, now)
                    } else {
                        book.reference.test(&asked, now)
                    };
                    if found.as_ref().ok() != Some(&numbers(decision)) {
                        self.judge.accuse(act.id, format_args!("the share says {decision:?}, not {found:?}"));
                    }
                    let [subject] = asked;
                    if is_hit && decision.is_allowed() {
                        *books.admitted.entry((act.node, subject.key.clone())).or_default() += subject.cost;
                    }
                    if is_hit {
                        let is_allowed = decision.is_allowed();
                        let kind = EntryKind::Hit { subject, now, is_allowed, returned: None };
                        book.entries.push(Entry { act: Some(act.id), at: self.times.now(), kind });
                    }
                }
                (Ok(decision), None) if decision.is_degraded() => {
                    if !node.is_policy(decision) {
                        self.judge.accuse(act.id, format_args!("another policy: {decision:?}"));
                    }
                }
                (Ok(decision), _) => {
                    // Where some were answered by others, nobody knows which of them.
                    let exact = said.get(place).filter(|_| said.len() == answers.len());
                    if let Some((_, Some(found))) = exact
                        && *found != numbers(decision)
                    {
                        self.judge.accuse(act.id, format_args!("the answer is {decision:?}, not {found:?}"));
                    }
                }
                (Err(error), Some(replicas)) => {
                    let has_share =
                        share_of(subject, replicas).rules.iter().all(|rule| rule.capacity() >= subject.cost);
                    if has_share && !matches!(act.ask, Ask::Clear { .. }) {
                        self.judge.accuse(act.id, format_args!("there is a share, and it is told {error}"));
                    }
                }
                (Err(_), None) => {}
            }
        }
    }

    /// All is over.
    pub(crate) fn close(&self) {
        let books = self.books.lock().unwrap();
        self.is_within_bounds(&books.server, "the server");
        for (node, book) in &books.shares {
            self.is_within_bounds(book, &format!("the share of node {node}"));
        }
    }

    fn is_within_bounds(&self, book: &Book, whose: &str) {
        if let Err(fault) = book.is_within_bounds() {
            self.judge.accuse(0, format_args!("{whose}: {fault}"));
        }
    }
}

fn share_of(subject: &ReferenceSubject, replicas: u32) -> ReferenceSubject {
    let part = |whole: u64| whole.div_ceil(replicas.into());
    let share = |rule: &ReferenceRule| ReferenceRule {
        amount: part(rule.amount),
        burst: rule.burst.map(part),
        ..*rule
    };
    ReferenceSubject { rules: subject.rules.iter().map(share).collect(), ..subject.clone() }
}
