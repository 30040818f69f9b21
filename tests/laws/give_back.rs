//! The laws of giving back.

use limitra::{Algorithm, Decision};
use limitra_tests::{Reference, ReferenceRule, ReferenceSubject};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::bench::{Bench, Ground};
use crate::traffic::{self, Advance, Cost, LimiterPlan, Plan};
use crate::world::{World, answer};

const WHO: &str = "ada";

/// An allowed hit.
struct Hit {
    at: u64,
    cost: u64,
    /// Until it is given back.
    decision: Option<Decision>,
    returned_at: Option<u64>,
}

/// When, what it costs, and which of the charges that are out is given back in its place, if any.
type Moment = (Advance, Cost, Option<usize>);

fn traffic() -> impl Strategy<Value = (u64, LimiterPlan, Vec<Moment>)> {
    let moment = (traffic::forward(), traffic::cost(), proptest::option::of(0..8_usize));
    (traffic::start(), traffic::limiter(1), vec(moment, 1..30))
}

/// A limiter, and what it has allowed.
struct Run {
    world: World,
    rule: ReferenceRule,
    hits: Vec<Hit>,
}

impl Run {
    fn new(start: u64, limiter: LimiterPlan, ground: &Ground) -> Self {
        let world = World::new(&Plan { start, limiters: vec![limiter], steps: Vec::new() }, ground);
        let rule = world.seat(0).rules(false)[0];
        Self { world, rule, hits: Vec::new() }
    }

    async fn go(&mut self, (advance, cost, back): Moment, may_return: impl Fn(&Self, &Hit) -> bool) {
        self.world.advance(advance, 0);
        let (now, limiter) = (self.world.now(), self.world.seat(0).limiter.clone());
        let out: Vec<usize> = (0..self.hits.len())
            .filter(|place| self.hits[*place].decision.is_some() && may_return(self, &self.hits[*place]))
            .collect();
        match back {
            Some(back) if !out.is_empty() => {
                let hit = &mut self.hits[out[back % out.len()]];
                limiter.give_back(WHO, hit.decision.take().unwrap()).await.unwrap();
                hit.returned_at = Some(now);
            }
            _ => {
                let cost = cost.units(self.rule.capacity());
                if let Ok(decision) = limiter.check_cost(WHO, cost).await
                    && decision.is_allowed()
                    && cost > 0
                {
                    self.hits.push(Hit { at: now, cost, decision: Some(decision), returned_at: None });
                }
            }
        }
    }

    /// The reference, asked nothing but what was kept; each of that has to be allowed.
    fn never_charged(&self) -> Result<Reference, TestCaseError> {
        let mut twin = Reference::default();
        for hit in self.hits.iter().filter(|hit| hit.returned_at.is_none()) {
            let decision = twin.hit(&[self.subject(hit.cost)], hit.at).unwrap();
            prop_assert!(decision.is_allowed(), "a hit that was allowed would have been refused");
        }
        Ok(twin)
    }

    fn subject(&self, cost: u64) -> ReferenceSubject {
        ReferenceSubject { key: WHO.to_owned(), rules: vec![self.rule], cost }
    }

    fn last_return(&self) -> u64 {
        self.hits.iter().filter_map(|hit| hit.returned_at).max().unwrap_or_default()
    }
}

/// After each step, of a limiter whose charges are given back and one that was asked nothing but what was kept.
pub(crate) fn no_limiter_is_more_generous_than_one_that_was_never_charged(bench: &Bench) {
    let plans = traffic()
        .prop_filter("its windows open at hits that may be given back", |(_, limiter, _)| {
            limiter.algorithm != Algorithm::FixedWindow
        });
    bench.for_all(400, plans, async |(start, limiter, moments), ground| {
        let mut run = Run::new(start, limiter, &ground);
        let is_bucket = run.rule.algorithm.is_bucket();
        for moment in moments {
            // Of a bucket, one at a time: see the law of intervals.
            run.go(moment, |run, hit| !is_bucket || hit.at > run.last_return()).await;
            let now = run.world.now();
            let found = run.world.seat(0).limiter.test(WHO).await.unwrap().remaining();
            let expected = run.never_charged()?.test(&[run.subject(1)], now).unwrap().remaining();
            prop_assert!(found <= expected, "{found} left, and {expected} if it had never been charged");
            let is_exact = matches!(
                run.rule.algorithm,
                Algorithm::FixedWindowAligned | Algorithm::SlidingWindow | Algorithm::MovingWindow
            );
            prop_assert!(!is_exact || found == expected, "{found} left, not {expected}");
        }
        Ok(())
    });
}

