//! Callers that go on calling, before, during and after a fault.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use limitra::{CircuitState, Deadline, Limitra, LimitraConfig, RateLimiter};
use limitra_tests::fresh_prefix;
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior};

use crate::seen::{Call, Seen};

/// What a limiter may answer in an outage.
pub(crate) const POLICIES: [&str; 4] = ["error", "open", "closed", "local:4"];
/// What may be had of the scarce thing.
pub(crate) const SCARCE: u64 = 100;
/// A share of that by `local:4`.
pub(crate) const SHARE: u64 = 25;
/// What may be had of the other.
pub(crate) const PLENTY: u64 = 1_000_000;

/// Of each policy.
const CALLERS: usize = 50;
/// Between two calls of one caller: some 8,000 decisions a second in all.
const PACE: Duration = Duration::from_millis(50);
/// The same where a decision on a key that everybody shares takes a thousandth of a second, and a hundredth.
const EASY_PACE: Duration = Duration::from_millis(500);
#[cfg(feature = "mongodb")]
const SLOW_PACE: Duration = Duration::from_secs(2);
/// What a busy machine may add to a deadline; a call that hangs takes longer.
const SLACK: Duration = Duration::from_secs(5);
/// Far longer than any fault is felt.
const PATIENCE: Duration = Duration::from_secs(60);

const BEFORE: u8 = 0;
const DURING: u8 = 1;
const AFTER: u8 = 2;

/// Callers of one storage, some for each policy, each with a handle and thus a circuit breaker of its own.
pub(crate) struct Load {
    sides: Vec<Arc<Side>>,
    callers: JoinSet<()>,
}

/// The callers of one policy.
pub(crate) struct Side {
    pub(crate) policy: &'static str,
    pub(crate) limits: Limitra,
    /// Everybody wants of it, and there is little.
    pub(crate) scarce: RateLimiter,
    /// There is more than can be asked for, so every hit is written.
    pub(crate) plenty: RateLimiter,
    pub(crate) seen: Mutex<Seen>,
    deadline: Duration,
    phase: AtomicU8,
    ended: AtomicBool,
}

impl Load {
    /// Callers of each policy, by the layers that a configuration has if nothing is said.
    pub(crate) fn start(url: &str) -> Self {
        Self::of(url, &POLICIES, Deadline::DEFAULT, PACE)
    }

    /// The same with fewer calls, for storages that load and swap.
    pub(crate) fn start_easy(url: &str) -> Self {
        Self::of(url, &POLICIES, Deadline::DEFAULT, EASY_PACE)
    }

