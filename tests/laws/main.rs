//! The laws of `docs/design.md` as properties, over all algorithms, on memory and on Redis.
//!
//! `PROPTEST_CASES` sets how many cases each law is tried on; what fails is printed as small as it could be made.
#![allow(missing_docs, clippy::unwrap_used)]

mod bench;
mod give_back;
mod traffic;
mod world;

use std::collections::HashSet;
use std::time::Duration;

use limitra::{Algorithm, Error, Limit, Micros, RateLimiter};
use limitra_tests::{ReferenceDecision, ReferenceRule};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestCaseResult};

use bench::Bench;
use give_back::{
    no_limiter_is_more_generous_than_one_that_was_never_charged,
    what_is_kept_is_within_the_bound_of_its_algorithm,
};
use traffic::{Advance, Ask, Cost, LimiterPlan, Plan, Step, Target};
use world::{Answer, World, answer};

/// Each of these laws is a test on this bench.
macro_rules! hold {
    ($place:ident: $bench:ident, $($law:ident)*) => {
        mod $place {
            $(#[test]
            fn $law() {
                super::$law(&crate::bench::Bench::$bench());
            })*
        }
    };
}

/// Each law is a test on each storage.
macro_rules! on_every_storage {
    ($($law:ident)*) => {
        hold! { on_memory: memory, $($law)* }
        hold! { on_redis: redis, $($law)* }
    };
}

// Memory decides buckets of single rules by its own clock in a word each: the laws that do not bring a clock of their own.
hold! {
    on_memory_by_its_own_clock: memory_by_its_own_clock,
    every_decision_is_that_of_the_reference_limiter
    every_decision_is_that_of_the_reference_limiter_wherever_the_clock_goes
    a_refused_hit_changes_no_later_answer
    a_test_changes_no_later_answer
    a_test_predicts_the_hit
    retry_after_is_exact_and_never_zero
    all_rules_of_all_subjects_are_charged_or_none
    no_algorithm_admits_more_than_its_bound
    token_bucket_leaky_bucket_and_gcra_decide_alike
    a_cost_above_the_limit_is_an_error_at_once_and_leaves_no_record
    no_limiter_is_more_generous_than_one_that_was_never_charged
    what_is_kept_is_within_the_bound_of_its_algorithm
}

on_every_storage! {
    every_decision_is_that_of_the_reference_limiter
    every_decision_is_that_of_the_reference_limiter_wherever_the_clock_goes
    a_refused_hit_changes_no_later_answer
    a_test_changes_no_later_answer
    a_test_predicts_the_hit
    retry_after_is_exact_and_never_zero
    all_rules_of_all_subjects_are_charged_or_none
    a_clock_that_stands_still_or_goes_back_grants_nothing_extra
    no_clock_locks_anyone_out_for_more_than_a_window_more
    no_algorithm_admits_more_than_its_bound
    token_bucket_leaky_bucket_and_gcra_decide_alike
    a_cost_above_the_limit_is_an_error_at_once_and_leaves_no_record
    no_limiter_is_more_generous_than_one_that_was_never_charged
    what_is_kept_is_within_the_bound_of_its_algorithm
    two_limiters_with_one_key_keep_their_counts_apart
    units_that_left_do_not_come_back_with_the_clock
    a_bucket_that_drains_within_a_microsecond_is_not_forgotten_before
    a_sliding_window_weighs_exactly_however_large_the_numbers
}

fn ones(limiter: usize) -> Target {
    Target { limiter, who: 0, cost: Cost::Units(1), revised: false }
}

fn is_elastic(plan: &LimiterPlan) -> bool {
    plan.algorithm == Algorithm::FixedWindowElasticExpiry
}

fn is_refused(answer: Option<&Answer>) -> bool {
    matches!(answer, Some(Ok(decision)) if !decision.is_allowed())
}

fn every_decision_is_that_of_the_reference_limiter(bench: &Bench) {
    bench.for_all(500, traffic::many_subjects(40), async |plan, storage| {
        let mut world = World::new(&plan, &storage);
        for step in plan.steps {
            world.take(step).await?;
        }
        Ok(())
    });
}

