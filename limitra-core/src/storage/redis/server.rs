//! One server, and what is sent to it.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::redis::{Cmd, Pipeline, RedisError, Value};

use super::ask::Ask;
use super::client::RedisClient;
use super::command::{self, Form};
use super::failure::{self, Failed};
use super::settings::Deadlines;
use crate::attempt::Outcome;
use crate::measured::Commands;
use crate::storage::connections::{Connect as _, Connected, Connections};
use crate::storage::ladder::Silence;

/// One server, or whichever is the master. What is sent to it is sent once, and has a deadline.
#[derive(Clone)]
pub(super) struct Server {
    connections: Arc<Connections<RedisClient>>,
    pub(super) response_timeout: Duration,
    storage: &'static str,
    commands: Arc<Commands>,
    silence: Arc<Silence>,
}

/// A script's call, and how its answer is read.
pub(super) struct Call<'a, T> {
    pub(super) words: &'a (dyn Fn(Form) -> Cmd + Send + Sync),
    pub(super) read: &'a (dyn Fn(&Value) -> Result<T, Failed> + Send + Sync),
}

/// A caller that waits for an answer.
struct Waiting<'a> {
    server: &'a Server,
    connected: &'a Connected<RedisClient>,
    sent: Instant,
    is_over: bool,
}

impl Server {
    /// The server of a storage of this name.
    pub(super) fn new(storage: &'static str, client: RedisClient, deadlines: &Deadlines) -> Self {
        Self {
            connections: Arc::new(Connections::new(storage, client, deadlines.connect_timeout)),
            response_timeout: deadlines.response_timeout,
            storage,
            commands: Arc::default(),
            silence: Arc::default(),
        }
    }

    /// The answer to this decision, in one command of its own.
    pub(super) async fn decide_alone(
        &self,
        connected: &Connected<RedisClient>,
        ask: &Ask,
        within: Duration,
    ) -> Result<Outcome, Failed> {
        self.commands.sent(self.storage, 1);
        let words = |form| Ask::decide_each(std::iter::once(ask), form);
        let answer = self.run_on(connected, &words, within).await?;
        self.read(connected, command::read(&answer, ask.rule_count()))
    }