    /// The same with fewer still.
    #[cfg(feature = "mongodb")]
    pub(crate) fn start_slow(url: &str, policies: &[&'static str]) -> Self {
        Self::of(url, policies, Deadline::DEFAULT, SLOW_PACE)
    }

    /// The same for these policies, by deadlines that a busy machine does not miss.
    pub(crate) fn start_patient(url: &str, policies: &[&'static str]) -> Self {
        Self::of(&patient(url), policies, PATIENCE, PACE)
    }

    /// The same with fewer calls.
    #[cfg(feature = "etcd")]
    pub(crate) fn start_patient_easy(url: &str) -> Self {
        Self::of(&patient(url), &POLICIES, PATIENCE, EASY_PACE)
    }

    fn of(url: &str, policies: &[&'static str], deadline: Duration, pace: Duration) -> Self {
        let sides: Vec<Arc<Side>> =
            policies.iter().map(|policy| Arc::new(Side::new(url, policy, deadline))).collect();
        let mut callers = JoinSet::new();
        for (place, side) in (0_u32..).zip(sides.iter().cycle().take(CALLERS * sides.len())) {
            let side = Arc::clone(side);
            // One after the other, not all at one instant.
            let all = u32::try_from(CALLERS * sides.len()).unwrap();
            let first = tokio::time::Instant::now() + pace * place / all;
            callers.spawn(async move { side.call(tokio::time::interval_at(first, pace)).await });
        }
        Self { sides, callers }
    }

    /// The whole course: felt, broken until the storage is left alone, mended, and over.
    pub(crate) async fn survives<S>(
        self,
        server: &mut S,
        breaks: impl FnOnce(&mut S),
        mends: impl FnOnce(&mut S),
    ) -> Vec<Arc<Side>> {
        self.is_felt().await;
        self.strike();
        breaks(server);
        self.is_left_alone().await;
        mends(server);
        self.heal();
        self.is_over().await;
        self.end().await
    }

    /// Waits until nothing of the scarce thing is left.
    pub(crate) async fn is_felt(&self) {
        let what = "the load is not felt";
        self.wait(what, |side, seen| seen.scarce_refused > 0 && seen.decided > CALLERS && side.is_well())
            .await;
    }

    /// The callers of each policy.
    pub(crate) fn sides(&self) -> &[Arc<Side>] {
        &self.sides
    }

    /// From now on something is broken.
    pub(crate) fn strike(&self) {
        for side in &self.sides {
            side.seen.lock().unwrap().struck = Some(Instant::now());
            side.phase.store(DURING, Ordering::SeqCst);
        }
    }

    /// Waits until all callers live with an outage.
    pub(crate) async fn is_an_outage(&self) {
        self.is_an_outage_of(|_| true).await;
    }

    /// The same for those whom it concerns.
    pub(crate) async fn is_an_outage_of(&self, concerns: impl Fn(&Side) -> bool) {
        let what = "there is no outage";
        self.wait(what, |side, seen| seen.outages > 2 * CALLERS || !concerns(side)).await;
    }

    /// The same, until the storage is left alone.
    pub(crate) async fn is_left_alone(&self) {
        let what = "no breaker opens";
        self.wait(what, |side, seen| seen.outages > 2 * CALLERS && !side.is_well()).await;
    }

    /// Waits for so many more decisions of the storage.
    pub(crate) async fn is_decided(&self, times: usize) {
        let before: Vec<usize> = self.sides.iter().map(|side| side.seen.lock().unwrap().decided).collect();
        for (side, before) in self.sides.iter().zip(before) {
            let what = "the storage does not decide";
            wait(side, what, |_, seen| seen.decided >= before + times).await;
        }
    }

    /// From now on nothing is done any more: the same limiters find out by themselves.
    pub(crate) fn heal(&self) {
        for side in &self.sides {
            side.seen.lock().unwrap().healed = Some(Instant::now());
            side.phase.store(AFTER, Ordering::SeqCst);
        }
    }

    /// Waits until the storage decides again, for all callers; nothing is restarted.
    pub(crate) async fn is_over(&self) {
        let what = "it is mended, and no decision is had";
        self.wait(what, |side, seen| seen.decided_after > 2 * CALLERS && side.is_well()).await;
    }

    /// Ends the load: what each policy's callers have seen.
    pub(crate) async fn end(self) -> Vec<Arc<Side>> {
        for side in &self.sides {
            side.ended.store(true, Ordering::SeqCst);
        }
        self.callers.join_all().await;
        for side in &self.sides {
            let seen = side.seen.lock().unwrap();
            // Those who asked for two things one after the other asked twice.
            assert!(seen.longest < side.deadline + SLACK, "{}: {:?}", side.policy, seen.longest);
            assert_eq!(side.limits.health().in_flight, Some(0), "{}", side.policy);
        }
        self.sides
    }

    async fn wait(&self, what: &str, holds: impl Fn(&Side, &Seen) -> bool) {
        for side in &self.sides {
            wait(side, what, &holds).await;
        }
    }
}

fn patient(url: &str) -> String {
    format!("{url}?response_timeout=60s&connect_timeout=60s")
}

async fn wait(side: &Side, what: &str, holds: impl Fn(&Side, &Seen) -> bool) {
    let began = Instant::now();
    while !holds(side, &side.seen.lock().unwrap()) {
        let policy = side.policy;
        assert!(began.elapsed() < PATIENCE, "{policy}: {what}: {:?}", side.seen.lock().unwrap());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

impl Side {
    fn new(url: &str, policy: &'static str, deadline: Duration) -> Self {
        let config = LimitraConfig::new().storage_url(url).prefix(fresh_prefix()).on_outage(policy);
        let limits = config.deadline(deadline).build().unwrap();
        let limiter = |scope: &str, amount: u64| {
            let limiter = limits.limiter().algorithm("fixed_window").scope(scope);
            limiter.requests(amount).window(3600).build().unwrap()
        };
        Self {
            policy,
            scarce: limiter("scarce", SCARCE),
            plenty: limiter("plenty", PLENTY),
            limits,
            seen: Mutex::default(),
            deadline,
            phase: AtomicU8::new(BEFORE),
            ended: AtomicBool::new(false),
        }
    }

    /// Whether its circuit breaker is closed.
    pub(crate) fn is_well(&self) -> bool {
        self.limits.health().breaker == Some(CircuitState::Closed)
    }

    async fn call(&self, mut pace: Interval) {
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.ended.load(Ordering::SeqCst) {
            pace.tick().await;
            for (limiter, is_scarce) in [(&self.scarce, true), (&self.plenty, false)] {
                let was_healed = self.phase.load(Ordering::SeqCst) == AFTER;
                let began = Instant::now();
                let answer = limiter.check("ada").await;
                let took = began.elapsed();
                let is_struck = self.phase.load(Ordering::SeqCst) > BEFORE;
                let call = Call { is_scarce, was_healed, is_struck, took };
                self.seen.lock().unwrap().note(&call, answer);
            }
        }
    }
}
