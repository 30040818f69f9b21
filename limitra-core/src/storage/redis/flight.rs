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
}

impl Flight {
    /// Carries those who waited: in a task, for none of them may stay until the answer.
    async fn carry(self, mut batch: Vec<Waiting>) {
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
                let has_run_nothing = failed.has_run_nothing();
                for Waiting { ask, answer } in batch {
                    let _ = answer.send(Err(if has_run_nothing {
                        Unanswered::Refused(ask)
                    } else {
                        Unanswered::Failed(failed.clone())
                    }));
                }
            }
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let batch = self.connected.connection.queue.land(self.lane);
        if !batch.is_empty() {
            let next = Self {
                server: self.server.clone(),
                connected: self.connected.clone(),
                lane: self.lane,
                runtime: self.runtime.clone(),
            };
            // On a runtime that shuts down it is dropped, and so are those who wait.
            self.runtime.spawn(next.carry(batch));
        }
    }
}
