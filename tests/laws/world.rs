//! Real limiters on a real storage, with the reference beside them.

use std::time::Duration;

use limitra::{Decision, Error, Limit, ManualClock, Micros, RateLimiter, check_all};
use limitra_tests::{
    CostAboveLimit, Reference, ReferenceDecision, ReferenceRule, ReferenceSubject, fresh_prefix,
};
use proptest::test_runner::TestCaseError;

use crate::bench::Ground;
use crate::traffic::{Advance, Ask, LimiterPlan, Plan, Step, Target, share};

/// No instant of a test is later, so that two of the longest windows still fit.
const LATEST: u64 = 2_600_000_000_000_000;

/// Nor earlier: there is no time before the epoch for a record to come from.
const EARLIEST: u64 = 1;

const CALLERS: [&str; 2] = ["ada", "bob"];

pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) reference: Reference,
    pub(crate) seats: Vec<Seat>,
    retry_after: u64,
    reset_after: u64,
    may_go_back: bool,
}

/// One limiter of the plan, in both of its versions.
pub(crate) struct Seat {
    pub(crate) limiter: RateLimiter,
    pub(crate) revised: RateLimiter,
    pub(crate) plan: LimiterPlan,
}

impl Seat {
    pub(crate) fn rules(&self, revised: bool) -> Vec<ReferenceRule> {
        let limits = if revised { &self.plan.revised } else { &self.plan.limits };
        limits.iter().map(|limit| ReferenceRule::of(self.plan.algorithm, *limit)).collect()
    }

    pub(crate) fn capacity(&self, revised: bool) -> u64 {
        self.rules(revised).iter().map(ReferenceRule::capacity).min().unwrap()
    }

    pub(crate) fn version(&self, revised: bool) -> &RateLimiter {
        if revised { &self.revised } else { &self.limiter }
    }
}

/// What the engine answered, in the reference's terms.
pub(crate) type Answer = Result<ReferenceDecision, CostAboveLimit>;

pub(crate) fn answer(answer: Result<Decision, Error>) -> Answer {
    match answer {
        Ok(decision) => Ok(numbers(&decision)),
        Err(Error::CostAboveLimit { .. }) => Err(CostAboveLimit),
        Err(error) => panic!("{error}"),
    }
}

fn numbers(decision: &Decision) -> ReferenceDecision {
    let micros = |duration: Duration| {
        assert_eq!(duration.subsec_nanos() % 1000, 0, "whole microseconds");
        u64::try_from(duration.as_micros()).unwrap()
    };
    let rules = decision.rules().iter().map(|rule| limitra_tests::ReferenceAnswer {
        allowed: rule.is_allowed(),
        remaining: rule.remaining(),
        retry_after: micros(rule.retry_after()),
        reset_after: micros(rule.reset_after()),
    });
    let numbers = ReferenceDecision { rules: rules.collect() };
    assert_eq!(numbers.is_allowed(), decision.is_allowed());
    assert_eq!(numbers.remaining(), decision.remaining());
    assert_eq!(numbers.retry_after(), micros(decision.retry_after()));
    assert!(!decision.is_degraded());
    numbers
}

impl World {
    /// Limiters as planned, under keys that nobody else uses.
    pub(crate) fn new(plan: &Plan, ground: &Ground) -> Self {
        let clock = ManualClock::at(Micros::new(plan.start));
        let prefix = fresh_prefix();
        let (storage, timed) = ground.lay(&clock);
        let seats = plan.limiters.iter().enumerate().map(|(index, plan)| {
            let build = |limits: &[Limit]| {
                timed(RateLimiter::builder())
                    .algorithm(plan.algorithm)
                    .limits(limits.iter().copied())
                    .storage(&storage)
                    .prefix(prefix.clone())
                    .scope(format!("seat{index}"))
                    .build()
                    .unwrap()
            };
            Seat { limiter: build(&plan.limits), revised: build(&plan.revised), plan: plan.clone() }
        });
        let seats = seats.collect();
        Self {
            clock,
            reference: Reference::default(),
            seats,
            retry_after: 0,
            reset_after: 0,
            may_go_back: ground.may_go_back(),
        }
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.now().get()
    }

    pub(crate) fn set(&self, instant: u64) {
        if self.may_go_back || instant >= self.now() {
            self.clock.set(Micros::new(instant));
        }
    }

    pub(crate) fn seat(&self, limiter: usize) -> &Seat {
        &self.seats[limiter % self.seats.len()]
    }

    /// The keys under which the storage keeps this world.
    pub(crate) fn keys(&self) -> Vec<String> {
        let of_seat = |seat: &Seat| CALLERS.map(|who| seat.limiter.key(who));
        self.seats.iter().flat_map(of_seat).collect()
    }

