//! What lies between nodes and the server: every message may be late, lost or cut off.

use std::sync::Arc;
use std::time::Duration;

use limitra::StorageErrorKind;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::crowd::Crowd;
use crate::judge::Judge;
use crate::ledger::Ledger;
use crate::plan::{FaultKind, Plan};
use crate::random::Random;
use crate::times::{Times, wait};

/// The longest that a message is under way where nothing is slow, in milliseconds.
const USUAL: u64 = 3;

pub(crate) struct Network {
    pub(crate) plan: Arc<Plan>,
    pub(crate) crowd: Crowd,
    pub(crate) times: Arc<Times>,
    pub(crate) judge: Arc<Judge>,
    /// Where a plan is mixed.
    pub(crate) ledger: Option<Arc<Ledger>>,
}

impl Network {
    /// Has the server do something for a node. It is done when the request arrives there, whoever still waits.
    pub(crate) async fn call<T: Send + 'static>(
        self: &Arc<Self>,
        node: usize,
        is_write: bool,
        work: impl FnOnce(u64) -> T + Send + 'static,
    ) -> Result<T, StorageErrorKind> {
        let act = self.crowd.act();
        let message = self.judge.sends(act, is_write);
        let random = Random::of(&[self.plan.seed, act, message]);
        let (answers, answer) = oneshot::channel();
        let network = Arc::clone(self);
        self.crowd.spawn(act, async move { network.carry(node, random, answers, move || work(act)).await });
        let answer = timeout(Duration::from_millis(self.plan.deadline), answer).await;
        let answer = match answer {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(_)) => StorageErrorKind::Unavailable,
            Err(_) => StorageErrorKind::Timeout,
        };
        self.judge.fails(act, node, is_write);
        Err(answer)
    }

    async fn carry<T>(
        &self,
        node: usize,
        mut random: Random,
        answers: oneshot::Sender<T>,
        work: impl FnOnce() -> T,
    ) {
        let [there, back] = [(); 2].map(|()| self.delay(&mut random));
        let [loses_request, loses_reply] = [random.between(0, 999), random.between(0, 999)];
        wait(there).await;
        if self.is_down() {
            // Nobody listens, and the node is told so.
            wait(back).await;
            return;
        }
        let (requests, _) = self.losses();
        if loses_request < requests || self.is_cut(node) {
            return self.keep_silent(answers).await;
        }
        let found = work();
        wait(back).await;
        let (_, replies) = self.losses();
        if loses_reply < replies || self.is_cut(node) {
            return self.keep_silent(answers).await;
        }
        if self.is_down() {
            // What was done is done, and the connection is gone.
            return;
        }
        // Somebody may wait no more.
        let _ = answers.send(found);
    }

    /// An end that is let go would be noticed.
    async fn keep_silent<T>(&self, answers: oneshot::Sender<T>) {
        wait(2 * self.plan.deadline).await;
        drop(answers);
    }

    fn delay(&self, random: &mut Random) -> u64 {
        let now = self.times.millis();
        let most =
            self.plan.faults.iter().filter(|fault| fault.is_at(now)).filter_map(|fault| match fault.kind {
                FaultKind::Slow(most) => Some(most),
                _ => None,
            });
        random.between(0, most.max().unwrap_or(USUAL))
    }

    /// How many of a thousand requests, and replies, are lost now.
    fn losses(&self) -> (u64, u64) {
        let now = self.times.millis();
        let losses = self.plan.faults.iter().filter(|fault| fault.is_at(now)).map(|fault| match fault.kind {
            FaultKind::LosesRequests(of) => (of, 0),
            FaultKind::LosesReplies(of) => (0, of),
            _ => (0, 0),
        });
        losses.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    fn is_down(&self) -> bool {
        self.plan.is_down(self.times.millis())
    }

    fn is_cut(&self, node: usize) -> bool {
        self.plan.is_cut(node, self.times.millis())
    }
}