fn every_decision_is_that_of_the_reference_limiter_wherever_the_clock_goes(bench: &Bench) {
    bench.for_all(500, traffic::one_subject_any_time(40), async |plan, storage| {
        let mut world = World::new(&plan, &storage);
        for step in plan.steps {
            world.take(step).await?;
        }
        Ok(())
    });
}

/// Runs the plan twice, the second time without the steps that `is_left_out`; every answer to the others, and to
/// tests at the end, has to be the same.
async fn can_be_left_out(
    plan: Plan,
    storage: &bench::Ground,
    is_left_out: impl Fn(Ask, Option<&Answer>) -> bool,
) -> TestCaseResult {
    let mut world = World::new(&plan, storage);
    let mut kept = Vec::new();
    for step in &plan.steps {
        let answer = world.take(*step).await?;
        if !is_left_out(step.ask, answer.as_ref()) {
            kept.push((world.now(), step.ask, answer));
        }
    }
    let twin = World::new(&plan, storage);
    for (now, ask, answer) in kept {
        twin.set(now);
        prop_assert_eq!(twin.ask(ask).await, answer);
    }
    twin.set(world.now());
    for ask in [Advance::Still, Advance::OfUnit(500), Advance::OfWindow(400), Advance::Window(0)] {
        world.advance(ask, 0);
        twin.set(world.now());
        for (limiter, who) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let ask = Ask::Test(Target { limiter, who, ..ones(0) });
            prop_assert_eq!(world.ask(ask).await, twin.ask(ask).await);
        }
    }
    Ok(())
}

fn a_refused_hit_changes_no_later_answer(bench: &Bench) {
    let plans = traffic::many_subjects(30);
    bench.for_all(200, plans, async |plan, storage| {
        // A refused hit moves the end of an elastic window.
        prop_assume!(!plan.limiters.iter().any(is_elastic));
        can_be_left_out(plan, &storage, |_, answer| is_refused(answer)).await
    });
}

fn a_test_changes_no_later_answer(bench: &Bench) {
    bench.for_all(200, traffic::many_subjects(30), async |plan, storage| {
        can_be_left_out(plan, &storage, |ask, _| matches!(ask, Ask::Test(_))).await
    });
}

fn a_test_predicts_the_hit(bench: &Bench) {
    bench.for_all(200, traffic::one_subject_any_time(30), async |plan, storage| {
        let mut world = World::new(&plan, &storage);
        for step in &plan.steps {
            world.advance(step.advance, 0);
            if let Ask::Hit(target) = step.ask {
                let test = world.ask(Ask::Test(target)).await.unwrap();
                let hit = world.ask(step.ask).await.unwrap();
                let allowed = |answer: &Answer| answer.as_ref().map(ReferenceDecision::is_allowed).ok();
                prop_assert_eq!(allowed(&test), allowed(&hit));
                if !is_elastic(&world.seat(0).plan) {
                    let retry = |answer: &Answer| answer.as_ref().map(ReferenceDecision::retry_after).ok();
                    prop_assert_eq!(retry(&test), retry(&hit));
                }
                world.remember(Some(&hit));
            }
        }
        Ok(())
    });
}

fn retry_after_is_exact_and_never_zero(bench: &Bench) {
    bench.for_all(300, traffic::one_subject_any_time(40), async |plan, storage| {
        let mut world = World::new(&plan, &storage);
        for step in plan.steps {
            let answer = world.take(step).await?;
            // A test of a record from the far future does not move it; a hit does, refused or not.
            let (Some(Ok(refusal)), Ask::Hit(target)) = (answer, step.ask) else {
                continue;
            };
            let (now, wait) = (world.now(), refusal.retry_after());
            prop_assert_eq!(wait == 0, refusal.is_allowed());
            // The clock of a test has an end, in 2055.
            if refusal.is_allowed() || now + wait > 2_600_000_000_000_000 {
                continue;
            }
            world.set(now + wait - 1);
            let early = world.ask(Ask::Test(target)).await;
            world.set(now + wait);
            let then = world.ask(Ask::Test(target)).await;
            world.set(now);
            prop_assert!(is_refused(early.as_ref()), "allowed before {} us", wait);
            prop_assert!(!is_refused(then.as_ref()), "refused after {} us", wait);
        }
        Ok(())
    });
}

