//! Random limits, and random things asked of them.

use std::time::Duration;

use limitra::{Algorithm, Limit};
use proptest::prelude::*;
use proptest::sample::select;

/// One limiter of a [`Plan`]: an algorithm and its limits, and the amounts after a change of mind.
#[derive(Clone, Debug)]
pub(crate) struct LimiterPlan {
    pub(crate) algorithm: Algorithm,
    pub(crate) limits: Vec<Limit>,
    /// The same windows with other amounts: the next version of a rolling deploy.
    pub(crate) revised: Vec<Limit>,
}

/// What happens in one test case.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// When it begins, in microseconds.
    pub(crate) start: u64,
    pub(crate) limiters: Vec<LimiterPlan>,
    pub(crate) steps: Vec<Step>,
}

/// Time moves, then something is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) advance: Advance,
    pub(crate) ask: Ask,
}

/// How far the clock goes, in terms of the first limit of the limiter that is asked next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Advance {
    Still,
    /// Microseconds.
    Micros(u64),
    /// Thousandths of the time in which one unit comes back.
    OfUnit(u64),
    /// Thousandths of the window.
    OfWindow(u64),
    /// The whole window and this many microseconds.
    Window(i64),
    /// To the next boundary of a clock slot, and this many microseconds.
    Slot(i64),
    /// As long as the last refusal said, and this many microseconds.
    Retry(i64),
    /// Until the last decision said that all is free, and this many microseconds.
    Reset(i64),
    /// Back by thousandths of the window.
    Back(u64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask {
    Hit(Target),
    Test(Target),
    /// A hit of every limiter at once, of the same caller.
    All {
        who: usize,
        costs: [Cost; 2],
    },
    Clear {
        limiter: usize,
        who: usize,
    },
}

/// One limiter, one caller, one cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// Taken modulo the number of limiters.
    pub(crate) limiter: usize,
    pub(crate) who: usize,
    pub(crate) cost: Cost,
    /// Whether the revised limits are asked.
    pub(crate) revised: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Cost {
    Units(u64),
    /// Thousandths of what fits in.
    Part(u64),
    /// One more than what fits in.
    TooMuch,
}

impl Cost {
    pub(crate) fn units(self, capacity: u64) -> u64 {
        match self {
            Self::Units(units) => units,
            Self::Part(part) => share(capacity, part).max(1),
            Self::TooMuch => capacity + 1,
        }
    }
}

pub(crate) fn share(whole: u64, thousandths: u64) -> u64 {
    u64::try_from(u128::from(whole) * u128::from(thousandths) / 1000).unwrap()
}

/// Amounts, mostly small, up to the largest that a double holds exactly.
fn amount() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => 1..=6_u64,
        2 => 1..=100_u64,
        1 => 1..=1_000_000_u64,
        1 => 1..=Limit::MAX_AMOUNT,
        1 => Limit::MAX_AMOUNT - 3..=Limit::MAX_AMOUNT,
    ]
}

/// Windows in microseconds, from a millisecond to a hundred years.
fn window() -> impl Strategy<Value = u64> {
    let longest = u64::try_from(Limit::MAX_WINDOW.as_micros()).unwrap();
    prop_oneof![
        1 => Just(1_000),
        1 => 1_000..2_000_u64,
        2 => Just(1_000_000),
        3 => Just(60_000_000),
        2 => 1_000..100_000_000_u64,
        1 => Just(30 * 86_400_000_000),
        1 => Just(longest),
        1 => 1_000..=longest,
    ]
}

fn limits(algorithm: Algorithm, count: usize) -> impl Strategy<Value = (Vec<Limit>, Vec<Limit>)> {
    let one = (window(), amount(), amount(), proptest::option::of(amount()));
    let limits = proptest::collection::vec(one, 1..=count);
    let limits = limits.prop_filter("two limits with one window", |limits| {
        let is_first = |index: usize| limits[..index].iter().all(|other| other.0 != limits[index].0);
        (0..limits.len()).all(is_first)
    });
    limits.prop_map(move |limits| {
        let limit = |window: u64, amount: u64, burst: Option<u64>| {
            let limit = Limit::new(amount, Duration::from_micros(window)).unwrap();
            let burst = burst.filter(|_| algorithm.is_bucket());
            // A burst that is too deep for its rate is refused; then there is none.
            burst.and_then(|burst| limit.with_burst(burst).ok()).unwrap_or(limit)
        };
        let first = limits.iter().map(|(window, amount, _, burst)| limit(*window, *amount, *burst));
        let revised = limits.iter().map(|(window, _, amount, _)| limit(*window, *amount, None));
        (first.collect(), revised.collect())
    })
}

