//! The one virtual time, and the clocks that show it more or less rightly.

use std::time::Duration;

use limitra::{ManualClock, Micros};
use tokio::time::{Instant, sleep};

use crate::plan::{FaultKind, Plan};

/// What the server's clock shows when a run begins, but for what the seed adds.
const BEGIN: u64 = 1_700_000_000_000_000;

pub(crate) struct Times {
    began: Instant,
    begin: u64,
    pub(crate) server: ManualClock,
    /// Never goes wrong.
    pub(crate) steady: ManualClock,
    pub(crate) nodes: Vec<ManualClock>,
    /// For the server and for each node: by how many milliseconds the clock is wrong from when on.
    wrong: Vec<Vec<(u64, i64)>>,
}

impl Times {
    pub(crate) fn of(plan: &Plan) -> Self {
        let mut wrong = vec![Vec::new()];
        wrong.extend(plan.nodes.iter().map(|node| vec![(0, node.skew)]));
        for fault in &plan.faults {
            match fault.kind {
                FaultKind::ServerClock(by) => wrong[0].push((fault.from, by)),
                FaultKind::NodeClock(node, by) => wrong[node + 1].push((fault.from, by)),
                _ => {}
            }
        }
        let times = Self {
            began: Instant::now(),
            begin: BEGIN + plan.seed % 10_000_000,
            server: ManualClock::new(),
            steady: ManualClock::new(),
            nodes: plan.nodes.iter().map(|_| ManualClock::new()).collect(),
            wrong,
        };
        times.tick();
        times
    }

    /// Microseconds since the run began.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap()
    }

    /// Milliseconds since the run began.
    pub(crate) fn millis(&self) -> u64 {
        self.now() / 1000
    }

    /// Sets all clocks.
    pub(crate) fn tick(&self) {
        let now = self.now();
        self.steady.set(Micros::new(now));
        for (clock, wrong) in [&self.server].into_iter().chain(&self.nodes).zip(&self.wrong) {
            let steps = wrong.iter().filter(|(from, _)| from * 1000 <= now);
            let by: i64 = steps.map(|(_, by)| by * 1000).sum();
            clock.set(Micros::new((self.begin + now).saturating_add_signed(by)));
        }
    }

    pub(crate) async fn until(&self, millis: u64) {
        tokio::time::sleep_until(self.began + Duration::from_millis(millis)).await;
    }
}

pub(crate) async fn wait(millis: u64) {
    sleep(Duration::from_millis(millis)).await;
}
