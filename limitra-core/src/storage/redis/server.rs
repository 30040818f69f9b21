//! One server, and what is sent to it.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::redis::{Cmd, Pipeline, RedisError, Value};
use tokio::runtime::Handle;

use super::ask::Ask;
use super::client::RedisClient;
use super::command::Form;
use super::failure::{self, Failed};
use super::flight::{Flight, State};
use super::queue::{Turn, Unanswered};
use super::settings::Deadlines;
use crate::measured::Commands;
use crate::storage::connections::{Connect as _, Connected, Connections};

/// One server, or whichever is the master. What is sent to it is sent once, and has a deadline.
#[derive(Clone)]
pub(super) struct Server {
    connections: Arc<Connections<RedisClient>>,
    response_timeout: Duration,
    storage: &'static str,
    commands: Arc<Commands>,
}

impl Server {
    /// The server of a storage of this name.
    pub(super) fn new(storage: &'static str, client: RedisClient, deadlines: &Deadlines) -> Self {
        Self {
            connections: Arc::new(Connections::new(storage, client, deadlines.connect_timeout)),
            response_timeout: deadlines.response_timeout,
            storage,
            commands: Arc::default(),
        }
    }

    /// The answer to one decision. It goes alone and at once where few commands of its lane are under way; else together
    /// with others as soon as one of these is answered. It has one deadline, however it goes.
    pub(super) async fn decide(&self, lane: u16, ask: Ask) -> Result<Value, Failed> {
        let connected = self.connected().await?;
        let started = Instant::now();
        match self.take_turn(connected, lane, ask, started, self.response_timeout).await {
            Ok(value) => Ok(value),
            Err(Unanswered::Failed(failed)) => Err(failed),
            // Rare, and larger than all the rest.
            Err(unanswered) => Box::pin(self.decide_after(unanswered, lane, started)).await,
        }
    }

