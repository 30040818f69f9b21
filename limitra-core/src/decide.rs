//! The way from a question to a decision, on any storage.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::attempt::{Attempt, Mode, Outcome, Subject};
use crate::clock::ManualClock;
use crate::decision::Decision;
use crate::error::{ConfigurationError, Error, StorageError, StorageErrorKind};
use crate::key::Key;
use crate::limit::Limit;
use crate::measured::Tally;
use crate::outage::{OnOutage, Outages, Whose};
use crate::pending::{Answer, Pending};
use crate::question::{Owned, Places, Question, Subjects, limited};
use crate::rule::Rule;
use crate::storage::ladder::LocalShare;
use crate::storage::{AnyStorage, Storage};
use crate::time::{Clock, Micros};

/// Whether a storage has to be asked.
enum Case<'a> {
    Settled(Answer),
    Open(Question<'a>),
}

/// Where a limiter's questions go and what happens when no answer comes.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) storage: AnyStorage,
    pub(crate) clock: Option<ManualClock>,
    pub(crate) policy: OnOutage,
    /// What decides in the storage's place, if the policy is a local share; it stands over the storage.
    pub(crate) local: Option<LocalShare>,
    pub(crate) outages: Arc<Outages>,
    /// What logs call it: the function, or the limiter's scope. Never an identifier.
    pub(crate) label: Arc<str>,
    /// Counts the decisions on hits.
    pub(crate) tally: Tally,
}

impl Desk {
    /// Decides, at once where the storage is memory, else when the answer is awaited.
    ///
    /// What is returned borrows nothing of the question.
    pub(crate) fn decide(&self, subjects: &Subjects<'_>, mode: Mode) -> Pending {
        let question = match self.case(subjects, mode) {
            Case::Open(question) => question,
            Case::Settled(answer) => return Pending::ready(self.counted(mode, answer)),
        };
        if let Some(memory) = self.storage.memory() {
            let answer = memory.decide_now(&question.attempt());
            return Pending::ready(self.answer(&question, answer));
        }
        let (owned, desk) = (question.owned(), self.clone());
        Pending::running(async move {
            let question = owned.question();
            let answer = desk.asked().decide(&question.attempt()).await;
            desk.answer(&question, answer)
        })
    }

