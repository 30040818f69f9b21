//! A connection that any number of tasks use at once.

use std::hash::{BuildHasher as _, RandomState};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::address::{Address, Credentials};
use super::failure::Failure;
use super::wire::{Answer, Answers, Command};
use crate::error::StorageErrorKind;
use crate::storage::connections::Connect;

/// About as much is written at once.
const BATCH: usize = 64 * 1024;

type Reading = Box<dyn AsyncRead + Send + Sync + Unpin>;
type Writing = Box<dyn AsyncWrite + Send + Sync + Unpin>;

/// Makes connections to one server.
#[derive(Clone)]
pub(super) struct Connector(Arc<Target>);

struct Target {
    address: Address,
    name: String,
    credentials: Option<Credentials>,
    response_timeout: Duration,
    longest_value: usize,
}

/// A connection; its task ends when the last clone is dropped.
#[derive(Clone)]
pub(super) struct Connection {
    server: Arc<Target>,
    asked: mpsc::UnboundedSender<Asked>,
    number: Arc<AtomicU32>,
    /// See [`Connection::version`].
    mask: u64,
}

/// A command on its way.
struct Asked {
    bytes: Vec<u8>,
    waiting: Waiting,
}

/// Somebody who waits for an answer.
struct Waiting {
    /// `None` for a [`Command::Noop`].
    number: Option<u32>,
    since: Instant,
    answer: oneshot::Sender<Result<Answer, Failure>>,
}

/// The two directions of a connection on which nothing else is asked meanwhile.
pub(super) struct Line {
    pub(super) answers: Answers<Reading>,
    writing: Writing,
}

impl Connector {
    pub(super) fn new(
        address: Address,
        credentials: Option<Credentials>,
        response_timeout: Duration,
        longest_value: usize,
    ) -> Self {
        let name = address.to_string();
        Self(Arc::new(Target { address, name, credentials, response_timeout, longest_value }))
    }

    pub(super) fn address(&self) -> &Address {
        &self.0.address
    }

    pub(super) fn name(&self) -> &str {
        &self.0.name
    }

    /// A connection for one use. The deadline is not its own.
    pub(super) async fn line(&self) -> Result<Line, Failure> {
        let Target { address, name, longest_value, .. } = &*self.0;
        let opened = open(address).await;
        let (reading, writing) =
            opened.map_err(|error| Failure::Connect { server: name.clone(), error: Arc::new(error) })?;
        let mut line = Line { answers: Answers::new(name.clone(), reading, *longest_value), writing };
        if let Some(credentials) = &self.0.credentials {
            line.authenticate(name, credentials).await?;
        }
        Ok(line)
    }
}

async fn open(address: &Address) -> std::io::Result<(Reading, Writing)> {
    match address {
        Address::Tcp { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            let (reading, writing) = stream.into_split();
            Ok((Box::new(reading), Box::new(writing)))
        }
        #[cfg(unix)]
        Address::Unix(path) => {
            let (reading, writing) = tokio::net::UnixStream::connect(path).await?.into_split();
            Ok((Box::new(reading), Box::new(writing)))
        }
    }
}

impl Line {
    pub(super) async fn say(&mut self, server: &str, bytes: &[u8]) -> Result<(), Failure> {
        self.writing.write_all(bytes).await.map_err(|error| Failure::broken(server, error))
    }

    /// Gives the credentials to a server that wants them: one that does not would store them as a value.
    async fn authenticate(&mut self, server: &str, credentials: &Credentials) -> Result<(), Failure> {
        self.say(server, b"mn\r\n").await?;
        if self.answers.line().await? == b"MN" {
            return Ok(());
        }
        let Credentials { username, password } = credentials;
        let length = username.len() + 1 + password.len();
        let greeting = format!("set limitra 0 0 {length}\r\n{username} {password}\r\n");
        self.say(server, greeting.as_bytes()).await?;
        match self.answers.line().await? {
            b"STORED" => Ok(()),
            said => Err(Failure::refused(server, said)),
        }
    }
}

impl Connect for Connector {
    type Connection = Connection;
    type Error = Failure;

    async fn connect(&self) -> Result<Connection, Failure> {
        let line = self.line().await?;
        let (asked, asking) = mpsc::unbounded_channel();
        tokio::spawn(drive(Arc::clone(&self.0), line, asking));
        let mask = RandomState::new().hash_one(0);
        Ok(Connection { server: Arc::clone(&self.0), asked, number: Arc::default(), mask })
    }

    fn is_closed(connection: &Connection) -> bool {
        connection.asked.is_closed()
    }

