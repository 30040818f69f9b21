//! What happens in one run: everything that chance decided, so that a part of it can be left out.

use std::time::Duration;

use limitra::{Algorithm, Breaker, Decision, Limit, OnOutage};
use limitra_tests::ReferenceRule;

/// One run. Times are in milliseconds since it began.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// What each message's delay and each choice among those who are ready comes from.
    pub(crate) seed: u64,
    pub(crate) world: World,
    /// Local shares, several hits at once, two versions of a limit, and give-backs: the ledger's cases.
    pub(crate) is_mixed: bool,
    pub(crate) clocks: Clocks,
    /// How long a node waits for an answer.
    pub(crate) deadline: u64,
    pub(crate) limiters: Vec<LimiterPlan>,
    pub(crate) nodes: Vec<NodePlan>,
    pub(crate) acts: Vec<Act>,
    pub(crate) faults: Vec<Fault>,
}

/// What stands behind the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum World {
    /// A server that decides: memory, behind the trait `Storage`.
    Deciding,
    /// A server that loads and swaps: the driver of registers decides, at each node.
    Register,
}

/// Whose clock decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clocks {
    OfTheServer,
    OfEachNode,
}

#[derive(Clone, Debug)]
pub(crate) struct LimiterPlan {
    pub(crate) algorithm: Algorithm,
    pub(crate) limits: Vec<Limit>,
    /// The same windows with other amounts, where a new version is being deployed.
    pub(crate) newer: Vec<Limit>,
}

impl LimiterPlan {
    /// What this node knows as the limits.
    pub(crate) fn limits(&self, node: &NodePlan) -> &[Limit] {
        if node.is_newer { &self.newer } else { &self.limits }
    }

    pub(crate) fn rules(&self, node: &NodePlan) -> Vec<ReferenceRule> {
        self.limits(node).iter().map(|limit| ReferenceRule::of(self.algorithm, *limit)).collect()
    }

    /// The most that one hit can ask for at this node.
    pub(crate) fn capacity(&self, node: &NodePlan) -> u64 {
        self.rules(node).iter().map(ReferenceRule::capacity).min().unwrap()
    }
}

/// One process.
#[derive(Clone, Debug)]
pub(crate) struct NodePlan {
    /// Milliseconds by which its clock is wrong.
    pub(crate) skew: i64,
    pub(crate) on_outage: OnOutage,
    /// In an outage it decides by its part of the limits, one of so many.
    pub(crate) local: Option<u32>,
    /// It runs the newer version.
    pub(crate) is_newer: bool,
    pub(crate) deny_cache: bool,
    pub(crate) deadline: Option<Duration>,
    pub(crate) breaker: Option<Breaker>,
    /// How many decisions may wait at once.
    pub(crate) max_in_flight: Option<usize>,
}

/// One thing that a caller does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Act {
    /// Stays the same when others are left out.
    pub(crate) id: u64,
    pub(crate) at: u64,
    pub(crate) node: usize,
    pub(crate) ask: Ask,
    pub(crate) patience: Patience,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask {
    Hit {
        limiter: usize,
        who: usize,
        cost: u64,
    },
    Test {
        limiter: usize,
        who: usize,
        cost: u64,
    },
    /// Of both limiters at once.
    All {
        who: usize,
        costs: [u64; 2],
    },
    Clear {
        limiter: usize,
        who: usize,
    },
    /// Each for itself, in one call.
    Many {
        limiter: usize,
        who: [usize; 3],
    },
    /// What this act charged, if it has its answer.
    GiveBack {
        of: u64,
    },
}

/// How a caller waits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    Endless,
    /// Drops the future after so many milliseconds.
    Until(u64),
    /// Drops the future at this await point.
    Polls(u32),
    /// Does not poll for so many milliseconds after this await point.
    Stalls(u32, u64),
}

/// What goes wrong from one time to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) kind: FaultKind,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum FaultKind {
    /// Each way takes up to so long: messages overtake each other.
    Slow(u64),
    /// So many of a thousand requests never arrive.
    LosesRequests(u64),
    /// So many of a thousand requests are carried out, and the answer is lost.
    LosesReplies(u64),
    /// This node does not reach the server.
    Partition(usize),
    /// The server is down, and comes back with its data.
    Crash,
    /// The server is down, and comes back empty.
    CrashEmpty,
    /// The server is down, and comes back as it was so long before.
    Failover(u64),
    /// The server's clock is set forward or back by so much, for good.
    ServerClock(i64),
    /// A node's clock is set forward or back by so much, for good.
    NodeClock(usize, i64),
}

impl NodePlan {
    /// Whether this is what its callers are told in an outage.
    pub(crate) fn is_policy(&self, decision: &Decision) -> bool {
        match self.on_outage {
            OnOutage::FailOpen => decision.is_allowed(),
            OnOutage::Closed { retry_after } => {
                !decision.is_allowed() && decision.retry_after() == retry_after
            }
            _ => false,
        }
    }
}

impl Fault {
    pub(crate) fn is_at(&self, time: u64) -> bool {
        (self.from..self.to).contains(&time)
    }
}

impl Plan {
    /// When the last fault has ended, and nobody new comes.
    pub(crate) fn ends(&self) -> u64 {
        let acts = self.acts.iter().map(|act| act.at);
        acts.chain(self.faults.iter().map(|fault| fault.to)).max().unwrap_or(0)
    }

    /// Whether the server can be reached by this node.
    pub(crate) fn is_cut(&self, node: usize, time: u64) -> bool {
        self.faults
            .iter()
            .any(|fault| fault.is_at(time) && matches!(fault.kind, FaultKind::Partition(one) if one == node))
    }

    pub(crate) fn is_down(&self, time: u64) -> bool {
        let downs = |kind| matches!(kind, FaultKind::Crash | FaultKind::CrashEmpty | FaultKind::Failover(_));
        self.faults.iter().any(|fault| fault.is_at(time) && downs(fault.kind))
    }

    /// Milliseconds by which an interval may seem longer to the clocks that decide.
    pub(crate) fn slack(&self) -> u64 {
        let steps = self.faults.iter().map(|fault| match (fault.kind, self.clocks) {
            (FaultKind::ServerClock(by), Clocks::OfTheServer)
            | (FaultKind::NodeClock(_, by), Clocks::OfEachNode) => by.unsigned_abs(),
            _ => 0,
        });
        let skew = match self.clocks {
            Clocks::OfTheServer => 0,
            Clocks::OfEachNode => self.nodes.iter().map(|node| node.skew.unsigned_abs()).max().unwrap_or(0),
        };
        2 * skew + steps.sum::<u64>()
    }
}
