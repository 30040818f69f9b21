//! What local shares promise, whatever chance makes of the storage, the time and who asks.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use limitra::{Algorithm, LocalShare, ManualClock, MemoryStorage, RateLimiter, StorageErrorKind};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::stage::{HOUR, LOST, Mood, Shaky, builder, limit};

const NODES: usize = 4;
const REPLICAS: u32 = 4;
const CALLERS: [&str; 2] = ["ada", "bob"];

#[derive(Clone, Debug)]
enum Act {
    Hit { node: usize, who: usize, cost: u64 },
    Many { node: usize, who: Vec<usize> },
    Becomes { node: usize, mood: Mood },
    Settles { node: usize },
    Passes(Duration),
}

fn act() -> impl Strategy<Value = Act> {
    let (node, who) = (0..NODES, 0..CALLERS.len());
    let moods = [
        Mood::Works,
        Mood::Works,
        LOST,
        Mood::Fails(StorageErrorKind::Timeout),
        Mood::Fails(StorageErrorKind::CircuitOpen),
        Mood::Answers(StorageErrorKind::Unavailable),
        Mood::Answers(StorageErrorKind::Refused),
        Mood::ForgetsAnswers,
        Mood::ForgetsAnswersToHits,
        Mood::SilentAbout("ada"),
    ];
    prop_oneof![
        8 => (node.clone(), who.clone(), 1..=2_u64).prop_map(|(node, who, cost)| Act::Hit { node, who, cost }),
        1 => (node.clone(), vec(who, 0..5)).prop_map(|(node, who)| Act::Many { node, who }),
        4 => (node.clone(), prop::sample::select(moods.to_vec())).prop_map(|(node, mood)| Act::Becomes { node, mood }),
        1 => node.prop_map(|node| Act::Settles { node }),
        2 => (0..90_u32).prop_map(|minutes| Act::Passes(60 * Duration::from_secs(minutes.into()))),
    ]
}

/// Nothing here has to be waited for.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("somebody waits"),
    }
}

struct Node {
    storage: Arc<Shaky>,
    share: LocalShare,
    limiter: RateLimiter,
    /// What its share admitted to each caller: when, and how much.
    admitted: [Vec<(Duration, u64)>; 2],
}

struct World {
    server: MemoryStorage,
    clock: ManualClock,
    time: Duration,
    algorithm: Algorithm,
    amount: u64,
    nodes: Vec<Node>,
    /// What the server was heard to admit to each caller.
    by_server: [u64; 2],
}

impl World {
    fn new(algorithm: Algorithm, amount: u64) -> Self {
        let (server, clock) = (MemoryStorage::new(), ManualClock::new());
        let node = || {
            let storage = Shaky::over(&server, Mood::Works);
            let share = LocalShare::over(storage.clone(), MemoryStorage::new(), REPLICAS).unwrap();
            let limiter = builder().algorithm(algorithm).limit(limit(amount)).clock(clock.clone());
            Node {
                limiter: limiter.storage(&share).build().unwrap(),
                storage,
                share,
                admitted: Default::default(),
            }
        };
        let nodes = (0..NODES).map(|_| node()).collect();
        Self { server, clock, time: Duration::ZERO, algorithm, amount, nodes, by_server: [0; 2] }
    }