fn all_rules_of_all_subjects_are_charged_or_none(bench: &Bench) {
    bench.for_all(300, traffic::many_subjects(30), async |plan, storage| {
        let mut world = World::new(&plan, &storage);
        for step in plan.steps {
            world.advance(step.advance, 0);
            let left = async |world: &World| {
                let mut left = Vec::new();
                for limiter in 0..world.seats.len() {
                    let test = world.ask(Ask::Test(Target { who: 1, ..ones(limiter) })).await;
                    left.extend(test.unwrap().unwrap().rules.iter().map(|rule| rule.remaining));
                }
                left
            };
            let Ask::All { costs, .. } = step.ask else {
                world.take(Step { advance: Advance::Still, ..step }).await?;
                continue;
            };
            let before = left(&world).await;
            let ask = Ask::All { who: 1, costs };
            let answer = world.take(Step { advance: Advance::Still, ask }).await?.unwrap();
            let after = left(&world).await;
            let spent: Vec<u64> = before.iter().zip(&after).map(|(before, after)| before - after).collect();
            if answer.is_ok_and(|decision| decision.is_allowed()) {
                let rules = |(seat, cost): (&world::Seat, &Cost)| {
                    vec![cost.units(seat.capacity(false)); seat.plan.limits.len()]
                };
                let expected: Vec<u64> = world.seats.iter().zip(&costs).flat_map(rules).collect();
                // What weighs less by and by may round either way.
                for (spent, expected) in spent.iter().zip(&expected) {
                    prop_assert!(spent.abs_diff(*expected) <= 1, "{spent} of {expected}");
                }
            } else {
                prop_assert!(spent.iter().all(|spent| *spent == 0), "a refusal cost {spent:?}");
            }
        }
        Ok(())
    });
}

fn a_clock_that_stands_still_or_goes_back_grants_nothing_extra(bench: &Bench) {
    let step = (prop_oneof![Just(0), 0..=100_u64, 0..=5000_u64], traffic::cost());
    let plans = (traffic::start(), traffic::limiter(2), proptest::collection::vec(step, 1..40));
    bench.for_all(300, plans, async |(start, limiter, steps), storage| {
        let plan = Plan { start, limiters: vec![limiter], steps: Vec::new() };
        let world = World::new(&plan, &storage);
        let capacity = world.seat(0).capacity(false);
        let mut admitted = 0;
        for (back, cost) in steps {
            world.advance(Advance::Back(back), 0);
            let hit = world.ask(Ask::Hit(Target { cost, ..ones(0) })).await.unwrap();
            if hit.is_ok_and(|decision| decision.is_allowed()) {
                admitted += cost.units(capacity);
            }
            prop_assert!(admitted <= capacity, "{admitted} of {capacity}");
        }
        Ok(())
    });
}

fn no_clock_locks_anyone_out_for_more_than_a_window_more(bench: &Bench) {
    let plans = traffic::one_subject_any_time(30);
    bench.for_all(300, plans, async |plan, storage| {
        let mut world = World::new(&plan, &storage);
        for step in plan.steps {
            let answer = world.take(step).await?;
            let Some(Ok(decision)) = answer else { continue };
            let (Ask::Hit(target) | Ask::Test(target)) = step.ask else {
                continue;
            };
            for (rule, answer) in world.seat(0).rules(target.revised).iter().zip(&decision.rules) {
                // How long it can take when the clock is right, and a window more.
                let usual = match rule.algorithm {
                    Algorithm::SlidingWindow => 2 * rule.window,
                    algorithm if algorithm.is_bucket() => {
                        // The limit may have been changed: all that the larger one let in is to drain.
                        let depth = |rule: &ReferenceRule| {
                            let full = u128::from(rule.capacity()) * u128::from(rule.window);
                            u64::try_from(full / u128::from(rule.amount)).unwrap()
                        };
                        let both = [false, true].map(|revised| world.seat(0).rules(revised).clone());
                        rule.window + both.iter().flatten().map(depth).max().unwrap() + 1
                    }
                    _ => rule.window,
                };
                prop_assert!(answer.retry_after <= usual + rule.window, "{answer:?} of {rule:?}");
            }
        }
        Ok(())
    });
}

