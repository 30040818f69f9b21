//! Plans drawn by chance.

use std::time::Duration;

use limitra::{Algorithm, Breaker, Limit, OnOutage};

use crate::plan::{Act, Ask, Clocks, Fault, FaultKind, LimiterPlan, NodePlan, Patience, Plan, World};
use crate::random::Random;

const CLOSED: OnOutage = OnOutage::Closed { retry_after: Duration::from_secs(1) };

/// What may go wrong in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Nothing.
    Calm,
    /// The network, the server, and callers who go away.
    Storm,
    /// The same, and clocks that differ and are set.
    WrongClocks,
    /// A storm over local shares, several hits at once, two versions of a limit, and give-backs.
    Mixed,
}

/// The plan of this seed.
pub(crate) fn plan(seed: u64, world: World, weather: Weather) -> Plan {
    let random = &mut Random::of(&[seed]);
    let limiters: Vec<LimiterPlan> = (0..random.between(1, 2)).map(|_| limiter(random)).collect();
    let longest = limiters.iter().flat_map(|limiter| limiter.limits.iter()).map(Limit::window).max();
    let span = u64::try_from(longest.unwrap().as_millis()).unwrap() * random.between(1, 3);
    let clocks = match (weather, random.chance(600)) {
        (Weather::WrongClocks, true) => Clocks::OfEachNode,
        _ => Clocks::OfTheServer,
    };
    let count = random.between(1, 4);
    let nodes: Vec<NodePlan> = (0..count).map(|_| node(random, clocks, span)).collect();
    let acts = acts(random, &limiters, &nodes, span, weather);
    let faults = match weather {
        Weather::Calm => 0,
        _ => random.between(1, 5),
    };
    let mut faults: Vec<Fault> = (0..faults).map(|_| fault(random, &nodes, span)).collect();
    if weather == Weather::WrongClocks {
        faults.extend((0..random.between(0, 2)).map(|_| clock_set(random, &nodes, span, (world, clocks))));
    }
    let plan = Plan {
        seed,
        world,
        is_mixed: false,
        clocks,
        deadline: random.between(20, 200),
        limiters,
        nodes,
        acts,
        faults,
    };
    if weather == Weather::Mixed { mixed(plan) } else { plan }
}

/// The same plan with what only the ledger understands.
fn mixed(mut plan: Plan) -> Plan {
    // Numbers of its own, so that nothing else is drawn otherwise.
    let random = &mut Random::of(&[plan.seed, 1]);
    let has_two_versions = random.chance(400);
    for limiter in &mut plan.limiters {
        let other = |limit: &Limit| {
            let newer = Limit::new(random.between(1, 8), limit.window()).unwrap();
            limit.burst().map_or(newer, |_| newer.with_burst(random.between(1, 8)).unwrap())
        };
        limiter.newer = limiter.limits.iter().map(other).collect();
    }
    let replicas = u32::try_from(plan.nodes.len()).unwrap();
    let are_local = random.chance(700);
    for node in &mut plan.nodes {
        node.is_newer = has_two_versions && random.chance(500);
        if are_local && random.chance(800) {
            // A list has to arrive as a whole, or it could be taken for a charge of what is owed.
            (node.deny_cache, node.max_in_flight) = (false, None);
            (node.local, node.on_outage) = (Some(replicas), OnOutage::Error);
        }
    }
    for place in 0..plan.acts.len() {
        let act = plan.acts[place];
        let ask = match (act.ask, random.between(0, 9)) {
            // Somebody comes twice, so that this cannot be taken for a charge of what is owed.
            (Ask::Hit { limiter, who, .. }, 0 | 1) => Ask::Many { limiter, who: [who, 1 - who, who] },
            (Ask::Hit { limiter, who, cost }, _) | (Ask::Test { limiter, who, cost }, 0..=5) => {
                let capacity = plan.limiters[limiter].capacity(&plan.nodes[act.node]);
                Ask::Hit { limiter, who, cost: cost.min(capacity) }
            }
            (Ask::Test { limiter, who, .. }, _) => Ask::Test { limiter, who, cost: 1 },
            (Ask::All { .. }, _) => Ask::GiveBack { of: random.between(1, act.id) },
            (other, _) => other,
        };
        let ask = if random.chance(200) { Ask::GiveBack { of: random.between(1, act.id) } } else { ask };
        plan.acts[place].ask = ask;
    }
    plan.is_mixed = true;
    plan
}

fn limiter(random: &mut Random) -> LimiterPlan {
    let algorithm = random.pick(Algorithm::ALL);
    let windows = [50, 99, 250, 1_000, 1_001, 3_000, 10_000];
    let mut limits: Vec<Limit> = Vec::new();
    for _ in 0..if random.chance(300) { 2 } else { 1 } {
        let window = Duration::from_millis(random.pick(&windows));
        let amount = if random.chance(800) { random.between(1, 5) } else { random.between(1, 20) };
        let limit = Limit::new(amount, window).unwrap();
        let burst = random.between(1, 8);
        let has_burst = algorithm.is_bucket() && random.chance(400);
        let limit = if has_burst { limit.with_burst(burst).unwrap() } else { limit };
        if limits.iter().all(|other| other.window() != window) {
            limits.push(limit);
        }
    }
    LimiterPlan { algorithm, newer: limits.clone(), limits }
}