    /// Moves the clock.
    pub(crate) fn advance(&self, advance: Advance, limiter: usize) {
        let rule = self.seat(limiter).rules(false)[0];
        let now = self.now();
        let plus = |length: u64, micros: i64| now.saturating_add(length).saturating_add_signed(micros);
        let to = match advance {
            Advance::Still => now,
            Advance::Micros(micros) => plus(micros, 0),
            Advance::OfUnit(part) => plus(share(rule.window, part) / rule.amount, 0),
            Advance::OfWindow(part) => plus(share(rule.window, part), 0),
            Advance::Window(micros) => plus(rule.window, micros),
            Advance::Slot(micros) => plus(rule.window - now % rule.window, micros),
            Advance::Retry(micros) => plus(self.retry_after, micros),
            Advance::Reset(micros) => plus(self.reset_after, micros),
            Advance::Back(part) => now.saturating_sub(share(rule.window, part)).max(EARLIEST),
        };
        let forward = !matches!(advance, Advance::Back(_));
        if to <= LATEST && (to >= now || !forward) {
            self.set(to);
        }
    }

    fn subject(&self, target: &Target) -> ReferenceSubject {
        let seat = self.seat(target.limiter);
        ReferenceSubject {
            key: seat.limiter.key(CALLERS[target.who]),
            rules: seat.rules(target.revised),
            cost: target.cost.units(seat.capacity(target.revised)),
        }
    }

    /// Takes one step with the engine alone.
    pub(crate) async fn ask(&self, ask: Ask) -> Option<Answer> {
        match ask {
            Ask::Hit(target) => {
                let limiter = self.seat(target.limiter).version(target.revised);
                let cost = self.subject(&target).cost;
                Some(answer(limiter.check_cost(CALLERS[target.who], cost).await))
            }
            Ask::Test(target) => {
                let limiter = self.seat(target.limiter).version(target.revised);
                let cost = self.subject(&target).cost;
                Some(answer(limiter.test_cost(CALLERS[target.who], cost).await))
            }
            Ask::All { who, costs } => {
                let charges = self.seats.iter().zip(costs).map(|(seat, cost)| {
                    let units = cost.units(seat.capacity(false));
                    seat.limiter.of(CALLERS[who]).cost(units)
                });
                Some(answer(check_all(charges).await))
            }
            Ask::Clear { limiter, who } => {
                self.seat(limiter).limiter.reset(CALLERS[who]).await.unwrap();
                None
            }
        }
    }

    /// Takes one step with the reference alone.
    pub(crate) fn ask_reference(&mut self, ask: Ask) -> Option<Answer> {
        let now = self.now();
        match ask {
            Ask::Hit(target) => {
                let subject = self.subject(&target);
                Some(self.reference.hit(&[subject], now))
            }
            Ask::Test(target) => Some(self.reference.test(&[self.subject(&target)], now)),
            Ask::All { who, costs } => {
                let subjects = costs.iter().enumerate().take(self.seats.len());
                let subjects: Vec<_> = subjects
                    .map(|(limiter, cost)| {
                        self.subject(&Target { limiter, who, cost: *cost, revised: false })
                    })
                    .collect();
                Some(self.reference.hit(&subjects, now))
            }
            Ask::Clear { limiter, who } => {
                let key = self.seat(limiter).limiter.key(CALLERS[who]);
                self.reference.clear(&key);
                None
            }
        }
    }

    /// Takes one step with both, and fails where they differ.
    pub(crate) async fn take(&mut self, step: Step) -> Result<Option<Answer>, TestCaseError> {
        let limiter = match step.ask {
            Ask::Hit(target) | Ask::Test(target) => target.limiter,
            Ask::All { .. } => 0,
            Ask::Clear { limiter, .. } => limiter,
        };
        self.advance(step.advance, limiter);
        let expected = self.ask_reference(step.ask);
        let found = self.ask(step.ask).await;
        if found != expected {
            return Err(TestCaseError::fail(format!(
                "at {}, {:?}:\n  found    {found:?}\n  expected {expected:?}",
                self.now(),
                step.ask
            )));
        }
        self.remember(found.as_ref());
        Ok(found)
    }

    /// What [`Advance::Retry`] and [`Advance::Reset`] go by.
    pub(crate) fn remember(&mut self, answer: Option<&Answer>) {
        if let Some(Ok(decision)) = answer {
            self.retry_after = decision.retry_after();
            self.reset_after = decision.rules.iter().map(|rule| rule.reset_after).max().unwrap();
        }
    }
}
