//! One call of an attributed function.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use smallvec::SmallVec;

use super::declaration::{Layer, Plan, rules_with_burst};
use super::site::{PlanRef, function_path};
use crate::attempt::{Mode, Subject};
use crate::decision::Decision;
use crate::error::{ConfigurationError, Error};
use crate::exceeded::RateLimitExceeded;
use crate::identifier::Identifier;
use crate::limit::Limit;
use crate::number::{self, Amount, Seconds};
use crate::pending;
use crate::question::Subjects;
use crate::rule::Rule;

/// What an attributed function does next.
#[derive(Debug)]
pub enum Verdict {
    /// Run the body.
    Proceed(Decision),
    /// Refuse the call; [`exceeded`] says why.
    Exceeded(Decision, Teller),
    /// No decision could be had.
    Failed(Error),
}

/// Who knows where a call was refused.
#[derive(Debug)]
pub struct Teller(PlanRef);

/// The error of a refused call, with the function and the scope. Nothing is allocated for them where the plan is the
/// first of its function.
#[cold]
pub fn exceeded(decision: &Decision, Teller(planned): &Teller) -> RateLimitExceeded {
    let (Some(rule), Ok(plan)) = (decision.binding(), &**planned) else {
        // Then nothing was refused.
        return RateLimitExceeded::new(Limit::UNLIMITED, Duration::ZERO);
    };
    let scope = match planned {
        PlanRef::First(Ok(plan)) => plan.layers.get(rule.subject()).map(|layer| Cow::Borrowed(&*layer.scope)),
        _ => plan.layers.get(rule.subject()).map(|layer| Cow::Owned(layer.scope.clone())),
    };
    let exceeded = RateLimitExceeded::by(rule).degraded(decision.is_degraded());
    exceeded.in_function(scope.unwrap_or_default(), plan.function)
}

/// One call: what it brings for each of the stacked attributes, in their order.
#[derive(Debug)]
pub struct Call<'a> {
    planned: PlanRef,
    path: &'static str,
    layers: SmallVec<[LayerCall<'a>; 1]>,
    mistake: Option<ConfigurationError>,
}

#[derive(Debug, Default)]
struct LayerCall<'a> {
    exempt: bool,
    parts: SmallVec<[Identifier<'a>; 1]>,
    limits: SmallVec<[Limit; 1]>,
    burst: Option<u64>,
    cost: Option<u64>,
}

impl<'a> Call<'a> {
    pub(super) fn new(planned: PlanRef, path: &'static str) -> Self {
        Self { planned, path, layers: SmallVec::new(), mistake: None }
    }

    /// Begins the next of the stacked attributes.
    pub fn layer(&mut self) {
        self.layers.push(LayerCall::default());
    }

    /// `exempt_when` said this.
    pub fn exempt(&mut self, exempt: bool) {
        self.latest(|layer| layer.exempt = exempt);
    }

    /// A part of the key.
    pub fn key(&mut self, part: Identifier<'a>) {
        self.latest(|layer| layer.parts.push(part));
    }

    /// A limit that is new at each call; 0 requests refuse.
    pub fn limit(&mut self, requests: impl Amount, window: impl Seconds) {
        let requests = requests.amount();
        let limit = match (requests, number::seconds("window", window)) {
            (Ok(requests), Ok(window)) => Limit::closed_or(requests, window),
            (Err(value), _) => Err(ConfigurationError::NotAnAmount { what: "requests", value }),
            (_, Err(mistake)) => Err(mistake),
        };
        match limit {
            Ok(limit) => self.latest(|layer| layer.limits.push(limit)),
            Err(mistake) => self.note(mistake),
        }
    }

    /// A burst that is new at each call.
    pub fn burst(&mut self, burst: impl Amount) {
        match number::amount("burst", burst) {
            Ok(burst) => self.latest(|layer| layer.burst = Some(burst)),
            Err(mistake) => self.note(mistake),
        }
    }

    /// A cost that is new at each call; 0 is allowed without counting.
    pub fn cost(&mut self, cost: impl Amount) {
        match cost.amount() {
            Ok(cost) => self.latest(|layer| layer.cost = Some(cost)),
            Err(value) => self.note(ConfigurationError::NotAnAmount { what: "cost", value }),
        }
    }

    /// Decides, at once where the storage is memory. Nothing of the arguments is borrowed any more.
    pub fn decide(self) -> Pending {
        let answer = match (&*self.planned, &self.mistake) {
            // What is off allows everything, whatever a closure returns.
            (Ok(plan), _) if !plan.enabled => pending::Pending::ready(Ok(Decision::unlimited())),
            (Err(mistake), _) | (Ok(_), Some(mistake)) => pending::Pending::ready(Err(Error::Function {
                function: function_path(self.path, None),
                source: mistake.clone(),
            })),
            (Ok(plan), None) => self.ask(plan),
        };
        Pending::of(answer, self.planned)
    }