fn algorithm() -> impl Strategy<Value = Algorithm> {
    select(Algorithm::ALL)
}

/// A limiter of this algorithm.
pub(crate) fn limiter_of(algorithm: Algorithm, count: usize) -> impl Strategy<Value = LimiterPlan> {
    limits(algorithm, count).prop_map(move |(limits, revised)| LimiterPlan { algorithm, limits, revised })
}

/// A limiter of any algorithm with at most so many limits.
pub(crate) fn limiter(count: usize) -> impl Strategy<Value = LimiterPlan> {
    algorithm().prop_flat_map(move |algorithm| limiter_of(algorithm, count))
}

pub(crate) fn cost() -> impl Strategy<Value = Cost> {
    prop_oneof![
        8 => Just(Cost::Units(1)),
        1 => Just(Cost::Units(0)),
        2 => (2..=5_u64).prop_map(Cost::Units),
        2 => (1..=999_u64).prop_map(Cost::Part),
        2 => Just(Cost::Part(1000)),
        1 => Just(Cost::TooMuch),
    ]
}

/// The clock goes forward, or stands.
pub(crate) fn forward() -> impl Strategy<Value = Advance> {
    prop_oneof![
        6 => Just(Advance::Still),
        1 => (1..=3_u64).prop_map(Advance::Micros),
        3 => (0..=2000_u64).prop_map(Advance::OfUnit),
        2 => (0..=1000_u64).prop_map(Advance::OfWindow),
        1 => (1000..=3000_u64).prop_map(Advance::OfWindow),
        2 => (-1..=1_i64).prop_map(Advance::Window),
        2 => (-1..=1_i64).prop_map(Advance::Slot),
        2 => (-1..=1_i64).prop_map(Advance::Retry),
        1 => (-1..=1_i64).prop_map(Advance::Reset),
    ]
}

/// The clock goes back, too: by a little, by a lot.
pub(crate) fn any_way() -> impl Strategy<Value = Advance> {
    prop_oneof![
        5 => forward(),
        1 => (0..=50_u64).prop_map(Advance::Back),
        1 => (0..=1000_u64).prop_map(Advance::Back),
        1 => (1000..=5000_u64).prop_map(Advance::Back),
        1 => Just(Advance::OfWindow(10_000)),
    ]
}

fn target(callers: usize) -> impl Strategy<Value = Target> {
    let revised = prop_oneof![5 => Just(false), 1 => Just(true)];
    (0..2_usize, 0..callers, cost(), revised).prop_map(|(limiter, who, cost, revised)| Target {
        limiter,
        who,
        cost,
        revised,
    })
}

pub(crate) fn ask(callers: usize) -> impl Strategy<Value = Ask> {
    prop_oneof![
        12 => target(callers).prop_map(Ask::Hit),
        4 => target(callers).prop_map(Ask::Test),
        4 => (0..callers, cost(), cost()).prop_map(|(who, one, other)| Ask::All { who, costs: [one, other] }),
        1 => (0..2_usize, 0..callers).prop_map(|(limiter, who)| Ask::Clear { limiter, who }),
    ]
}

/// Some time between 2023 and 2024.
pub(crate) fn start() -> impl Strategy<Value = u64> {
    1_700_000_000_000_000..1_730_000_000_000_000_u64
}

fn plan(
    limiters: impl Strategy<Value = Vec<LimiterPlan>>,
    advance: impl Strategy<Value = Advance>,
    ask: impl Strategy<Value = Ask>,
    steps: usize,
) -> impl Strategy<Value = Plan> {
    let step = (advance, ask).prop_map(|(advance, ask)| Step { advance, ask });
    (start(), limiters, proptest::collection::vec(step, 1..=steps))
        .prop_map(|(start, limiters, steps)| Plan { start, limiters, steps })
}

/// Several limiters and callers, and a clock that never goes back.
pub(crate) fn many_subjects(steps: usize) -> impl Strategy<Value = Plan> {
    let limiters = proptest::collection::vec(limiter(3), 1..=2);
    plan(limiters, forward(), ask(2), steps)
}

/// One limiter and one caller, and a clock that goes anywhere.
///
/// A record that has expired may be gone for good when the clock comes back to its time. With one key nothing sweeps.
pub(crate) fn one_subject_any_time(steps: usize) -> impl Strategy<Value = Plan> {
    let limiters = proptest::collection::vec(limiter(3), 1);
    plan(limiters, any_way(), ask(1), steps)
}

/// One limiter and one caller, and a clock that never goes back.
pub(crate) fn one_subject(steps: usize) -> impl Strategy<Value = Plan> {
    let limiters = proptest::collection::vec(limiter(3), 1);
    plan(limiters, forward(), ask(1), steps)
}
