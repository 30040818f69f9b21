//! The removal of all records, found by the list of a server's keys.

use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::{Instant, sleep, timeout};

use super::connection::Connector;
use super::failure::Failure;
use super::register::{MemcachedRegister, Server};
use super::{NAME, key};
use crate::error::StorageError;
use crate::storage::connections::Connections;

/// What every record begins with.
const MAGIC: &[u8] = b"LR";
/// So many are looked at, and removed, at once.
const PAGE: usize = 64;
/// The list is read until nothing of ours is in it, but not for ever while others write.
const MOST_PASSES: usize = 8;
/// How long the server may be busy with another list.
const BUSY: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// How a server goes about its list.
#[derive(Clone, Copy)]
enum Walk {
    /// By its hash table: whatever stood there all the while is listed, unless the table is just being enlarged.
    Hash,
    /// By age: what was read meanwhile has another age, and may be missed.
    Age,
}

/// Removes all records of one server; how many there were.
pub(super) async fn reset(
    register: &MemcachedRegister,
    connections: &Connections<Connector>,
) -> Result<u64, StorageError> {
    let (mut removed, mut walk) = (0, Walk::Hash);
    for _ in 0..MOST_PASSES {
        let found = pass(register, connections, walk).await?;
        removed += found;
        walk = match (walk, found) {
            (Walk::Age, 0) => break,
            // Each misses something else.
            (Walk::Hash, 0) => Walk::Age,
            _ => Walk::Hash,
        };
    }
    Ok(removed)
}

/// Reads the list once, and then removes page by page: while the list is read the server may hold a lock on some keys, so
/// nothing is asked of it meanwhile.
async fn pass(
    register: &MemcachedRegister,
    connections: &Connections<Connector>,
    walk: Walk,
) -> Result<u64, StorageError> {
    let server = register.connected(connections).await?;
    let error = |failure: Failure| StorageError::new(failure.kind(), NAME, "reset").with_source(failure);
    let beginning = register.key_prefix.beginning();
    let deadline = register.response_timeout;
    let patience = Instant::now() + BUSY;
    let keys = loop {
        let list = List { connector: connections.connector(), deadline };
        match list.keys(walk, beginning.as_bytes()).await.map_err(error)? {
            Listed::Keys(keys) => break keys,
            Listed::Busy(failure) if Instant::now() > patience => return Err(error(failure)),
            // By another connection the next time: one that was told so may get no answer any more.
            Listed::Busy(_) => sleep(PAUSE).await,
        }
    };
    let mut removed = 0;
    for page in keys.chunks(PAGE) {
        removed += remove(&server, page).await?;
    }
    Ok(removed)
}

/// Removes those that are records.
async fn remove(server: &Server<'_>, keys: &[Vec<u8>]) -> Result<u64, StorageError> {
    let removals = keys.iter().map(|key| async move {
        match server.load(key, "reset").await? {
            Some((bytes, cas)) if bytes.starts_with(MAGIC) => {
                server.delete(key, Some(cas), "reset").await.map(u64::from)
            }
            _ => Ok(0),
        }
    });
    try_join_all(removals).await.map(|removed| removed.into_iter().sum())
}

/// The list of a server's keys, by a connection of its own.
struct List<'a> {
    connector: &'a Connector,
    deadline: Duration,
}

/// What came of it.
enum Listed {
    Keys(Vec<Vec<u8>>),
    /// It lists for somebody else.
    Busy(Failure),
}

impl List<'_> {
    /// All keys that begin with this.
    async fn keys(&self, walk: Walk, beginning: &[u8]) -> Result<Listed, Failure> {
        let server = self.connector.name();
        let mut line = self.within(self.connector.line()).await?;
        let command: &[u8] = match walk {
            Walk::Hash => b"lru_crawler metadump hash\r\n",
            Walk::Age => b"lru_crawler metadump all\r\n",
        };
        self.within(line.say(server, command)).await?;
        let mut keys = Vec::new();
        loop {
            let said = self.within(line.answers.line()).await?;
            if let Some(entry) = said.strip_prefix(b"key=") {
                let word = entry.split(|byte| *byte == b' ').next().unwrap_or_default();
                // What could not be asked for is not ours.
                let is_ours = |key: &Vec<u8>| {
                    key.starts_with(beginning) && key.iter().all(|byte| key::is_allowed(*byte))
                };
                keys.extend(decoded(word).filter(is_ours));
            } else if said == b"END" || said.starts_with(b"NOTSTARTED") {
                return Ok(Listed::Keys(keys));
            } else if said.starts_with(b"BUSY") {
                return Ok(Listed::Busy(Failure::refused(server, said)));
            } else if said != b"OK" {
                return Err(Failure::refused(server, said));
            }
        }
    }

    async fn within<T>(&self, answer: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let late = |_| Failure::Late { server: self.connector.name().to_owned(), deadline: self.deadline };
        timeout(self.deadline, answer).await.map_err(late)?
    }
}

/// A key as it is, of one where `%XX` stands for what is not a letter, a digit or the like.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        if *byte == b'%' {
            let mut digit = || char::from(*rest.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(*byte);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_a_list_are_decoded() {
        assert_eq!(decoded(b"limitra%3A%C3%A9").as_deref(), Some("limitra:é".as_bytes()));
        assert_eq!(decoded(b"100%25").as_deref(), Some(&b"100%"[..]));
        assert_eq!(decoded(b"100%2"), None);
        assert_eq!(decoded(b"100%zz"), None);
    }
}