fn no_algorithm_admits_more_than_its_bound(bench: &Bench) {
    let step = (traffic::forward(), traffic::cost());
    let plans = (traffic::start(), traffic::limiter(1), proptest::collection::vec(step, 1..60));
    bench.for_all(300, plans, async |(start, limiter, steps), storage| {
        let plan = Plan { start, limiters: vec![limiter], steps: Vec::new() };
        let mut world = World::new(&plan, &storage);
        let rule = world.seat(0).rules(false)[0];
        let mut admitted: Vec<(u64, u64)> = Vec::new();
        for (advance, cost) in steps {
            world.advance(advance, 0);
            let hit = world.ask(Ask::Hit(Target { cost, ..ones(0) })).await.unwrap();
            world.remember(Some(&hit));
            if hit.is_ok_and(|decision| decision.is_allowed()) {
                admitted.push((world.now(), cost.units(rule.capacity())));
            }
        }
        for (index, (from, _)) in admitted.iter().enumerate() {
            let mut sum = 0;
            for (at, cost) in &admitted[index..] {
                sum += u128::from(*cost);
                let (length, amount) = (u128::from(at - from), u128::from(rule.amount));
                let window = u128::from(rule.window);
                let bound = match rule.algorithm {
                    Algorithm::MovingWindow | Algorithm::FixedWindowElasticExpiry => {
                        if length >= window {
                            continue;
                        }
                        amount
                    }
                    algorithm if algorithm.is_bucket() => {
                        u128::from(rule.capacity()) + length * amount / window
                    }
                    _ => {
                        if length >= window {
                            continue;
                        }
                        2 * amount - u128::from(rule.algorithm == Algorithm::FixedWindow)
                    }
                };
                prop_assert!(sum <= bound, "{sum} within {length} us of {rule:?}");
            }
        }
        Ok(())
    });
}

fn token_bucket_leaky_bucket_and_gcra_decide_alike(bench: &Bench) {
    let step = (traffic::any_way(), traffic::ask(1));
    let step = step.prop_map(|(advance, ask)| Step { advance, ask });
    let limiter = traffic::limiter_of(Algorithm::Gcra, 3);
    let plans = (traffic::start(), limiter, proptest::collection::vec(step, 1..40));
    bench.for_all(150, plans, async |(start, limiter, steps), _| {
        let mut worlds: Vec<World> = [Algorithm::Gcra, Algorithm::TokenBucket, Algorithm::LeakyBucket]
            .map(|algorithm| {
                let limiters = vec![LimiterPlan { algorithm, ..limiter.clone() }];
                World::new(&Plan { start, limiters, steps: Vec::new() }, &bench.ground())
            })
            .into();
        for step in steps {
            let mut answers = Vec::new();
            for world in &mut worlds {
                world.advance(step.advance, 0);
                let answer = world.ask(step.ask).await;
                world.remember(answer.as_ref());
                answers.push(answer);
            }
            prop_assert_eq!(&answers[0], &answers[1]);
            prop_assert_eq!(&answers[0], &answers[2]);
        }
        Ok(())
    });
}

fn a_cost_above_the_limit_is_an_error_at_once_and_leaves_no_record(bench: &Bench) {
    let plans = (traffic::start(), traffic::limiter(3), 0..1_000_000_u64);
    bench.for_all(100, plans, async |(start, limiter, more), storage| {
        let plan = Plan { start, limiters: vec![limiter], steps: Vec::new() };
        let world = World::new(&plan, &storage);
        let seat = world.seat(0);
        let cost = seat.capacity(false) + 1 + more;
        for answer in [seat.limiter.check_cost("ada", cost).await, seat.limiter.test_cost("ada", cost).await]
        {
            let Err(Error::CostAboveLimit { cost: named, limit }) = answer else {
                return Err(TestCaseError::fail(format!("{answer:?}")));
            };
            prop_assert_eq!((named, limit.capacity()), (cost, seat.capacity(false)));
        }
        prop_assert!(!bench.has_any(&world.keys()));
        Ok(())
    });
}