/// However many charges are out at once.
pub(crate) fn what_is_kept_is_within_the_bound_of_its_algorithm(bench: &Bench) {
    bench.for_all(300, traffic(), async |(start, limiter, moments), ground| {
        let mut run = Run::new(start, limiter, &ground);
        for moment in moments {
            run.go(moment, |_, _| true).await;
        }
        let (rule, amount) = (run.rule, u128::from(run.rule.amount));
        let window = u128::from(rule.window);
        for (index, Hit { at: from, .. }) in run.hits.iter().enumerate() {
            // A bucket's bound is that of intervals that begin where none is out that is given back.
            let is_out =
                |hit: &Hit| hit.returned_at.is_some_and(|returned| hit.at <= *from && *from <= returned);
            if rule.algorithm.is_bucket() && run.hits[..index].iter().any(is_out) {
                continue;
            }
            let mut sum = 0;
            for hit in run.hits[index..].iter().filter(|hit| hit.returned_at.is_none()) {
                sum += u128::from(hit.cost);
                let length = u128::from(hit.at - from);
                let bound = match rule.algorithm {
                    algorithm if algorithm.is_bucket() => {
                        u128::from(rule.capacity()) + length * amount / window
                    }
                    _ if length >= window => continue,
                    Algorithm::MovingWindow | Algorithm::FixedWindowElasticExpiry => amount,
                    _ => 2 * amount,
                };
                prop_assert!(sum <= bound, "{sum} within {length} us of {rule:?}");
            }
        }
        Ok(())
    });
}

/// One step of two worlds: a hit by either version of the limits, or one of the charges given back, once or twice.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Hit { cost: Cost, revised: bool },
    GiveBack { place: usize, twice: bool },
    Reset,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        8 => (traffic::cost(), prop::bool::weighted(0.2)).prop_map(|(cost, revised)| Deed::Hit { cost, revised }),
        6 => (0..8_usize, prop::bool::weighted(0.2)).prop_map(|(place, twice)| Deed::GiveBack { place, twice }),
        1 => Just(Deed::Reset),
    ]
}

/// Charges and gives back in both worlds, with amounts that change between the two; whatever they find has to be the same.
async fn are_alike(plan: &Plan, deeds: Vec<(Advance, Deed)>, grounds: [&Ground; 2]) -> TestCaseResult {
    let mut worlds = grounds.map(|ground| (World::new(plan, ground), Vec::<(bool, Decision)>::new()));
    for (advance, deed) in deeds {
        let mut found = Vec::new();
        for (world, charged) in &mut worlds {
            world.advance(advance, 0);
            let seat = world.seat(0);
            let by = |revised| seat.version(revised);
            let done = match deed {
                Deed::Hit { cost, revised } => {
                    let decided = by(revised).check_cost(WHO, cost.units(seat.capacity(revised))).await;
                    if let Ok(decision) = &decided
                        && decision.is_allowed()
                    {
                        charged.push((revised, decision.clone()));
                    }
                    Ok(answer(decided))
                }
                Deed::GiveBack { place, twice } if !charged.is_empty() => {
                    let place = place % charged.len();
                    let (revised, decision) = charged[place].clone();
                    if !twice {
                        charged.remove(place);
                    }
                    Err(by(revised).give_back(WHO, decision).await.unwrap())
                }
                Deed::GiveBack { .. } => continue,
                Deed::Reset => {
                    seat.limiter.reset(WHO).await.unwrap();
                    continue;
                }
            };
            if let Ok(answer) = &done {
                world.remember(Some(answer));
            }
            let left = [false, true].map(|revised| world.seat(0).version(revised).test(WHO));
            let [left, by_revised] = left;
            found.push((done, answer(left.await), answer(by_revised.await)));
        }
        prop_assert_eq!(found.first(), found.last(), "after {:?} at {}", deed, worlds[0].0.now());
    }
    Ok(())
}

fn deeds(advance: impl Strategy<Value = Advance>) -> impl Strategy<Value = (Plan, Vec<(Advance, Deed)>)> {
    let plan = (traffic::start(), traffic::limiter(3));
    let plan = plan.prop_map(|(start, limiter)| Plan { start, limiters: vec![limiter], steps: Vec::new() });
    (plan, vec((advance, deed()), 1..40))
}

#[test]
fn memory_and_redis_give_back_alike_wherever_the_clock_goes() {
    let memory = Bench::memory();
    Bench::redis().for_all(400, deeds(traffic::any_way()), async |(plan, deeds), redis| {
        are_alike(&plan, deeds, [&memory.ground(), &redis]).await
    });
}

#[test]
fn memory_gives_back_from_words_as_from_records() {
    let memory = Bench::memory();
    Bench::memory_by_its_own_clock().for_all(
        1000,
        deeds(traffic::forward()),
        async |(plan, deeds), words| are_alike(&plan, deeds, [&memory.ground(), &words]).await,
    );
}