    /// The answers to these decisions, each its own and in their order, in one command.
    pub(super) async fn decide_each(&self, asks: &[Ask]) -> Vec<Result<Outcome, Failed>> {
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
    ) -> Result<Vec<Result<Outcome, Failed>>, Failed> {
        let to_ask = asks.clone();
        let words = |form| Ask::decide_each(to_ask.clone(), form);
        self.commands.sent(self.storage, asks.len());
        let answers = Ask::answers(asks, &self.run_on(connected, &words, self.response_timeout).await?);
        for answer in &answers {
            self.discard_if_broken(connected, answer);
        }
        Ok(answers)
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

    /// The same after an answer by which nothing good comes any more. What is no answer may be another's, and the next one too.
    fn discard_if_broken<T>(&self, connected: &Connected<RedisClient>, answer: &Result<T, Failed>) {
        let is_broken = match answer {
            Err(Failed::Error(error)) => failure::breaks_connection(error),
            Err(Failed::Malformed) => true,
            _ => false,
        };
        if is_broken {
            self.discard(connected);
        }
    }

    /// Drops the connection, if it was made before this instant and can be made again.
    pub(super) fn suspect(&self, since: Instant) {
        self.connections.suspect(since);
    }

    /// How long a decision waits for others to come back before it goes past them: 5 ms by default.
    pub(super) fn patience(&self) -> Duration {
        self.response_timeout / 100
    }

    /// The same after no answer within this time; that says nothing of a server that had less than it may take.
    pub(super) fn discard_after(&self, connected: &Connected<RedisClient>, within: Duration) {
        if within >= self.response_timeout {
            self.discard(connected);
        }
    }

    /// The answer to one command.
    pub(super) async fn ask(&self, command: &Cmd) -> Result<Value, Failed> {
        let connected = self.connected().await?;
        self.send(&connected, Words::Command(command)).await
    }

    /// What a script came to. One that the server has lost is sent as text: the server had not run it.
    pub(super) async fn run<T>(&self, call: &Call<'_, T>) -> Result<T, Failed> {
        let connected = self.connected().await?;
        let answer = self.run_on(&connected, call.words, self.response_timeout).await?;
        self.read(&connected, (call.read)(&answer))
    }

    /// What an answer by this connection said, if it was one.
    fn read<T>(&self, connected: &Connected<RedisClient>, said: Result<T, Failed>) -> Result<T, Failed> {
        self.discard_if_broken(connected, &said);
        said
    }

    async fn run_on(
        &self,
        connected: &Connected<RedisClient>,
        words: &(dyn Fn(Form) -> Cmd + Send + Sync),
        within: Duration,
    ) -> Result<Value, Failed> {
        let answer = async {
            match self.sent(connected, Words::Command(&words(Form::Hash))).await {
                Err(failed) if failed.is_no_script() => {
                    self.sent(connected, Words::Command(&words(Form::Text))).await
                }
                answer => answer,
            }
        };
        self.in_time(connected, within, answer).await
    }

    /// The same while the key moves to this server: it answers for it only when it is told so before, in one message.
    #[cfg(feature = "redis-cluster")]
    pub(super) async fn run_asking<T>(&self, call: &Call<'_, T>) -> Result<T, Failed> {
        let connected = self.connected().await?;
        let asking = |form| {
            let mut pipeline = Pipeline::with_capacity(2);
            pipeline.cmd("ASKING").add_command((call.words)(form));
            pipeline
        };
        let answer = async {
            match self.sent(&connected, Words::Last(&asking(Form::Hash))).await {
                Err(failed) if failed.is_no_script() => {
                    self.sent(&connected, Words::Last(&asking(Form::Text))).await
                }
                answer => answer,
            }
        };
        let answer = self.in_time(&connected, self.response_timeout, answer).await?;
        self.read(&connected, (call.read)(&answer))
    }

    /// The answers to several commands, sent together.
    pub(super) async fn ask_all(&self, commands: &Pipeline) -> Result<Vec<Value>, Failed> {
        let connected = self.connected().await?;
        match self.send(&connected, Words::All(commands)).await? {
            Value::Array(answers) => Ok(answers),
            answer => Ok(vec![answer]),
        }
    }

    /// Sends once, with a deadline.
    async fn send(&self, connected: &Connected<RedisClient>, words: Words<'_>) -> Result<Value, Failed> {
        self.in_time(connected, self.response_timeout, self.sent(connected, words)).await
    }

    /// An answer by this connection, or none in time. A script that is sent again has no more than this time either.
    async fn in_time(
        &self,
        connected: &Connected<RedisClient>,
        within: Duration,
        answer: impl Future<Output = Result<Value, Failed>> + Send,
    ) -> Result<Value, Failed> {
        let mut waiting = Waiting { server: self, connected, sent: Instant::now(), is_over: false };
        let answered = tokio::time::timeout(within, answer).await;
        waiting.is_over = answered.is_ok() || within >= self.response_timeout;
        drop(waiting);
        answered.unwrap_or_else(|_| {
            self.discard_after(connected, within);
            Err(Failed::Late)
        })
    }

    /// Sends once.
    async fn sent(&self, connected: &Connected<RedisClient>, words: Words<'_>) -> Result<Value, Failed> {
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
        let answer = answer.await.map_err(Failed::Error);
        self.discard_if_broken(connected, &answer);
        answer
    }
}

impl Drop for Waiting<'_> {
    /// There is an answer, or nobody waits for it any more: where callers only leave, no deadline says that there is none.
    fn drop(&mut self) {
        let Self { server, connected, .. } = self;
        if self.is_over {
            server.silence.end(connected.runtime);
        } else if server.silence.left(connected.runtime, self.sent, server.response_timeout).is_some() {
            server.discard(connected);
        }
    }
}

/// The connection was lost before anything was sent.
pub(super) fn lost() -> Failed {
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