/// One record holds the entries of both, as in a rolling deploy that adds a limit.
fn two_limiters_with_one_key_keep_their_counts_apart(bench: &Bench) {
    let step = (traffic::forward(), 0..2_usize, traffic::cost());
    let limiters = (traffic::limiter(2), traffic::limiter(2));
    let plans = (traffic::start(), limiters, proptest::collection::vec(step, 1..30));
    bench.for_all(150, plans, async |(start, (one, other), steps), storage| {
        let windows = |plan: &LimiterPlan| -> HashSet<(Algorithm, Duration)> {
            plan.limits.iter().map(|limit| (plan.algorithm, limit.window())).collect()
        };
        prop_assume!(windows(&one).is_disjoint(&windows(&other)));
        let plan = Plan { start, limiters: vec![one, other], steps: Vec::new() };
        let mut world = World::new(&plan, &storage);
        let build = |plan: &LimiterPlan, clock: &limitra::ManualClock, prefix: &str| {
            let limiter = RateLimiter::builder().algorithm(plan.algorithm);
            let limiter = limiter.limits(plan.limits.iter().copied()).storage(storage.storage());
            limiter.clock(clock.clone()).prefix(prefix).build().unwrap()
        };
        let prefix = limitra_tests::fresh_prefix();
        let both = [0, 1].map(|index| build(&plan.limiters[index], &world.clock, &prefix));
        for (advance, index, cost) in steps {
            world.advance(advance, index);
            let units = cost.units(world.seat(index).capacity(false));
            let found = answer(both[index].check_cost("ada", units).await);
            let ask = Ask::Hit(Target { cost, ..ones(index) });
            let expected = world.ask_reference(ask).unwrap();
            prop_assert_eq!(&found, &expected);
            world.remember(Some(&found));
        }
        Ok(())
    });
}

/// A limiter of this amount per millisecond.
fn per_millisecond(bench: &Bench, algorithm: Algorithm, amount: u64) -> World {
    let limits = vec![Limit::new(amount, Duration::from_millis(1)).unwrap()];
    let limiter = LimiterPlan { algorithm, revised: limits.clone(), limits };
    let start = 1_700_000_000_000_000;
    World::new(&Plan { start, limiters: vec![limiter], steps: Vec::new() }, &bench.ground())
}

fn units_that_left_do_not_come_back_with_the_clock(bench: &Bench) {
    let mut world = per_millisecond(bench, Algorithm::MovingWindow, 2);
    bench.runtime().block_on(async {
        let advances =
            [Advance::Still, Advance::Still, Advance::OfWindow(2000), Advance::Back(1001), Advance::Still];
        for advance in advances {
            world.take(Step { advance, ask: Ask::Hit(ones(0)) }).await.unwrap();
        }
    });
}

fn a_bucket_that_drains_within_a_microsecond_is_not_forgotten_before(bench: &Bench) {
    let world = per_millisecond(bench, Algorithm::Gcra, 1001);
    let storage = bench.ground();
    let build = |algorithm: &str, scope: &str| {
        let limiter = RateLimiter::builder().algorithm(algorithm).requests(1001).window(0.001);
        limiter.storage(storage.storage()).scope(scope).clock(world.clock.clone()).build().unwrap()
    };
    let scope = limitra_tests::fresh_prefix();
    // Two algorithms in one record, so that a charge of one looks at what is left of the other.
    let [one, other] = ["gcra", "leaky_bucket"].map(|algorithm| build(algorithm, &scope));
    bench.runtime().block_on(async {
        for limiter in [&one, &other] {
            assert_eq!(limiter.check("ada").await.unwrap().remaining(), 1000);
        }
        assert_eq!(one.check("ada").await.unwrap().remaining(), 999);
        // Other keys sweep.
        let third = build("gcra", "sweeping");
        for key in 0..100 {
            third.check(key).await.unwrap();
        }
        assert_eq!(other.check("ada").await.unwrap().remaining(), 999);
    });
}

/// The number by which `of` has to be multiplied to leave 1 when divided by `modulus`, if there is one.
fn inverse(of: i128, modulus: i128) -> Option<i128> {
    let (mut one, mut other) = ((modulus, 0), (of.rem_euclid(modulus), 1));
    while other.0 != 0 {
        let times = one.0 / other.0;
        (one, other) = (other, (one.0 - times * other.0, one.1 - times * other.1));
    }
    (one.0 == 1).then(|| one.1.rem_euclid(modulus))
}

