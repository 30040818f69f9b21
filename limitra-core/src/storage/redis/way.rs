//! The way of one decision: alone, or together with others.

use std::future::{Future, ready};
use std::pin::Pin;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::ask::Ask;
use super::client::RedisClient;
use super::failure::Failed;
use super::flight::{Flight, State};
use super::queue::{Answer, Turn, Unanswered};
use super::server::{Server, lost};
use crate::attempt::Outcome;
use crate::storage::connections::Connected;

/// How the answer to a decision comes.
enum Way<'a> {
    /// It goes alone and at once.
    Alone(Pin<Box<dyn Future<Output = Answer> + Send + 'a>>),
    /// Others carry it.
    Together(oneshot::Receiver<Answer>),
}

impl Server {
    /// The answer to one decision. It goes alone and at once where few commands of its lane are under way; else together
    /// with others as soon as one of these is answered. It has one deadline, however it goes.
    ///
    /// What is asked is made when there is a connection. Most decisions wait for others, so that is what this future has
    /// room for; whatever is larger is a box of its own.
    pub(super) async fn decide(
        &self,
        lane: u16,
        ask: impl FnOnce() -> Ask + Send,
    ) -> Result<Outcome, Failed> {
        let connected = self.connected().await?;
        let started = Instant::now();
        let answered = match self.turn(&connected, lane, ask(), started, self.response_timeout) {
            Way::Alone(answer) => answer.await,
            Way::Together(answer) => {
                self.wait(&connected, lane, answer, started, self.response_timeout).await
            }
        };
        match answered {
            Ok(outcome) => Ok(outcome),
            Err(Unanswered::Failed(failed)) => Err(failed),
            Err(unanswered) => Box::pin(self.decide_after(unanswered, lane, started)).await,
        }
    }

    /// The same for one that waited and has not been run: it goes once more, in the time that is left.
    async fn decide_after(
        &self,
        mut unanswered: Unanswered,
        lane: u16,
        started: Instant,
    ) -> Result<Outcome, Failed> {
        let left = || self.response_timeout.saturating_sub(started.elapsed());
        while !left().is_zero() {
            let connected =
                tokio::time::timeout(left(), self.connected()).await.unwrap_or(Err(Failed::Late))?;
            unanswered = match unanswered {
                Unanswered::Unsent(ask) => {
                    let (since, within) = (Instant::now(), left());
                    let answered = match self.turn(&connected, lane, ask, since, within) {
                        Way::Alone(answer) => answer.await,
                        Way::Together(answer) => self.wait(&connected, lane, answer, since, within).await,
                    };
                    match answered {
                        Ok(outcome) => return Ok(outcome),
                        Err(unanswered) => unanswered,
                    }
                }
                Unanswered::Refused(ask) => return self.decide_alone(&connected, &ask, left()).await,
                Unanswered::Failed(failed) => return Err(failed),
            };
        }
        match unanswered {
            Unanswered::Failed(failed) => Err(failed),
            _ => Err(Failed::Late),
        }
    }

    /// Which way a decision goes: at once, or when others come back.
    fn turn<'a>(
        &'a self,
        connected: &Connected<RedisClient>,
        lane: u16,
        ask: Ask,
        since: Instant,
        within: Duration,
    ) -> Way<'a> {
        let ask = match connected.connection.queue.turn(lane, ask, since) {
            Turn::Now(ask) => ask,
            Turn::Later(answer) => return Way::Together(answer),
        };
        let Some(flight) = self.flight(connected, lane) else {
            drop(connected.connection.queue.land(lane));
            return Way::Alone(Box::pin(ready(Err(Unanswered::Failed(lost())))));
        };
        // Others take its place when it lands, or is dropped.
        Way::Alone(Box::pin(async move {
            self.decide_alone(&flight.connected, &ask, within).await.map_err(Unanswered::Failed)
        }))
    }

    /// A command of its own that is under way by now; `None` without a runtime.
    fn flight(&self, connected: &Connected<RedisClient>, lane: u16) -> Option<Flight> {
        let runtime = Handle::try_current().ok()?;
        let (server, connected) = (self.clone(), connected.clone());
        Some(Flight { server, connected, lane, runtime, state: State::Alone })
    }

    /// What becomes of a decision that waits for others to come back.
    async fn wait(
        &self,
        connected: &Connected<RedisClient>,
        lane: u16,
        mut answer: oneshot::Receiver<Answer>,
        since: Instant,
        within: Duration,
    ) -> Answer {
        match tokio::time::timeout_at(since + within.min(self.patience()), &mut answer).await {
            Ok(answer) => answered(answer),
            Err(_) => Box::pin(self.go_past(connected, lane, answer, since, within)).await,
        }
    }

    /// What becomes of a decision that has waited for long: it goes past others, if it was not sent by now.
    async fn go_past(
        &self,
        connected: &Connected<RedisClient>,
        lane: u16,
        answer: oneshot::Receiver<Answer>,
        since: Instant,
        within: Duration,
    ) -> Answer {
        let patience = self.patience();
        if within > patience {
            // All who came before go too, for there may be more of them than go together.
            loop {
                let batch = connected.connection.queue.pass(lane, patience);
                if batch.is_empty() {
                    break;
                }
                let Some(flight) = self.flight(connected, lane) else { break };
                flight.take_off(batch);
            }
            if let Ok(answer) = tokio::time::timeout_at(since + within, answer).await {
                return answered(answer);
            }
        }
        self.discard_after(connected, within);
        Err(Unanswered::Failed(Failed::Late))
    }
}

/// What a decision that waited was told.
fn answered(answer: Result<Answer, oneshot::error::RecvError>) -> Answer {
    // Else the runtime shuts down.
    answer.unwrap_or_else(|_| Err(Unanswered::Failed(lost())))
}
