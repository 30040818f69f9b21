//! Values that are loaded and swapped.

use std::fmt;
use std::time::Instant;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use super::connection::{Connection, Connector};
use super::failure::Failure;
use super::wire::{Answer, Command};
use super::{NAME, key, listing};
use crate::error::{StorageError, StorageErrorKind};
use crate::key::Key;
use crate::storage::Bounds;
use crate::storage::connections::{Connected, Connections};
use crate::storage::key_prefix::KeyPrefix;
use crate::storage::register::{Register, Snapshot, Stored, Swap};

/// The longest expiry that counts from now on; a larger number is an instant.
const LONGEST_RELATIVE: u64 = 30 * 24 * 60 * 60;
/// By how much longer an instant is given, for the server's clock may be ahead.
const AHEAD: u64 = 60 * 60;

/// All servers.
pub(super) struct MemcachedRegister {
    pub(super) servers: Vec<Connections<Connector>>,
    pub(super) key_prefix: KeyPrefix,
    pub(super) response_timeout: Duration,
    pub(super) record_bytes: usize,
}

impl MemcachedRegister {
    fn stored(&self, key: Key<'_>) -> Vec<u8> {
        key::stored(self.key_prefix.full(key))
    }

    /// A connection to the server that has this key.
    async fn server_of(&self, key: &[u8]) -> Result<Server<'_>, StorageError> {
        let server = match self.servers.as_slice() {
            [only] => Some(only),
            all => all.iter().max_by_key(|server| server.connector().address().score(key)),
        };
        match server {
            Some(server) => self.connected(server).await,
            None => Err(StorageError::new(StorageErrorKind::Unavailable, NAME, "connect")),
        }
    }

    pub(super) async fn connected<'a>(
        &self,
        connections: &'a Connections<Connector>,
    ) -> Result<Server<'a>, StorageError> {
        let connected = connections.get().await?;
        Ok(Server { connections, connected, deadline: self.response_timeout })
    }
}

/// A server and the connection to it.
pub(super) struct Server<'a> {
    connections: &'a Connections<Connector>,
    connected: Connected<Connector>,
    deadline: Duration,
}

impl Server<'_> {
    pub(super) fn connection(&self) -> &Connection {
        &self.connected.connection
    }

    /// Sends a command, and leaves a connection by which there may be no more answers.
    pub(super) async fn ask(
        &self,
        command: Command<'_>,
        operation: &'static str,
    ) -> Result<Answer, StorageError> {
        let answered = tokio::time::timeout(self.deadline, self.connection().ask(&command)).await;
        let failure = match answered {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(failure)) => failure,
            Err(_) => {
                let server = self.connections.connector().name().to_owned();
                Failure::Late { server, deadline: self.deadline }
            }
        };
        if failure.ends_connection() {
            self.connections.discard(&self.connected);
        }
        Err(StorageError::new(failure.kind(), NAME, operation).with_source(failure))
    }

    /// An answer that does not belong to its command.
    pub(super) fn odd(&self, answer: &Answer, operation: &'static str) -> StorageError {
        self.connections.discard(&self.connected);
        let server = self.connections.connector().name();
        let failure = Failure::malformed(server, "not an answer to this", format!("{answer:?}").as_bytes());
        StorageError::new(StorageErrorKind::Malformed, NAME, operation).with_source(failure)
    }

    /// A value and its number.
    pub(super) async fn load(
        &self,
        key: &[u8],
        operation: &'static str,
    ) -> Result<Option<(Vec<u8>, u64)>, StorageError> {
        match self.ask(Command::Load { key }, operation).await? {
            Answer::Missing => Ok(None),
            Answer::Found { cas: Some(0), .. } => {
                Err(StorageError::new(StorageErrorKind::Unsupported, NAME, operation)
                    .with_source("the server was started with -C, it has no cas numbers; start it without"))
            }
            Answer::Found { bytes, cas: Some(cas) } => Ok(Some((bytes, cas))),
            answer => Err(self.odd(&answer, operation)),
        }
    }

    /// Whether the value was there, and was removed.
    pub(super) async fn delete(
        &self,
        key: &[u8],
        cas: Option<u64>,
        operation: &'static str,
    ) -> Result<bool, StorageError> {
        match self.ask(Command::Delete { key, cas }, operation).await? {
            Answer::Done => Ok(true),
            Answer::Missing | Answer::Changed => Ok(false),
            answer => Err(self.odd(&answer, operation)),
        }
    }
}

#[async_trait]
impl Register for MemcachedRegister {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn load(&self, keys: &[Key<'_>]) -> Result<Snapshot, StorageError> {
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            let key = self.stored(*key);
            let server = self.server_of(&key).await?;
            let found = server.load(&key, "decide").await?;
            values
                .push(found.map(|(bytes, cas)| Stored { bytes, version: server.connection().version(cas) }));
        }
        Ok(Snapshot { values, now: None })
    }