/// `previous * left` and `(room + 1) * window` are made to differ by a hair; with products up to 2^102 no floating-point
/// number sees the difference.
fn a_sliding_window_weighs_exactly_however_large_the_numbers(bench: &Bench) {
    let windows = prop_oneof![1_000..100_000_u64, 1_000..700_000_000_000_000_u64];
    let amounts = prop_oneof![2..100_000_u64, 2..=Limit::MAX_AMOUNT];
    let hairs = prop_oneof![-2..=2_i128, -(1 << 40)..=1_i128 << 40];
    bench.for_all(600, (windows, amounts, hairs), async |(window, amount, hair), storage| {
        let (wide, previous) = (i128::from(window), i128::from(amount));
        let found = inverse(previous, wide);
        prop_assume!(found.is_some());
        // (room + 1) * window = previous * left + hair
        let left = (-hair * found.unwrap()).rem_euclid(wide);
        let left = if left == 0 { wide } else { left };
        let room = (previous * left + hair) / wide - 1;
        prop_assume!((0..previous).contains(&room));
        let cost = u64::try_from(previous - room).unwrap();

        let limits = vec![Limit::new(amount, Duration::from_micros(window)).unwrap()];
        let limiter = LimiterPlan { algorithm: Algorithm::SlidingWindow, revised: limits.clone(), limits };
        let start = 1_200_000_000_000_000 / window * window;
        let mut world = World::new(&Plan { start, limiters: vec![limiter], steps: Vec::new() }, &storage);
        let all = Target { cost: Cost::Part(1000), ..ones(0) };
        world.take(Step { advance: Advance::Still, ask: Ask::Hit(all) }).await?;
        world.set(start + window + (window - u64::try_from(left).unwrap()));
        let hit = Ask::Hit(Target { cost: Cost::Units(cost), ..ones(0) });
        let answer = world.take(Step { advance: Advance::Still, ask: hit }).await?;
        prop_assert_eq!(is_refused(answer.as_ref()), hair <= 0);
        Ok(())
    });
}

/// Redis shows what it keeps.
mod in_redis {
    use super::*;

    #[test]
    fn a_refusal_and_a_test_leave_every_byte_and_the_expiry_as_they_were() {
        let bench = Bench::redis();
        bench.for_all(60, traffic::many_subjects(30), async |plan, storage| {
            let mut world = World::new(&plan, &storage);
            let keys = world.keys();
            for step in plan.steps {
                let before = bench.bytes(&keys);
                let answer = world.take(step).await?;
                let is_test = matches!(step.ask, Ask::Test(_));
                let moves_an_end = !is_test && world.seats.iter().any(|seat| is_elastic(&seat.plan));
                let is_error = matches!(answer, Some(Err(_)));
                if is_test || is_error || (is_refused(answer.as_ref()) && !moves_an_end) {
                    prop_assert_eq!(before, bench.bytes(&keys));
                }
            }
            Ok(())
        });
    }

    #[test]
    fn every_write_leaves_an_expiry_that_outlives_its_use_and_not_by_much() {
        let bench = Bench::redis();
        bench.for_all(60, traffic::one_subject(30), async |plan, storage| {
            let mut world = World::new(&plan, &storage);
            let keys = world.keys();
            for step in plan.steps {
                let answer = world.take(step).await?;
                let (Some(Ok(decision)), Ask::Hit(_) | Ask::All { .. }) = (answer, step.ask) else {
                    continue;
                };
                let useful = decision.rules.iter().map(|rule| rule.reset_after).max().unwrap();
                let seat = world.seat(0);
                let rules = [seat.rules(false), seat.rules(true)].concat();
                let longest = rules.iter().map(|rule| {
                    let depth = u128::from(rule.capacity()) * u128::from(rule.window);
                    (depth / u128::from(rule.amount)).max(2 * u128::from(rule.window))
                });
                let longest = u64::try_from(longest.max().unwrap()).unwrap();
                // A 32nd of the longest window, or 4.2 s; and an hour, for the instant is a caller's.
                let window = rules.iter().map(|rule| rule.window).max().unwrap();
                let most = longest / 1000 + (window / 32).max(4_194_304) / 1000 + 3_600_000 + 2;
                for milliseconds in bench.times_to_live(&keys) {
                    let left = u64::try_from(milliseconds).ok();
                    let Some(left) = left else {
                        return Err(TestCaseError::fail("a key without an expiry"));
                    };
                    prop_assert!(left * 1000 >= useful, "{left} ms, but of use for {useful} us");
                    prop_assert!(left <= most, "{left} ms, {most} ms at most");
                }
            }
            Ok(())
        });
    }
}

