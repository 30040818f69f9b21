//! One process: its limiters over its layers over its way to the server.

use std::sync::Arc;

use limitra::{
    AnyStorage, CircuitBreaker, Deadline, Decision, DenyCache, Error, InFlight, LocalShare, MemoryStorage,
    RateLimiter, RegisterStorage, check_all,
};
use limitra_tests::ReferenceSubject;

use crate::deciding::{DecidingClient, DecidingServer};
use crate::network::Network;
use crate::plan::{Ask, Clocks, NodePlan, Plan};
use crate::registering::{RegisterClient, RegisterServer};

const CALLERS: [&str; 2] = ["ada", "bob"];

pub(crate) struct Node {
    limiters: Vec<RateLimiter>,
    plan: Arc<Plan>,
    number: usize,
    pub(crate) share: Option<LocalShare>,
}

/// What all nodes share.
#[derive(Clone)]
pub(crate) enum Server {
    Deciding(Arc<DecidingServer>),
    Register(Arc<RegisterServer>),
}

impl Server {
    /// Comes back as it was at this time, in microseconds.
    pub(crate) fn lose(&self, after: u64) {
        match self {
            Self::Deciding(server) => server.lose(after),
            Self::Register(server) => server.lose(after),
        }
    }

    fn reached_by(&self, node: usize, network: &Arc<Network>) -> AnyStorage {
        let (seed, network) = (network.plan.seed.rotate_left(17), Arc::clone(network));
        match self {
            Self::Deciding(server) => {
                Arc::new(DecidingClient { node, network, server: Arc::clone(server) }).into()
            }
            Self::Register(server) => {
                let register = RegisterClient { node, network, server: Arc::clone(server) };
                // Far enough from each other that no two nodes draw alike.
                let seed = seed.wrapping_add(u64::try_from(node).unwrap() << 32);
                RegisterStorage::new(register).seed(seed).into()
            }
        }
    }
}

/// What stands between a node's limiters and its storage: here a layer is put into the simulation.
fn layers(node: &NodePlan, network: &Network, storage: AnyStorage) -> AnyStorage {
    let clock = network.times.steady.clone();
    let mut storage = storage;
    if let Some(within) = node.deadline {
        storage = Deadline::over(storage, within).unwrap().into();
    }
    if let Some(breaker) = node.breaker {
        storage = CircuitBreaker::with_clock(storage, breaker, clock.clone()).unwrap().into();
    }
    if let Some(most) = node.max_in_flight {
        storage = InFlight::over(storage, most).unwrap().into();
    }
    if node.deny_cache {
        storage = DenyCache::over(storage).clock(clock).build().unwrap().into();
    }
    storage
}

impl Node {
    pub(crate) fn new(number: usize, network: &Arc<Network>, server: &Server) -> Self {
        let plan = Arc::clone(&network.plan);
        let of_node = &plan.nodes[number];
        let mut storage = layers(of_node, network, server.reached_by(number, network));
        let clock = network.times.nodes[number].clone();
        let share = of_node.local.map(|replicas| {
            let fallback = MemoryStorage::builder().clock(clock).build().unwrap();
            LocalShare::over(&storage, fallback, replicas).unwrap()
        });
        if let Some(share) = &share {
            storage = share.into();
        }
        let limiters = plan.limiters.iter().enumerate().map(|(index, limiter)| {
            let builder = RateLimiter::builder()
                .algorithm(limiter.algorithm)
                .limits(limiter.limits(of_node).iter().copied())
                .storage(&storage)
                .on_outage(of_node.on_outage)
                .scope(format!("limiter{index}"));
            let builder = match plan.clocks {
                Clocks::OfTheServer => builder,
                Clocks::OfEachNode => builder.clock(network.times.nodes[number].clone()),
            };
            builder.build().unwrap()
        });
        Self { limiters: limiters.collect(), plan: Arc::clone(&plan), number, share }
    }

    /// What is asked, in the reference's words.
    pub(crate) fn subjects(&self, ask: Ask) -> Vec<ReferenceSubject> {
        let subject = |limiter: usize, who: usize, cost| ReferenceSubject {
            key: self.limiters[limiter].key(CALLERS[who]),
            rules: self.plan.limiters[limiter].rules(&self.plan.nodes[self.number]),
            cost,
        };
        match ask {
            Ask::Hit { limiter, who, cost } | Ask::Test { limiter, who, cost } => {
                vec![subject(limiter, who, cost)]
            }
            Ask::Clear { limiter, who } => vec![subject(limiter, who, 1)],
            Ask::Many { limiter, who } => who.into_iter().map(|who| subject(limiter, who, 1)).collect(),
            Ask::GiveBack { .. } => Vec::new(),
            Ask::All { who, costs } => {
                let limiters = costs.iter().enumerate().take(self.limiters.len());
                limiters.map(|(limiter, cost)| subject(limiter, who, *cost)).collect()
            }
        }
    }

    /// Does it. Nothing is decided where something is removed.
    pub(crate) async fn ask(&self, ask: Ask) -> Result<Option<Decision>, Error> {
        match ask {
            Ask::Hit { limiter, who, cost } => {
                self.limiters[limiter].check_cost(CALLERS[who], cost).await.map(Some)
            }
            Ask::Test { limiter, who, cost } => {
                self.limiters[limiter].test_cost(CALLERS[who], cost).await.map(Some)
            }
            Ask::All { who, costs } => {
                let charges = self.limiters.iter().zip(costs);
                let charges: Vec<_> =
                    charges.map(|(limiter, cost)| limiter.of(CALLERS[who]).cost(cost)).collect();
                check_all(charges).await.map(Some)
            }
            Ask::Clear { limiter, who } => self.limiters[limiter].reset(CALLERS[who]).await.map(|()| None),
            Ask::Many { .. } | Ask::GiveBack { .. } => Ok(None),
        }
    }

    /// Each for itself, in one call.
    pub(crate) async fn ask_many(&self, limiter: usize, who: [usize; 3]) -> Vec<Result<Decision, Error>> {
        self.limiters[limiter].check_many(who.map(|who| CALLERS[who])).await
    }

    /// Gives back what this asked and was told.
    pub(crate) async fn give_back(&self, ask: Ask, decision: Decision) -> Result<bool, Error> {
        match ask {
            Ask::Hit { limiter, who, .. } => self.limiters[limiter].give_back(CALLERS[who], decision).await,
            _ => Ok(false),
        }
    }
}