fn node(random: &mut Random, clocks: Clocks, span: u64) -> NodePlan {
    let most = i64::try_from(random.pick(&[1, 20, span / 4, span])).unwrap();
    let skew = i64::try_from(random.next() % 2001).unwrap() - 1000;
    let skew = if clocks == Clocks::OfEachNode { most * skew / 1000 } else { 0 };
    let breaker = Breaker::new()
        .failures(u32::try_from(random.between(1, 5)).unwrap())
        .pause(Duration::from_millis(random.between(20, 2_000)))
        .longest_pause(Duration::from_secs(8));
    let deadline = Duration::from_millis(random.between(40, 150));
    let max_in_flight = usize::try_from(random.between(1, 6)).unwrap();
    NodePlan {
        skew,
        local: None,
        is_newer: false,
        on_outage: random.pick(&[OnOutage::Error, OnOutage::Error, OnOutage::FailOpen, CLOSED]),
        deny_cache: random.chance(400),
        deadline: random.chance(300).then_some(deadline),
        breaker: random.chance(400).then_some(breaker),
        max_in_flight: random.chance(200).then_some(max_in_flight),
    }
}

fn acts(
    random: &mut Random,
    limiters: &[LimiterPlan],
    nodes: &[NodePlan],
    span: u64,
    weather: Weather,
) -> Vec<Act> {
    let count = random.between(4, 40);
    let mut at = 0;
    let mut acts: Vec<Act> = Vec::new();
    for id in 1..=count {
        // Many come at once, or nearly.
        at = match random.between(0, 9) {
            0..=4 => at,
            5..=7 => at + random.between(0, 5),
            8 => at + random.between(0, 2 * span / count + 1),
            _ => random.between(0, span),
        };
        let patience = match (weather, random.between(0, 19)) {
            (Weather::Calm, _) | (_, 0..=15) => Patience::Endless,
            (_, 16) => Patience::Until(random.between(0, 30)),
            (_, 17 | 18) => Patience::Polls(u32::try_from(random.between(0, 4)).unwrap()),
            _ => Patience::Stalls(u32::try_from(random.between(0, 3)).unwrap(), random.between(1, 8_000)),
        };
        let ask = ask(random, limiters, &nodes[0]);
        acts.push(Act { id, at, node: random.place(nodes.len()), ask, patience });
    }
    acts
}

fn ask(random: &mut Random, limiters: &[LimiterPlan], node: &NodePlan) -> Ask {
    let limiter = random.place(limiters.len());
    let who = usize::from(random.chance(300));
    let cost = |random: &mut Random, limiter: usize| match random.between(0, 9) {
        0..=6 => 1,
        _ => random.between(1, limiters[limiter].capacity(node)),
    };
    match random.between(0, 19) {
        0..=12 => Ask::Hit { limiter, who, cost: cost(random, limiter) },
        13..=15 => Ask::Test { limiter, who, cost: cost(random, limiter) },
        16..=18 if limiters.len() == 2 => Ask::All { who, costs: [cost(random, 0), cost(random, 1)] },
        16..=18 => Ask::Hit { limiter, who, cost: limiters[limiter].capacity(node) },
        _ => Ask::Clear { limiter, who },
    }
}

fn fault(random: &mut Random, nodes: &[NodePlan], span: u64) -> Fault {
    let from = random.between(0, span);
    let to = from + random.between(1, span / 2 + 20);
    let kind = match random.between(0, 9) {
        0 | 1 => FaultKind::Slow(random.between(5, 400)),
        2 => FaultKind::LosesRequests(random.between(100, 1000)),
        3 | 4 => FaultKind::LosesReplies(random.between(100, 1000)),
        5 | 6 => FaultKind::Partition(random.place(nodes.len())),
        7 => FaultKind::Crash,
        8 => FaultKind::CrashEmpty,
        _ => FaultKind::Failover(random.between(1, span)),
    };
    Fault { from, to, kind }
}

/// Some time the clock that decides is set.
fn clock_set(random: &mut Random, nodes: &[NodePlan], span: u64, ground: (World, Clocks)) -> Fault {
    let from = random.between(1, span);
    let by = i64::try_from(random.between(1, 3 * span)).unwrap();
    let by = if random.chance(500) { -by } else { by };
    let kind = match ground {
        // Memory's own clock stands still where it is set back, so nothing could be told of how long to wait.
        (World::Deciding, Clocks::OfTheServer) => FaultKind::ServerClock(by.abs()),
        (World::Register, Clocks::OfTheServer) => FaultKind::ServerClock(by),
        (_, Clocks::OfEachNode) => FaultKind::NodeClock(random.place(nodes.len()), by),
    };
    Fault { from, to: from + 1, kind }
}
