//! One server, and what is sent to it.

use std::fmt;
use std::time::Duration;

use ::redis::aio::ConnectionLike as _;
use ::redis::{Cmd, Pipeline, RedisError, Value};

use super::client::RedisClient;
use super::command::Form;
use super::failure::{self, Failed};
use super::settings::Deadlines;
use crate::storage::connections::{Connected, Connections};

/// One server, or whichever is the master. What is sent to it is sent once, and has a deadline.
pub(super) struct Server {
    connections: Connections<RedisClient>,
    response_timeout: Duration,
}

impl Server {
    /// The server of a storage of this name.
    pub(super) fn new(storage: &'static str, client: RedisClient, deadlines: &Deadlines) -> Self {
        Self {
            connections: Connections::new(storage, client, deadlines.connect_timeout),
            response_timeout: deadlines.response_timeout,
        }
    }

    /// The answer to one command.
    pub(super) async fn ask(&self, command: &Cmd) -> Result<Value, Failed> {
        let mut connection = self.connections.get().await.map_err(Failed::Unconnected)?;
        self.send(&mut connection, Words::Command(command)).await
    }

    /// The answer to a script. One that the server has lost is sent as text: the server had not run it.
    pub(super) async fn run(&self, words: &(dyn Fn(Form) -> Cmd + Send + Sync)) -> Result<Value, Failed> {
        let mut connection = self.connections.get().await.map_err(Failed::Unconnected)?;
        match self.send(&mut connection, Words::Command(&words(Form::Hash))).await {
            Err(failed) if failed.is_no_script() => {
                self.send(&mut connection, Words::Command(&words(Form::Text))).await
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
        let mut connection = self.connections.get().await.map_err(Failed::Unconnected)?;
        let asking = |form| {
            let mut pipeline = Pipeline::with_capacity(2);
            pipeline.cmd("ASKING").add_command(words(form));
            pipeline
        };
        match self.send(&mut connection, Words::Last(&asking(Form::Hash))).await {
            Err(failed) if failed.is_no_script() => {
                self.send(&mut connection, Words::Last(&asking(Form::Text))).await
            }
            answer => answer,
        }
    }

    /// The answers to several commands, sent together.
    pub(super) async fn ask_all(&self, commands: &Pipeline) -> Result<Vec<Value>, Failed> {
        let mut connection = self.connections.get().await.map_err(Failed::Unconnected)?;
        match self.send(&mut connection, Words::All(commands)).await? {
            Value::Array(answers) => Ok(answers),
            answer => Ok(vec![answer]),
        }
    }

    /// Sends once.
    async fn send(&self, connection: &mut Connected<RedisClient>, words: Words<'_>) -> Result<Value, Failed> {
        let multiplexed = &mut connection.connection.multiplexed;
        let answer = async {
            let value = match words {
                Words::Command(command) => command.query_async::<Value>(multiplexed).await?,
                #[cfg(feature = "redis-cluster")]
                Words::Last(pipeline) => {
                    let last = pipeline.len().saturating_sub(1);
                    let mut answers = multiplexed.req_packed_commands(pipeline, last, 1).await?;
                    answers.pop().unwrap_or(Value::Nil)
                }
                Words::All(pipeline) => {
                    Value::Array(multiplexed.req_packed_commands(pipeline, 0, pipeline.len()).await?)
                }
            };
            match value {
                Value::ServerError(error) => Err(RedisError::from(error)),
                value => Ok(value),
            }
        };
        let Ok(answer) = tokio::time::timeout(self.response_timeout, answer).await else {
            self.connections.discard(connection);
            return Err(Failed::Late);
        };
        answer.map_err(|error| {
            if failure::breaks_connection(&error) {
                self.connections.discard(connection);
            }
            Failed::Error(error)
        })
    }
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