    fn perform<'a>(&mut self, acts: impl Iterator<Item = &'a Act>) {
        for act in acts {
            self.perform_one(act);
        }
    }

    fn perform_one(&mut self, act: &Act) {
        match act {
            Act::Hit { node, who, cost } => {
                let answer = at_once(self.nodes[*node].limiter.check_cost(CALLERS[*who], *cost));
                self.take_in(*node, *who, *cost, answer);
            }
            Act::Many { node, who } => {
                let names = who.iter().map(|who| CALLERS[*who]);
                let answers = at_once(self.nodes[*node].limiter.check_many(names));
                assert_eq!(answers.len(), who.len());
                for (who, answer) in who.iter().zip(answers) {
                    self.take_in(*node, *who, 1, answer);
                }
            }
            Act::Becomes { node, mood } => self.nodes[*node].storage.set(*mood),
            Act::Settles { node } => {
                at_once(self.nodes[*node].share.reconcile());
            }
            Act::Passes(time) => {
                self.time += *time;
                self.clock.advance(*time);
            }
        }
    }

    fn take_in(
        &mut self,
        node: usize,
        who: usize,
        cost: u64,
        answer: Result<limitra::Decision, limitra::Error>,
    ) {
        // A cost above the share is the storage's error, one above the limit a mistake.
        let Ok(decision) = answer else {
            assert!(cost > self.amount.div_ceil(REPLICAS.into()));
            return;
        };
        match (decision.is_allowed(), decision.is_degraded()) {
            (true, true) => self.nodes[node].admitted[who].push((self.time, cost)),
            (true, false) => self.by_server[who] += cost,
            (false, _) => {}
        }
    }

    /// The most that a limit of this amount admits in any window.
    fn bound(&self, amount: u64) -> u64 {
        match self.algorithm {
            Algorithm::MovingWindow | Algorithm::FixedWindowElasticExpiry => amount,
            _ => 2 * amount,
        }
    }

    fn no_share_is_exceeded_and_no_unit_charged_twice(&self) -> Result<(), TestCaseError> {
        let most = self.bound(self.amount.div_ceil(REPLICAS.into()));
        for node in &self.nodes {
            for admitted in &node.admitted {
                for (begun, _) in admitted {
                    let is_within = |at: Duration| (*begun..*begun + HOUR).contains(&at);
                    let sum: u64 =
                        admitted.iter().filter(|(at, _)| is_within(*at)).map(|(_, cost)| cost).sum();
                    prop_assert!(sum <= most, "{sum} of {most} from {begun:?} on");
                }
            }
            let all: u64 = node.admitted.iter().flatten().map(|(_, cost)| cost).sum();
            prop_assert!(node.share.reconciled() <= all, "{} of {all} charged", node.share.reconciled());
        }
        Ok(())
    }

    /// Where no time passes: everything that was admitted stands on the server at last, as far as there is room.
    fn nothing_is_forgotten(&self) -> Result<(), TestCaseError> {
        for node in &self.nodes {
            node.storage.set(Mood::Works);
            prop_assert_eq!(at_once(node.share.reconcile()), 0);
        }
        let direct = builder().algorithm(self.algorithm).limit(limit(self.amount)).clock(self.clock.clone());
        let direct = direct.storage(&self.server).build().unwrap();
        for (who, name) in CALLERS.iter().enumerate() {
            let by_shares = self.nodes.iter().flat_map(|node| node.admitted[who].iter());
            let admitted = self.by_server[who] + by_shares.map(|(_, cost)| cost).sum::<u64>();
            let used = at_once(direct.usage(*name)).unwrap().count;
            prop_assert!(used >= admitted.min(self.amount), "{name}: {used} of {admitted}");
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn no_share_is_exceeded_whatever_the_storage_does(
        algorithm in prop::sample::select(Algorithm::ALL),
        amount in 1..30_u64,
        acts in vec(act(), 1..60),
    ) {
        let mut world = World::new(algorithm, amount);
        world.perform(acts.iter());
        world.no_share_is_exceeded_and_no_unit_charged_twice()?;
    }

    #[test]
    fn what_was_admitted_stands_on_the_server_at_last_whatever_it_did_before(
        algorithm in prop::sample::select(Algorithm::ALL),
        amount in 1..30_u64,
        acts in vec(act(), 1..60),
    ) {
        let mut world = World::new(algorithm, amount);
        world.perform(acts.iter().filter(|act| !matches!(act, Act::Passes(_))));
        world.no_share_is_exceeded_and_no_unit_charged_twice()?;
        world.nothing_is_forgotten()?;
    }
}
