//! The removal of all records, found by the list of a server's keys.

use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::connection::{Connector, Line};
use super::failure::Failure;
use super::register::{MemcachedRegister, Server};
use super::{NAME, key};
use crate::error::{StorageError, StorageErrorKind};
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

/// Reads the list once, page by page: the server waits with its list, and goes on answering others.
async fn pass(
    register: &MemcachedRegister,
    connections: &Connections<Connector>,
    walk: Walk,
) -> Result<u64, StorageError> {
    let beginning = register.key_prefix.beginning();
    let server = register.connected(connections).await?;
    let mut list = List::open(connections.connector(), register.response_timeout, walk).await?;
    let (mut removed, mut page) = (0, Vec::with_capacity(PAGE));
    while let Some(key) = list.next().await? {
        if key.starts_with(beginning.as_bytes()) {
            page.push(key);
        }
        if page.len() == PAGE {
            removed += remove(&server, &page).await?;
            page.clear();
        }
    }
    Ok(removed + remove(&server, &page).await?)
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

/// The keys of a server, by a connection of its own.
struct List<'a> {
    server: &'a str,
    line: Line,
    walk: Walk,
    deadline: Duration,
    /// Until when it may go on being busy.
    patience: Instant,
    has_begun: bool,
}

impl<'a> List<'a> {
    async fn open(connector: &'a Connector, deadline: Duration, walk: Walk) -> Result<Self, StorageError> {
        let server = connector.name();
        let late = |_| error(&Failure::Late { server: server.to_owned(), deadline });
        let opened = timeout(deadline, connector.line()).await.map_err(late)?;
        let line = opened.map_err(|failure| error(&failure))?;
        let patience = Instant::now() + BUSY;
        let mut list = Self { server, line, walk, deadline, patience, has_begun: false };
        list.ask().await?;
        Ok(list)
    }

    async fn ask(&mut self) -> Result<(), StorageError> {
        let command: &[u8] = match self.walk {
            Walk::Hash => b"lru_crawler metadump hash\r\n",
            Walk::Age => b"lru_crawler metadump all\r\n",
        };
        let asked = timeout(self.deadline, self.line.say(self.server, command)).await;
        let late = |_| error(&Failure::Late { server: self.server.to_owned(), deadline: self.deadline });
        asked.map_err(late)?.map_err(|failure| error(&failure))
    }

    /// The next key; `None` at the end.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, StorageError> {
        loop {
            let until = Instant::now() + self.deadline;
            let said = timeout_at(until, self.line.answers.line()).await;
            let late = |_| error(&Failure::Late { server: self.server.to_owned(), deadline: self.deadline });
            let said = said.map_err(late)?.map_err(|failure| error(&failure))?;
            if let Some(entry) = said.strip_prefix(b"key=") {
                self.has_begun = true;
                let word = entry.split(|byte| *byte == b' ').next().unwrap_or_default();
                // What could not be asked for is not ours.
                match decoded(word).filter(|key| key.iter().all(|byte| key::is_allowed(*byte))) {
                    Some(key) => return Ok(Some(key)),
                    None => continue,
                }
            }
            if said == b"END" || said.starts_with(b"NOTSTARTED") {
                return Ok(None);
            }
            let is_busy = said.starts_with(b"BUSY") && !self.has_begun;
            if !is_busy || Instant::now() > self.patience {
                let mut failure = Failure::refused(self.server, said);
                if let Failure::Refused { kind, .. } = &mut failure
                    && is_busy
                {
                    *kind = StorageErrorKind::Unavailable;
                }
                return Err(error(&failure));
            }
            sleep(PAUSE).await;
            self.ask().await?;
        }
    }
}

fn error(failure: &Failure) -> StorageError {
    StorageError::new(failure.kind(), NAME, "reset").with_source(failure.clone())
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