    /// Decides several questions, each for itself and in their order. Costs what the storage's `decide_many` does.
    pub(crate) fn decide_many<'a>(
        &self,
        questions: impl Iterator<Item = Subjects<'a>>,
        mode: Mode,
    ) -> Pending<Vec<Answer>> {
        let (mut settled, mut open) = (Vec::new(), Vec::new());
        for subjects in questions {
            settled.push(match self.case(&subjects, mode) {
                Case::Settled(answer) => Some(self.counted(mode, answer)),
                Case::Open(question) => {
                    open.push(question);
                    None
                }
            });
        }
        if let Some(memory) = self.storage.memory() {
            let attempts: Vec<Attempt<'_>> = open.iter().map(Question::attempt).collect();
            let outcomes = memory.decide_many_now(&attempts);
            return Pending::ready(self.answers(settled, &open, outcomes));
        }
        let owned: Vec<Owned> = open.into_iter().map(Question::owned).collect();
        let desk = self.clone();
        Pending::running(async move {
            let open: Vec<Question<'_>> = owned.iter().map(Owned::question).collect();
            let attempts: Vec<Attempt<'_>> = open.iter().map(Question::attempt).collect();
            let outcomes = desk.asked().decide_many(&attempts).await;
            desk.answers(settled, &open, outcomes)
        })
    }

    /// The answers, in order, where some were settled and the others open; a storage that says too little is malformed.
    fn answers(
        &self,
        settled: Vec<Option<Answer>>,
        open: &[Question<'_>],
        outcomes: Vec<Result<Outcome, StorageError>>,
    ) -> Vec<Answer> {
        let mut outcomes = outcomes.into_iter();
        let found = open
            .iter()
            .map(|question| self.answer(question, outcomes.next().unwrap_or_else(|| Err(self.malformed()))));
        let mut found = found.fuse();
        let answer = |settled: Option<Answer>| settled.or_else(|| found.next());
        settled.into_iter().filter_map(answer).collect()
    }

    /// What the storage has to be asked, or the answer where it need not be.
    fn case<'a>(&self, subjects: &Subjects<'a>, mode: Mode) -> Case<'a> {
        if let Some(answer) = self.settled_without_asking(subjects) {
            return Case::Settled(answer);
        }
        // Subjects without a limit are not asked; a decision still names the others by their place.
        let mut asked = Subjects::new();
        let mut places = Places::new();
        for (place, subject) in subjects.iter().enumerate() {
            if let Some(limited) = limited(subject) {
                asked.push(limited);
                places.push(place);
            }
        }
        if asked.is_empty() {
            return Case::Settled(Ok(Decision::unlimited()));
        }
        if let Err(mistake) = self.fits(&asked) {
            return Case::Settled(Err(mistake.into()));
        }
        let costs_nothing = asked.iter().all(|subject| subject.cost == 0);
        let mode = if costs_nothing { Mode::Peek } else { mode };
        let clock = self.clock_of(&asked);
        Case::Open(Question { asked, places, clock, mode })
    }

    /// The clock that these are asked by.
    pub(crate) fn clock_of(&self, asked: &[Subject<'_>]) -> Clock {
        self.clock.as_ref().map_or(Clock::Storage, |clock| Clock::At(clock.now().min(latest(asked))))
    }

    /// Removes one record.
    pub(crate) async fn clear(&self, key: Key<'_>) -> Result<(), Error> {
        if let Some(memory) = self.storage.memory() {
            memory.clear_now(key);
            return Ok(());
        }
        let text = key.text().into_owned();
        Ok(self.asked().clear(Key::from_text(&text)).await?)
    }

    /// What is asked where the storage is not memory.
    pub(crate) fn asked(&self) -> Arc<dyn Storage> {
        match &self.local {
            Some(local) => Arc::new(local.clone()),
            None => self.storage.shared(),
        }
    }

    /// Takes part in a decision with another desk: a policy holds if both have the same one.
    pub(crate) fn join(&mut self, other: &Self) {
        let same_local = match (&self.local, &other.local) {
            (None, None) => true,
            (Some(one), Some(other)) => one.is_same(other),
            _ => false,
        };
        if self.policy != other.policy || !same_local {
            self.policy = OnOutage::Error;
            self.local = None;
        }
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let same_clock = match (&self.clock, &other.clock) {
            (None, None) => true,
            (Some(one), Some(other)) => one.is_same(other),
            _ => false,
        };
        same_clock && self.storage.is_same(&other.storage)
    }

    /// Whether the storage can carry this; what a closure returns is known only now.
    fn fits(&self, asked: &Subjects<'_>) -> Result<(), ConfigurationError> {
        if self.storage.memory().is_some() {
            return Ok(());
        }
        let (name, bounds) = (self.storage.name(), self.storage.bounds());
        bounds.allow(name, asked.len())?;
        asked.iter().try_for_each(|subject| bounds.hold(name, &subject.rules))
    }

    /// The answers that need no storage: a cost that can never be allowed, a limit that holds nothing.
    fn settled_without_asking(&self, subjects: &Subjects<'_>) -> Option<Result<Decision, Error>> {
        let rules =
            || subjects.iter().flat_map(|subject| subject.rules.iter().map(move |rule| (subject, rule)));
        let closed = |(subject, rule): (&Subject<'_>, &Rule)| rule.amount() == 0 && subject.cost > 0;
        if rules().any(closed) {
            let now = self
                .clock
                .as_ref()
                .map_or_else(|| Micros::from_system_time(SystemTime::now()), ManualClock::now);
            return Some(Ok(Decision::closed(subjects, now)));
        }
        let too_much = rules()
            .filter(|(subject, rule)| subject.cost > rule.limit().capacity())
            .min_by_key(|(_, rule)| rule.limit().capacity())?;
        Some(Err(Error::CostAboveLimit { cost: too_much.0.cost, limit: too_much.1.limit() }))
    }

    /// What is answered, by the outage policy too.
    fn answer(&self, question: &Question<'_>, answer: Result<Outcome, StorageError>) -> Answer {
        self.counted(question.mode, self.policed(question, answer))
    }

    /// The same answer, counted if it is one on a hit.
    fn counted(&self, mode: Mode, answer: Answer) -> Answer {
        if mode == Mode::Hit {
            self.tally.answered(&answer);
        }
        answer
    }

    /// Applies the outage policy.
    fn policed(&self, question: &Question<'_>, answer: Result<Outcome, StorageError>) -> Answer {
        let by_share = answer.as_ref().is_ok_and(|outcome| outcome.local_share.is_some());
        let decided = answer.and_then(|outcome| {
            Decision::new(&question.asked, &question.places, &outcome).ok_or_else(|| self.malformed())
        });
        match decided {
            Ok(decision) => {
                if by_share {
                    // A share that is the storage itself keeps its reason.
                    let why = self.local.as_ref().and_then(LocalShare::why);
                    let unknown = || Arc::new(self.error(StorageErrorKind::Unavailable));
                    self.outages.failed(self.whose(), &why.unwrap_or_else(unknown));
                } else {
                    self.outages.decided(|| self.whose());
                }
                if !decision.is_allowed() {
                    log_refusal(&self.label, || (decision.limit(), decision.retry_after()));
                }
                Ok(decision)
            }
            Err(error) => self.undecided(error),
        }
    }

    fn malformed(&self) -> StorageError {
        self.error(StorageErrorKind::Malformed)
    }

    fn error(&self, kind: StorageErrorKind) -> StorageError {
        StorageError::new(kind, self.storage.name(), "decide")
    }

    /// What is answered where no decision could be had.
    #[cold]
    pub(crate) fn undecided(&self, error: StorageError) -> Result<Decision, Error> {
        self.outages.failed(self.whose(), &error);
        match self.policy {
            OnOutage::FailOpen => Ok(Decision::degraded()),
            OnOutage::Closed { retry_after } => Ok(Decision::closed_for(OnOutage::retry_after(retry_after))),
            // What a share could decide it has decided.
            OnOutage::Error | OnOutage::Local { .. } => Err(error.into()),
        }
    }

    /// What memory answered on the straight way, where it had to look for it.
    pub(crate) fn straight(&self, mode: Mode, answer: Result<Decision, StorageError>) -> Answer {
        let answer =
            answer.inspect(|_| self.outages.decided(|| self.whose())).or_else(|error| self.undecided(error));
        self.counted(mode, answer)
    }

    pub(crate) fn whose(&self) -> Whose<'_> {
        Whose { of: &self.label, storage: self.storage.name(), policy: self.policy }
    }
}

/// Tells of a refusal; its limit and how long to wait are worked out where somebody listens.
#[inline]
pub(crate) fn log_refusal(of: &str, what: impl Fn() -> (Option<Limit>, Duration)) {
    tracing::debug!(
        target: "limitra",
        of,
        limit = what().0.map(tracing::field::display),
        retry_after = ?what().1,
        "rate limit exceeded"
    );
}

/// The latest instant at which everything that these rules keep still fits the numbers of a decision.
fn latest(subjects: &[Subject<'_>]) -> Micros {
    let rules = subjects.iter().flat_map(|subject| subject.rules.iter());
    let longest = rules.map(|rule| rule.window().max(Micros::new(rule.depth().micros))).max();
    let longest = longest.unwrap_or_default();
    Micros::MAX.minus(longest).minus(longest)
}