    fn ask(&self, plan: &Plan) -> pending::Pending {
        let mut subjects = Subjects::new();
        for (layer, brought) in plan.layers.iter().zip(&self.layers) {
            // An exempt layer asks nothing, but keeps its place: decisions name subjects by it.
            let rules = if brought.exempt { Ok(Cow::Owned(Vec::new())) } else { brought.rules(layer) };
            match rules {
                Ok(rules) => subjects.push(Subject {
                    key: layer.space.key(&brought.parts),
                    rules,
                    cost: brought.cost.unwrap_or(layer.cost),
                }),
                Err(source) => {
                    let function = function_path(self.path, None);
                    return pending::Pending::ready(Err(Error::Function { function, source }));
                }
            }
        }
        plan.desk.decide(&subjects, Mode::Hit)
    }

    fn latest(&mut self, change: impl FnOnce(&mut LayerCall<'a>)) {
        if let Some(layer) = self.layers.last_mut() {
            change(layer);
        }
    }

    fn note(&mut self, mistake: ConfigurationError) {
        self.mistake.get_or_insert(mistake);
    }
}

impl LayerCall<'_> {
    fn rules<'r>(&self, layer: &'r Layer) -> Result<Cow<'r, [Rule]>, ConfigurationError> {
        match &layer.rules {
            Some(rules) => Ok(Cow::Borrowed(rules)),
            None if self.limits.is_empty() => Err(ConfigurationError::NoLimit),
            None => {
                let burst = self.burst.or(layer.burst);
                Ok(Cow::Owned(rules_with_burst(layer.algorithm, &self.limits, burst)?.into_vec()))
            }
        }
    }
}

/// A verdict on its way.
pub struct Pending(State);

enum State {
    /// It is there; nothing once it was given.
    Ready(Option<Verdict>),
    Asked(pending::Pending, PlanRef),
}

impl Future for Pending {
    type Output = Verdict;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Verdict> {
        match &mut self.0 {
            State::Ready(verdict) => match verdict.take() {
                Some(verdict) => Poll::Ready(verdict),
                // Polled again after it was ready, which no caller may do.
                None => Poll::Pending,
            },
            State::Asked(answer, planned) => {
                Pin::new(answer).poll(context).map(|answer| Verdict::of(answer, planned.clone()))
            }
        }
    }
}

impl Pending {
    /// Decided already.
    #[inline]
    pub(super) fn decided(decision: Decision, planned: PlanRef) -> Self {
        Self(State::Ready(Some(Verdict::decided(decision, planned))))
    }

    pub(super) fn of(answer: pending::Pending, planned: PlanRef) -> Self {
        match answer.at_hand() {
            Ok(answer) => Self(State::Ready(Some(Verdict::of(answer, planned)))),
            Err(answer) => Self(State::Asked(answer, planned)),
        }
    }

    /// The verdict in a function that is not async: at once where the storage is memory, else waited for.
    #[inline]
    pub fn wait(self) -> Verdict {
        match self.0 {
            State::Ready(Some(verdict)) => verdict,
            State::Asked(answer, planned) => wait(answer, planned),
            // Nobody polled it.
            State::Ready(None) => Verdict::Proceed(Decision::unlimited()),
        }
    }
}

#[inline(never)]
fn wait(answer: pending::Pending, planned: PlanRef) -> Verdict {
    let answer = match &*planned {
        Ok(plan) => waited(plan, answer),
        // Then the answer is this mistake, and is there.
        Err(mistake) => answer.now().unwrap_or_else(|_| Err(mistake.clone().into())),
    };
    Verdict::of(answer, planned)
}

#[cfg(feature = "blocking")]
fn waited(plan: &Plan, pending: pending::Pending) -> pending::Answer {
    crate::blocking::answer(&plan.desk, pending)
}

/// Nothing has been asked of the storage, and nothing is.
#[cfg(not(feature = "blocking"))]
fn waited(plan: &Plan, pending: pending::Pending) -> pending::Answer {
    pending.now().unwrap_or_else(|_| {
        let what = "`#[rate_limit]` on a plain `fn` with any storage but memory";
        let source = ConfigurationError::FeatureOff { what, feature: "blocking" };
        Err(Error::Function { function: plan.function.to_string(), source })
    })
}

impl Verdict {
    fn of(answer: pending::Answer, planned: PlanRef) -> Self {
        match answer {
            Err(error) => Self::Failed(error),
            Ok(decision) => Self::decided(decision, planned),
        }
    }

    #[inline]
    fn decided(decision: Decision, planned: PlanRef) -> Self {
        if decision.is_allowed() {
            Self::Proceed(decision)
        } else {
            Self::Exceeded(decision, Teller(planned))
        }
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pending")
    }
}
