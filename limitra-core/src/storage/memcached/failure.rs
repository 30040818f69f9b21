//! What goes wrong with a server.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::error::StorageErrorKind;

/// How much of what a server said stands in a message.
const SHOWN: usize = 100;

/// Why there is no answer; shared by all who waited for one.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Nobody listens, or not to us.
    #[error("{server}: {error}")]
    Connect { server: String, error: Arc<io::Error> },
    #[error("{server}: the connection broke: {error}")]
    Broken { server: String, error: Arc<io::Error> },
    #[error("{server}: the server closed the connection")]
    Closed { server: String },
    #[error("{server}: no answer within {deadline:?}")]
    Late { server: String, deadline: Duration },
    /// The server said no, in its words.
    #[error("{server}: {text}")]
    Refused { server: String, text: String, kind: StorageErrorKind, ends: bool },
    /// What it said is not memcached's.
    #[error("{server}: {problem}: {text}")]
    Malformed { server: String, problem: &'static str, text: String },
}

impl Failure {
    /// An error that the server said, `line` is all of it.
    pub(super) fn refused(server: &str, line: &[u8]) -> Self {
        let says = |words: &str| line.windows(words.len()).any(|window| window == words.as_bytes());
        let kind = if says("object too large") {
            StorageErrorKind::Full
        } else if says("Too many open connections") || line.starts_with(b"BUSY") {
            StorageErrorKind::Unavailable
        } else {
            StorageErrorKind::Refused
        };
        // Whoever does not know a command takes the value behind it for the next one.
        let ends = !line.starts_with(b"SERVER_ERROR");
        let mut text = shown(line);
        if line == b"ERROR" {
            text.push_str(" (it does not know the meta commands: they came with memcached 1.6)");
        }
        Self::Refused { server: server.to_owned(), text, kind, ends }
    }

    /// An answer that makes no sense. Its first word is told: who is no memcached may repeat what it was asked, and with it a key.
    pub(super) fn malformed(server: &str, problem: &'static str, line: &[u8]) -> Self {
        let is_of_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"-/._".contains(byte);
        let length = line.iter().take_while(|byte| is_of_word(byte)).count();
        let word = line.get(..length).unwrap_or_default();
        Self::Malformed { server: server.to_owned(), problem, text: shown(word) }
    }

    pub(super) fn broken(server: &str, error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Self::Closed { server: server.to_owned() };
        }
        Self::Broken { server: server.to_owned(), error: Arc::new(error) }
    }

    /// What a caller may do about it.
    pub(super) fn kind(&self) -> StorageErrorKind {
        match self {
            Self::Connect { .. } | Self::Broken { .. } | Self::Closed { .. } => StorageErrorKind::Unavailable,
            Self::Late { .. } => StorageErrorKind::Timeout,
            Self::Refused { kind, .. } => *kind,
            Self::Malformed { .. } => StorageErrorKind::Malformed,
        }
    }

    /// Whether nothing that comes over this connection can be trusted after it.
    pub(super) fn ends_connection(&self) -> bool {
        match self {
            Self::Refused { ends, .. } => *ends,
            _ => true,
        }
    }
}

/// What a server said, fit for a message.
fn shown(line: &[u8]) -> String {
    let start = line.get(..SHOWN.min(line.len())).unwrap_or_default();
    let more = if start.len() < line.len() { ".." } else { "" };
    format!("{}{more}", start.escape_ascii())
}