    /// The same for one that waited and has not been run: it goes once more, in the time that is left.
    async fn decide_after(
        &self,
        mut unanswered: Unanswered,
        lane: u16,
        started: Instant,
    ) -> Result<Value, Failed> {
        let left = || self.response_timeout.saturating_sub(started.elapsed());
        while !left().is_zero() {
            let connected =
                tokio::time::timeout(left(), self.connected()).await.unwrap_or(Err(Failed::Late))?;
            unanswered = match unanswered {
                Unanswered::Unsent(ask) => {
                    match self.take_turn(connected, lane, ask, Instant::now(), left()).await {
                        Ok(value) => return Ok(value),
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

    async fn take_turn(
        &self,
        connected: Connected<RedisClient>,
        lane: u16,
        ask: Ask,
        since: Instant,
        within: Duration,
    ) -> Result<Value, Unanswered> {
        match connected.connection.queue.turn(lane, ask, since) {
            Turn::Now(ask) => {
                let Ok(runtime) = Handle::try_current() else {
                    drop(connected.connection.queue.land(lane));
                    return Err(Unanswered::Failed(lost()));
                };
                let flight = Flight { server: self.clone(), connected, lane, runtime, state: State::Alone };
                let answer = self.decide_alone(&flight.connected, &ask, within).await;
                answer.map_err(Unanswered::Failed)
            }
            Turn::Later(mut answer) => {
                let patience = self.patience();
                let mut waited = tokio::time::timeout(within.min(patience), &mut answer).await;
                if waited.is_err() && within > patience {
                    let batch = connected.connection.queue.pass(lane, patience);
                    if !batch.is_empty()
                        && let Ok(runtime) = Handle::try_current()
                    {
                        let connected = connected.clone();
                        Flight { server: self.clone(), connected, lane, runtime, state: State::Alone }
                            .take_off(batch);
                    }
                    waited = tokio::time::timeout(within.saturating_sub(patience), answer).await;
                }
                match waited {
                    Ok(Ok(answer)) => answer,
                    // The runtime shuts down.
                    Ok(Err(_)) => Err(Unanswered::Failed(lost())),
                    Err(_) => {
                        self.discard_after(&connected, within);
                        Err(Unanswered::Failed(Failed::Late))
                    }
                }
            }
        }
    }

    async fn decide_alone(
        &self,
        connected: &Connected<RedisClient>,
        ask: &Ask,
        within: Duration,
    ) -> Result<Value, Failed> {
        self.commands.sent(self.storage, 1);
        self.run_on(connected, &|form| Ask::decide_each(std::iter::once(ask), form), within).await
    }

    /// The answers to these decisions, each its own and in their order, in one command.
    pub(super) async fn decide_each(&self, asks: &[Ask]) -> Vec<Result<Value, Failed>> {
        let none = |failed: Failed| asks.iter().map(move |_| Err(failed.clone())).collect();
        let connected = match self.connected().await {
            Ok(connected) => connected,
            Err(failed) => return none(failed),
        };
        match self.decide_together(&connected, asks.iter()).await {
            Err(failed) if failed.has_run_nothing() && asks.len() > 1 => {
                let mut answers = Vec::with_capacity(asks.len());
                for ask in asks {
                    // Nobody waits again for what has just not answered.
                    let answer = match answers.last() {
                        Some(Err(Failed::Late)) => Err(Failed::Late),
                        _ => self.decide_alone(&connected, ask, self.response_timeout).await,
                    };
                    answers.push(answer);
                }
                answers
            }
            Err(failed) => none(failed),
            Ok(answers) => answers,
        }
    }

    /// The same by this connection; an error if that is the answer to all of them.
    pub(super) async fn decide_together<'a>(
        &self,
        connected: &Connected<RedisClient>,
        asks: impl ExactSizeIterator<Item = &'a Ask> + Clone + Send + Sync,
    ) -> Result<Vec<Result<Value, Failed>>, Failed> {
        let count = asks.len();
        let to_ask = asks.clone();
        let words = |form| Ask::decide_each(to_ask.clone(), form);
        self.commands.sent(self.storage, count);
        let answer = self.run_on(connected, &words, self.response_timeout).await?;
        // Nothing that could be read as an answer to any of them.
        let answers = Ask::answers(asks, answer).unwrap_or_else(|| vec![Value::Nil; count]);
        let answers = answers.into_iter().map(|answer| match answer {
            Value::ServerError(error) => {
                let error = RedisError::from(error);
                if failure::breaks_connection(&error) {
                    self.discard(connected);
                }
                Err(Failed::Error(error))
            }
            answer => Ok(answer),
        });
        Ok(answers.collect())
    }

    /// The current runtime's connection.
    pub(super) async fn connected(&self) -> Result<Connected<RedisClient>, Failed> {
        self.connections.get().await.map_err(Failed::Unconnected)
    }

    /// Drops a connection that is of no use any more; who waits for it is told so.
    fn discard(&self, connected: &Connected<RedisClient>) {
        if self.connections.connector().can_reconnect() {
            self.connections.discard(connected);
            connected.connection.queue.close();
        }
    }

    /// Drops the connection, if it was made before this instant and can be made again.
    pub(super) fn suspect(&self, since: Instant) {
        self.connections.suspect(since);
    }

    /// How long a decision waits for others to come back before it goes past them: 5 ms by default.
    fn patience(&self) -> Duration {
        self.response_timeout / 100
    }

    /// The same after no answer within this time; that says nothing of a server that had less than it may take.
    fn discard_after(&self, connected: &Connected<RedisClient>, within: Duration) {
        if within >= self.response_timeout {
            self.discard(connected);
        }
    }

    /// The answer to one command.
    pub(super) async fn ask(&self, command: &Cmd) -> Result<Value, Failed> {
        let connected = self.connected().await?;
        self.send(&connected, Words::Command(command), self.response_timeout).await
    }

    /// The answer to a script. One that the server has lost is sent as text: the server had not run it.
    pub(super) async fn run(&self, words: &(dyn Fn(Form) -> Cmd + Send + Sync)) -> Result<Value, Failed> {
        let connected = self.connected().await?;
        self.run_on(&connected, words, self.response_timeout).await
    }

    async fn run_on(
        &self,
        connected: &Connected<RedisClient>,
        words: &(dyn Fn(Form) -> Cmd + Send + Sync),
        within: Duration,
    ) -> Result<Value, Failed> {
        match self.send(connected, Words::Command(&words(Form::Hash)), within).await {
            Err(failed) if failed.is_no_script() => {
                self.send(connected, Words::Command(&words(Form::Text)), within).await
            }
            answer => answer,
        }
    }

    /// The same while the key moves to this server: it answers for it only when it is told so before, in one message.
    #[cfg(feature = "redis-cluster")]
    pub(super) async fn run_asking(
        &self,
        words: &(dyn Fn(Form) -> Cmd + Send + Sync),
    ) -> Result<Value, Failed> {
        let connected = self.connected().await?;
        let asking = |form| {
            let mut pipeline = Pipeline::with_capacity(2);
            pipeline.cmd("ASKING").add_command(words(form));
            pipeline
        };
        match self.send(&connected, Words::Last(&asking(Form::Hash)), self.response_timeout).await {
            Err(failed) if failed.is_no_script() => {
                self.send(&connected, Words::Last(&asking(Form::Text)), self.response_timeout).await
            }
            answer => answer,
        }
    }

    /// The answers to several commands, sent together.
    pub(super) async fn ask_all(&self, commands: &Pipeline) -> Result<Vec<Value>, Failed> {
        let connected = self.connected().await?;
        match self.send(&connected, Words::All(commands), self.response_timeout).await? {
            Value::Array(answers) => Ok(answers),
            answer => Ok(vec![answer]),
        }
    }

    /// Sends once.
    async fn send(
        &self,
        connected: &Connected<RedisClient>,
        words: Words<'_>,
        within: Duration,
    ) -> Result<Value, Failed> {
        let mut multiplexed = connected.connection.multiplexed.clone();
        let answer = async {
            let value = match words {
                Words::Command(command) => multiplexed.send_packed_command(command).await?,
                #[cfg(feature = "redis-cluster")]
                Words::Last(pipeline) => {
                    let last = pipeline.len().saturating_sub(1);
                    let mut answers = multiplexed.send_packed_commands(pipeline, last, 1).await?;
                    answers.pop().unwrap_or(Value::Nil)
                }
                Words::All(pipeline) => {
                    Value::Array(multiplexed.send_packed_commands(pipeline, 0, pipeline.len()).await?)
                }
            };
            match value {
                Value::ServerError(error) => Err(RedisError::from(error)),
                value => Ok(value),
            }
        };
        let Ok(answer) = tokio::time::timeout(within, answer).await else {
            self.discard_after(connected, within);
            return Err(Failed::Late);
        };
        answer.map_err(|error| {
            if failure::breaks_connection(&error) {
                self.discard(connected);
            }
            Failed::Error(error)
        })
    }
}

/// The connection was lost before anything was sent.
fn lost() -> Failed {
    Failed::Error(io::Error::from(io::ErrorKind::BrokenPipe).into())
}

/// What is sent.
enum Words<'a> {
    Command(&'a Cmd),
    /// Several commands, of which the last one's answer matters.
    #[cfg(feature = "redis-cluster")]
    Last(&'a Pipeline),
    All(&'a Pipeline),
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.connections.connector().fmt(f)
    }
}