    fn kind(error: &Failure) -> StorageErrorKind {
        error.kind()
    }
}

impl Connection {
    /// Sends a command, once, and waits for its answer. Who gives up the wait leaves the connection in order.
    pub(super) async fn ask(&self, command: &Command<'_>) -> Result<Answer, Failure> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        let number_back = Some(number).filter(|_| !command.is_noop());
        let waiting = Waiting { number: number_back, since: Instant::now(), answer };
        let closed = || Failure::Closed { server: self.server.name.clone() };
        self.asked.send(Asked { bytes: command.to_bytes(number), waiting }).map_err(|_| closed())?;
        answered.await.unwrap_or_else(|_| Err(closed()))
    }

    /// A value's version for its `cas` number on this connection; and back again.
    ///
    /// A server never gives one number twice, but one that is started again counts from 1 anew: a number that was
    /// loaded before could then be that of another value. A connection ends with its server, so each hides the numbers
    /// behind a random one of its own: a version that another connection loaded comes to a number that nothing has.
    pub(super) fn version(&self, cas: u64) -> u64 {
        cas ^ self.mask
    }
}

/// Carries commands and answers until nobody asks any more or the connection is lost.
async fn drive(server: Arc<Target>, line: Line, mut asking: mpsc::UnboundedReceiver<Asked>) {
    let Line { answers, writing } = line;
    let (wait, mut waiting) = mpsc::unbounded_channel();
    let failure = {
        let sending = pin!(send(&server, writing, &mut asking, wait));
        let receiving = pin!(receive(&server, answers, &mut waiting));
        match select(sending, receiving).await {
            Either::Left((failure, _)) | Either::Right((failure, _)) => failure,
        }
    };
    // Nobody takes it for open from here on, and nobody waits in vain.
    asking.close();
    let unsent = std::iter::from_fn(|| asking.try_recv().ok()).map(|asked| asked.waiting);
    let unanswered = std::iter::from_fn(|| waiting.try_recv().ok());
    for waiting in unanswered.chain(unsent) {
        let _gone = waiting.answer.send(Err(failure.clone()));
    }
}

/// Writes commands as they come, as many at once as there are.
async fn send(
    server: &Target,
    mut writing: Writing,
    asking: &mut mpsc::UnboundedReceiver<Asked>,
    wait: mpsc::UnboundedSender<Waiting>,
) -> Failure {
    let mut batch = Vec::new();
    while let Some(first) = asking.recv().await {
        let mut next = Some(first);
        while let Some(Asked { bytes, waiting }) = next {
            // Whoever has given up already wants nothing to happen.
            if !waiting.answer.is_closed() {
                batch.extend_from_slice(&bytes);
                // Before it is written, so that no answer comes before it is waited for.
                let _ended = wait.send(waiting);
            }
            next = if batch.len() < BATCH { asking.try_recv().ok() } else { None };
        }
        if let Err(error) = writing.write_all(&batch).await {
            return Failure::broken(&server.name, error);
        }
        batch.clear();
        batch.shrink_to(BATCH);
    }
    Failure::Closed { server: server.name.clone() }
}

/// Hands out answers in the order of their commands.
async fn receive(
    server: &Target,
    mut answers: Answers<Reading>,
    waiting: &mut mpsc::UnboundedReceiver<Waiting>,
) -> Failure {
    let deadline = server.response_timeout;
    loop {
        let next = match select(pin!(waiting.recv()), pin!(answers.wait())).await {
            Either::Left((next, _)) => Either::Left(next),
            Either::Right((failure, _)) => Either::Right(failure),
        };
        let Waiting { number, since, answer } = match next {
            Either::Left(Some(waiting)) => waiting,
            Either::Left(None) => return Failure::Closed { server: server.name.clone() },
            // Somebody may have asked for it, only that the task's turn was over before that was seen.
            Either::Right(failure) => match waiting.try_recv() {
                Ok(waiting) => waiting,
                Err(_) => return failure,
            },
        };
        // Also when nobody waits any more: else those who always give up early would keep a dead connection for ever.
        let answered = tokio::time::timeout_at(since + deadline, answers.answer(number)).await;
        let failure = match answered {
            Ok(Ok(found)) => {
                let _gone = answer.send(Ok(found));
                continue;
            }
            Ok(Err(failure)) => failure,
            Err(_) => Failure::Late { server: server.name.clone(), deadline },
        };
        let _gone = answer.send(Err(failure.clone()));
        if failure.ends_connection() {
            return failure;
        }
    }
}
