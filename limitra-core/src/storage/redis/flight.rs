//! A command under way that others wait for.

use tokio::runtime::Handle;

use super::client::RedisClient;
use super::queue::{Unanswered, Waiting};
use super::server::Server;
use crate::storage::connections::Connected;

/// A command under way. When it lands, or its caller is gone, those who wait take off.
pub(super) struct Flight {
    pub(super) server: Server,
    pub(super) connected: Connected<RedisClient>,
    pub(super) lane: u16,
    pub(super) runtime: Handle,
    pub(super) state: State,
}

/// What becomes of those who wait when a flight is gone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It is its caller's alone, and when it lands they take off.
    Alone,
    /// It carries others in a task that ends only with them, or with the runtime.
    Carrying,
    /// There was nobody left.
    Landed,
}

impl Flight {
    /// Carries those who waited, and then those who wait when these have their answer: in a task, for none of them may
    /// stay until the answer.
    async fn carry(mut self, mut batch: Vec<Waiting>) {
        while !batch.is_empty() {
            self.carry_once(batch).await;
            // Whoever has just been answered and asks again is taken along.
            tokio::task::yield_now().await;
            batch = self.connected.connection.queue.land(self.lane);
        }
        self.state = State::Landed;
    }

    async fn carry_once(&mut self, mut batch: Vec<Waiting>) {
        batch.retain(|waiting| !waiting.answer.is_closed());
        if batch.is_empty() {
            return;
        }
        let asks = batch.iter().map(|waiting| &waiting.ask);
        match self.server.decide_together(&self.connected, asks).await {
            Ok(answers) => {
                for (waiting, answer) in batch.into_iter().zip(answers) {
                    // A caller that has left needs no answer.
                    let _ = waiting.answer.send(answer.map_err(Unanswered::Failed));
                }
            }
            Err(failed) => {
                // One alone has its answer.
                let has_run_nothing = batch.len() > 1 && failed.has_run_nothing();
                for Waiting { ask, answer, .. } in batch {
                    let _ = answer.send(Err(if has_run_nothing {
                        Unanswered::Refused(ask)
                    } else {
                        Unanswered::Failed(failed.clone())
                    }));
                }
            }
        }
    }

    /// Takes off with these, if there are any.
    pub(super) fn take_off(mut self, batch: Vec<Waiting>) {
        self.state = State::Carrying;
        let runtime = self.runtime.clone();
        runtime.spawn(self.carry(batch));
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        match self.state {
            State::Alone => {}
            // The runtime has shut down: one by one they would be dropped within each other.
            State::Carrying => return self.connected.connection.queue.close(),
            State::Landed => return,
        }
        let batch = self.connected.connection.queue.land(self.lane);
        if !batch.is_empty() {
            let next = Self {
                server: self.server.clone(),
                connected: self.connected.clone(),
                lane: self.lane,
                runtime: self.runtime.clone(),
                state: State::Alone,
            };
            // On a runtime that shuts down it is dropped, and so are those who wait.
            next.take_off(batch);
        }
    }
}
