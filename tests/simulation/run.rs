//! One run of a plan.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use limitra::{Decision, Error};
use tokio::runtime::Builder;
use tokio::time::timeout;

use crate::crowd::Crowd;
use crate::deciding::DecidingServer;
use crate::judge::{Judge, micros};
use crate::ledger::Ledger;
use crate::network::Network;
use crate::node::{Node, Server};
use crate::plan::{Act, Ask, Clocks, FaultKind, Patience, Plan, World};
use crate::registering::RegisterServer;
use crate::times::{Times, wait};

/// By then nothing is under way any more, in milliseconds: no message, and no future that stood still.
const CALM: u64 = 15_000;
/// The acts after the last fault are told apart by numbers from here on.
const AFTERWARDS: u64 = 1_000_000;
/// Nobody waits so long, in seconds.
const FOR_EVER: u64 = 100_000_000;

/// What a run comes to: how many answers there were, and a number that differs where anything differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Course {
    pub(crate) answers: u64,
    pub(crate) trace: u64,
}

/// Runs a plan; what was wrong, if anything was.
pub(crate) fn run(plan: &Plan) -> Result<Course, String> {
    perform(plan, false).0
}

/// What happens in a plan, line by line.
pub(crate) fn story(plan: &Plan) -> String {
    perform(plan, true).1
}

fn perform(plan: &Plan, tells: bool) -> (Result<Course, String>, String) {
    let run = || {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(course(plan.clone(), tells))
    };
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(found) => found,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            (Err(format!("a panic: {}", text.unwrap_or_default())), String::new())
        }
    }
}

async fn course(plan: Plan, tells: bool) -> (Result<Course, String>, String) {
    let times = Arc::new(Times::of(&plan));
    let judge = Arc::new(Judge::new(&plan, Arc::clone(&times), tells));
    let ledger = plan.is_mixed.then(|| Arc::new(Ledger::new(&plan, &times, &judge)));
    let crowd = Crowd::new(plan.seed);
    let plan = Arc::new(plan);
    let network = Arc::new(Network {
        plan: Arc::clone(&plan),
        crowd: crowd.clone(),
        times: Arc::clone(&times),
        judge: Arc::clone(&judge),
        ledger: ledger.clone(),
    });
    let server = match plan.world {
        World::Deciding => Server::Deciding(Arc::new(DecidingServer::new(
            times.server.clone(),
            Arc::clone(&judge),
            ledger.clone(),
        ))),
        World::Register => {
            Server::Register(Arc::new(RegisterServer::new(times.server.clone(), Arc::clone(&judge))))
        }
    };
    let nodes = (0..plan.nodes.len()).map(|number| Arc::new(Node::new(number, &network, &server)));
    let nodes = nodes.collect();
    let stage = Stage { network, nodes, charged: Arc::default() };
    stage.let_faults_happen(&server);
    for act in &plan.acts {
        let (stage, act) = (stage.clone(), *act);
        crowd.spawn(act.id, async move {
            stage.network.times.until(act.at).await;
            stage.perform(act).await;
        });
    }
    let afterwards = stage.clone();
    crowd.spawn(AFTERWARDS, async move { afterwards.all_is_well_again().await });
    // What is dropped here would keep those alive who hold the crowd.
    drop((stage, server));
    let everybody = poll_fn(|context| {
        times.tick();
        crowd.poll(context)
    });
    if timeout(Duration::from_secs(FOR_EVER), everybody).await.is_err() {
        return (Err("somebody never gets an answer".to_owned()), judge.story());
    }
    if let Some(ledger) = ledger {
        ledger.close();
    }
    (judge.verdict().map(|(answers, trace)| Course { answers, trace }), judge.story())
}

#[derive(Clone)]
struct Stage {
    network: Arc<Network>,
    nodes: Vec<Arc<Node>>,
    /// Decisions that may be given back, by their acts.
    charged: Arc<Mutex<BTreeMap<u64, (Act, Decision)>>>,
}

impl Stage {
    fn let_faults_happen(&self, server: &Server) {
        for fault in self.network.plan.faults.clone() {
            let (network, server) = (Arc::clone(&self.network), server.clone());
            self.network.crowd.spawn(0, async move {
                match fault.kind {
                    FaultKind::CrashEmpty => {
                        network.times.until(fault.from).await;
                        server.lose(0);
                    }
                    FaultKind::Failover(lag) => {
                        network.times.until(fault.from).await;
                        server.lose(network.times.now().saturating_sub(lag * 1000));
                    }
                    _ => {}
                }
            });
        }
    }