    async fn swap(&self, swaps: &[Swap<'_>]) -> Result<bool, StorageError> {
        let [swap] = swaps else {
            return Err(StorageError::new(StorageErrorKind::Unsupported, NAME, "decide"));
        };
        let key = self.stored(swap.key);
        let server = self.server_of(&key).await?;
        let cas = swap.expected.map(|version| server.connection().version(version));
        let expiry = expiry(swap.keep, SystemTime::now());
        match server.ask(Command::Store { key: &key, bytes: swap.bytes, cas, expiry }, "decide").await? {
            Answer::Done => Ok(true),
            Answer::Changed | Answer::Missing => Ok(false),
            answer => Err(server.odd(&answer, "decide")),
        }
    }

    async fn delete(&self, key: Key<'_>) -> Result<(), StorageError> {
        let key = self.stored(key);
        self.server_of(&key).await?.delete(&key, None, "clear").await.map(drop)
    }

    fn suspect(&self, since: Instant) {
        for server in &self.servers {
            server.suspect(since);
        }
    }

    fn bounds(&self) -> Bounds {
        Bounds { subjects: 1, record_bytes: self.record_bytes }
    }

    /// All servers have to be there.
    async fn ping(&self) -> Result<(), StorageError> {
        let pings = self.servers.iter().map(|server| async {
            let server = self.connected(server).await?;
            match server.ask(Command::Noop, "ping").await? {
                Answer::Noop => Ok(()),
                answer => Err(server.odd(&answer, "ping")),
            }
        });
        futures_util::future::try_join_all(pings).await.map(drop)
    }

    async fn reset(&self) -> Result<u64, StorageError> {
        let mut removed = 0;
        for server in &self.servers {
            removed += listing::reset(self, server).await?;
        }
        Ok(removed)
    }
}

/// When a value that is to be kept so long may go, as memcached is told.
fn expiry(keep: Duration, now: SystemTime) -> u64 {
    let seconds = keep.as_secs().saturating_add(u64::from(keep.subsec_nanos() > 0)).max(1);
    if seconds <= LONGEST_RELATIVE {
        return seconds;
    }
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let instant = now.saturating_add(seconds).saturating_add(AHEAD);
    // A later one (from 2038 on) is taken for one that is over: then it goes only where room is needed.
    if i32::try_from(instant).is_ok() { instant } else { 0 }
}

impl fmt::Debug for MemcachedRegister {
    /// Without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<&str> = self.servers.iter().map(|server| server.connector().name()).collect();
        f.debug_struct("MemcachedRegister")
            .field("servers", &servers)
            .field("key_prefix", &self.key_prefix.text())
            .field("response_timeout", &self.response_timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::address::Address;
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    #[test]
    fn an_expiry_is_relative_up_to_thirty_days_then_an_instant_then_none() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        assert_eq!(expiry(Duration::ZERO, now), 1);
        assert_eq!(expiry(Duration::from_millis(1_001), now), 2);
        assert_eq!(expiry(DAY * 30, now), 2_592_000);
        assert_eq!(expiry(DAY * 30 + Duration::from_nanos(1), now), 1_800_000_000 + 2_592_001 + 3600);
        assert_eq!(expiry(DAY * 365, now), 1_800_000_000 + 31_536_000 + 3600);
        assert_eq!(expiry(DAY * 36_500, now), 0);
        assert_eq!(expiry(Duration::MAX, now), 0);
    }

    /// A server that answers whatever is asked by a value of this number, and swaps as memcached does.
    fn serve(listener: &std::net::TcpListener, cas: u64) {
        use std::io::{BufRead as _, BufReader, Read as _, Write as _};
        for stream in listener.incoming() {
            std::thread::spawn(move || {
                let mut stream = stream.expect("a connection");
                let mut lines = BufReader::new(stream.try_clone().expect("a stream"));
                let mut line = String::new();
                while lines.read_line(&mut line).is_ok_and(|length| length > 0) {
                    let words: Vec<&str> = line.split_whitespace().collect();
                    let number = words.last().copied().unwrap_or_default();
                    if words[0] == "mg" {
                        write!(stream, "VA 2 c{cas} {number}\r\nLR\r\n").expect("a client");
                    } else {
                        let length: u64 = words[2].parse().expect("a length");
                        std::io::copy(&mut (&mut lines).take(length + 2), &mut std::io::sink())
                            .expect("a value");
                        let answer = if words.contains(&format!("C{cas}").as_str()) { "HD" } else { "EX" };
                        write!(stream, "{answer} {number}\r\n").expect("a client");
                    }
                    line.clear();
                }
            });
        }
    }

    #[test]
    fn a_number_that_another_connection_loaded_swaps_nothing() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("memcached://{}", listener.local_addr().expect("an address"));
        std::thread::spawn(move || serve(&listener, 5));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let url: crate::storage::StorageUrl = url.parse().expect("a URL");
        let address = Address::all(&url).expect("an address").remove(0);
        let connector = Connector::new(address, None, Duration::from_secs(60), 1000);
        let register = MemcachedRegister {
            servers: vec![Connections::new(NAME, connector, Duration::from_secs(60))],
            key_prefix: KeyPrefix::default(),
            response_timeout: Duration::from_secs(60),
            record_bytes: 1000,
        };
        runtime.block_on(async {
            let key = Key::from_text("ada");
            let load = || async { register.load(&[key]).await.expect("a value").values.remove(0) };
            let swap = async |version: Option<u64>| {
                let swap = Swap { key, expected: version, bytes: b"LR", keep: Duration::from_secs(1) };
                register.swap(&[swap]).await.expect("an answer")
            };
            let version = load().await.map(|stored| stored.version);
            assert!(swap(version).await);
            // Another connection, as after a restart: the value there has the very same number.
            register.servers[0]
                .discard(&register.connected(&register.servers[0]).await.expect("one").connected);
            assert!(!swap(version).await);
            let version = load().await.map(|stored| stored.version);
            assert!(swap(version).await);
        });
    }
}