#[test]
fn memory_and_redis_decide_alike_bit_for_bit() {
    let (memory, redis) = (Bench::memory(), Bench::redis());
    redis.for_all(60, traffic::one_subject_any_time(40), async |plan, storage| {
        let mut worlds = [World::new(&plan, &memory.ground()), World::new(&plan, &storage)];
        for step in plan.steps {
            let mut answers = Vec::new();
            for world in &mut worlds {
                world.advance(step.advance, 0);
                let answer = world.ask(step.ask).await;
                world.remember(answer.as_ref());
                answers.push(answer);
            }
            prop_assert_eq!(&answers[0], &answers[1]);
        }
        Ok(())
    });
}

/// What the parts of a key may look like: all that separators and escapes are made of.
fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c:%{}/]{0,4}",
        "[ -~]{0,8}",
        "\\PC{0,6}",
        Just("\0\n\r".to_owned()),
        Just("%3A".to_owned()),
        (60..400_usize).prop_map(|length| "x".repeat(length)),
    ]
}

fn some_part() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(part())
}

type Parts = (String, Option<String>, String, Vec<u8>, Option<String>);

fn parts() -> impl Strategy<Value = Parts> {
    let identifier =
        prop_oneof![part().prop_map(String::into_bytes), proptest::collection::vec(any::<u8>(), 0..6),];
    (part(), some_part(), part(), identifier, some_part())
}

fn key_of((prefix, project, scope, identifier, suffix): &Parts) -> String {
    let mut builder = RateLimiter::builder()
        .limit(Limit::new(1, Duration::from_secs(1)).unwrap())
        .prefix(prefix.clone())
        .scope(scope.clone());
    if let Some(project) = project {
        builder = builder.project(project.clone());
    }
    if let Some(suffix) = suffix {
        builder = builder.suffix(suffix.clone());
    }
    builder.build().unwrap().key(identifier.as_slice())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3000) })]

    #[test]
    fn two_different_subjects_never_have_one_key(one in parts(), other in parts()) {
        prop_assert_eq!(one == other, key_of(&one) == key_of(&other));
    }

    #[test]
    fn moving_a_separator_from_one_part_to_the_next_changes_the_key(
        one in "[a-b:%]{0,5}", cut in 0..6_usize, again in 0..6_usize,
    ) {
        let split = |at: usize| {
            let (head, tail) = one.split_at(at.min(one.len()));
            key_of(&("p".into(), None, head.into(), tail.as_bytes().to_vec(), None))
        };
        prop_assert_eq!(cut.min(one.len()) == again.min(one.len()), split(cut) == split(again));
    }

    #[test]
    fn a_key_is_bounded_whatever_its_parts(length in 0..100_000_usize, byte in any::<u8>()) {
        let parts = ("p".into(), None, "s".into(), vec![byte; length], None);
        prop_assert!(key_of(&parts).len() <= 1024);
    }
}

#[test]
fn a_manual_clock_far_in_the_future_does_not_overflow() {
    let bench = Bench::memory();
    bench.runtime().block_on(async {
        for algorithm in Algorithm::ALL {
            let clock = limitra::ManualClock::at(Micros::MAX);
            let limiter = RateLimiter::builder()
                .algorithm(*algorithm)
                .limit(Limit::new(1, Limit::MAX_WINDOW).unwrap())
                .storage(bench.ground().storage())
                .scope(algorithm.name())
                .clock(clock)
                .build()
                .unwrap();
            assert!(limiter.allow_request("ada").await.unwrap(), "{algorithm}");
            assert!(!limiter.allow_request("ada").await.unwrap(), "{algorithm}");
            assert!(!limiter.wait_time("ada").await.unwrap().is_zero(), "{algorithm}");
        }
    });
}
