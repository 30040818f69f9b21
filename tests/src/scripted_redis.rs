//! A server of Redis whose replies a test writes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What a server says to a command of this name, and how long it takes; nothing for silence.
type Say = dyn Fn(&str) -> (Duration, Vec<u8>) + Send + Sync;

/// A server that knows only how to greet, and has one reply to every script; in the current runtime.
pub struct ScriptedRedis {
    address: SocketAddr,
    asked: Arc<AtomicU64>,
}

impl ScriptedRedis {
    /// A server with this reply.
    ///
    /// # Panics
    /// Without a free port.
    pub async fn start(reply: &[u8]) -> Self {
        let reply = reply.to_vec();
        Self::saying(move |name| match name {
            "EVALSHA" | "EVAL" => (Duration::ZERO, reply.clone()),
            _ => Self::greeting(name),
        })
        .await
    }

    /// A server that says this.
    ///
    /// # Panics
    /// Without a free port.
    pub async fn saying(say: impl Fn(&str) -> (Duration, Vec<u8>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(AtomicU64::new(0));
        let (say, count): (Arc<Say>, _) = (Arc::new(say), asked.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, say.clone(), count.clone()));
            }
        });
        Self { address, asked }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// What it says to other commands: an old server, or something in between that is none.
    pub fn greeting(name: &str) -> (Duration, Vec<u8>) {
        let said: &[u8] = match name {
            "CLIENT" | "SELECT" => b"+OK\r\n",
            _ => b"-ERR unknown command\r\n",
        };
        (Duration::ZERO, said.to_vec())
    }

    /// How many scripts it was asked to run.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn serve(mut stream: TcpStream, say: Arc<Say>, asked: Arc<AtomicU64>) {
    let (mut buffer, mut received) = (vec![0; 65_536], Vec::new());
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        received.extend_from_slice(&buffer[..length]);
        while let Some((words, used)) = command(&received) {
            received.drain(..used);
            let name = words.first().map(|name| name.to_uppercase()).unwrap_or_default();
            if matches!(name.as_str(), "EVALSHA" | "EVAL") {
                asked.fetch_add(1, Ordering::SeqCst);
            }
            let (wait, answer) = say(&name);
            tokio::time::sleep(wait).await;
            if stream.write_all(&answer).await.is_err() {
                return;
            }
        }
    }
}

/// The first whole command, and how many bytes it took.
fn command(received: &[u8]) -> Option<(Vec<String>, usize)> {
    let line = |from: usize| {
        let length = received.get(from..)?.windows(2).position(|pair| pair == b"\r\n")?;
        let text = std::str::from_utf8(&received[from..from + length]).unwrap();
        Some((text[1..].parse::<usize>().unwrap(), from + length + 2))
    };
    let (count, mut place) = line(0)?;
    let mut words = Vec::new();
    for _ in 0..count {
        let (length, from) = line(place)?;
        let word = received.get(from..from + length)?;
        received.get(from + length..from + length + 2)?;
        words.push(String::from_utf8_lossy(word).into_owned());
        place = from + length + 2;
    }
    Some((words, place))
}