    /// What a caller does.
    async fn perform(&self, act: Act) {
        let node = &self.nodes[act.node];
        self.begin(act, node);
        attend(self.decide(act, node), act.patience).await;
        self.network.judge.leaves(act.node);
    }

    fn begin(&self, act: Act, node: &Node) {
        let Network { plan, times, judge, .. } = &*self.network;
        let clock = match plan.clocks {
            Clocks::OfTheServer => None,
            Clocks::OfEachNode => Some(times.nodes[act.node].now().get()),
        };
        let subjects = node.subjects(act.ask);
        if let Some(ledger) = &self.network.ledger {
            ledger.begin(&act, subjects.clone());
        }
        judge.begin(&act, subjects, clock);
    }

    /// Has the judge see the answer, and passes it on.
    async fn decide(&self, act: Act, node: &Node) -> Option<Decision> {
        match act.ask {
            Ask::Many { limiter, who } => {
                let answers = node.ask_many(limiter, who).await;
                self.answered(act, &answers);
                return None;
            }
            Ask::GiveBack { of } => {
                let charged = self.charged.lock().unwrap().remove(&of);
                if let Some((charge, decision)) = charged {
                    // A lost one is an error, and keeps the charge.
                    let _ = self.nodes[charge.node].give_back(charge.ask, decision).await;
                }
                return None;
            }
            _ => {}
        }
        match node.ask(act.ask).await {
            Ok(Some(decision)) => {
                self.answered(act, &[Ok(decision.clone())]);
                if self.network.plan.is_mixed {
                    self.charged.lock().unwrap().insert(act.id, (act, decision.clone()));
                }
                Some(decision)
            }
            Ok(None) => None,
            Err(error) => {
                self.answered(act, &[Err(error)]);
                None
            }
        }
    }

    /// Has the answers seen by who understands them.
    fn answered(&self, act: Act, answers: &[Result<Decision, Error>]) {
        let Network { judge, ledger, .. } = &*self.network;
        match ledger {
            Some(ledger) => ledger.answered(&act, answers),
            None => answers.iter().for_each(|answer| judge.answered(act.id, answer.as_ref())),
        }
    }

    /// Every node decides again without a restart, and who waits what is told is allowed.
    async fn all_is_well_again(&self) {
        let Network { plan, times, judge, .. } = &*self.network;
        times.until(plan.ends() + CALM).await;
        let mut id = AFTERWARDS;
        let places =
            (0..plan.nodes.len()).flat_map(|node| (0..plan.limiters.len()).map(move |one| (node, one)));
        for (node, limiter) in places {
            let ask = Ask::Hit { limiter, who: 0, cost: plan.limiters[limiter].capacity(&plan.nodes[node]) };
            for is_first in [true, false] {
                let act = Act { id, at: 0, node, ask, patience: Patience::Endless };
                self.network.crowd.set_act(id);
                self.begin(act, &self.nodes[node]);
                id += 1;
                let answer = self.decide(act, &self.nodes[node]).await;
                judge.leaves(node);
                match answer {
                    Some(decision) if !decision.is_degraded() => {
                        if decision.is_allowed() {
                            break;
                        }
                        if !is_first {
                            judge.accuse(act.id, "who waited what was told was refused");
                        }
                        wait(micros(decision.retry_after()).div_ceil(1000)).await;
                    }
                    _ => {
                        return judge
                            .accuse(act.id, "there is no decision, though nothing is wrong any more");
                    }
                }
            }
        }
        for share in self.nodes.iter().filter_map(|node| node.share.as_ref()) {
            if share.owing() > 0 {
                judge.accuse(0, "somebody still owes, though nothing is wrong any more");
            }
        }
    }
}

/// Awaits this as long as the caller's patience lasts.
async fn attend<T>(future: impl Future<Output = T>, patience: Patience) -> Option<T> {
    let mut future = pin!(future);
    let (polls, pause) = match patience {
        Patience::Endless => return Some(future.await),
        Patience::Until(millis) => return timeout(Duration::from_millis(millis), future).await.ok(),
        Patience::Polls(polls) => (polls, None),
        Patience::Stalls(polls, pause) => (polls, Some(pause)),
    };
    let mut left = polls;
    let found = poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(found) => Poll::Ready(Some(found)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    });
    match (found.await, pause) {
        (None, Some(pause)) => {
            wait(pause).await;
            Some(future.await)
        }
        (found, _) => found,
    }
}
