//! Where the servers are, and which of them has a key.

use std::fmt;
use std::hash::Hasher as _;

use siphasher::sip::SipHasher24;

use crate::error::{ConfigurationError, UrlProblem};
use crate::storage::{Host, StorageUrl};

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    Tcp {
        host: String,
        port: u16,
    },
    #[cfg(unix)]
    Unix(String),
}

/// What a server that was started with `-Y` asks for.
#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) username: String,
    pub(super) password: String,
}

impl Address {
    /// The servers of a URL.
    pub(super) fn all(url: &StorageUrl) -> Result<Vec<Self>, ConfigurationError> {
        let path = Some(url.path()).filter(|path| !matches!(*path, "" | "/"));
        match path {
            Some(path) if url.hosts().is_empty() => Self::socket(url, path).map(|socket| vec![socket]),
            Some(_) => {
                let problem = "means nothing here, a server has no databases: leave it out";
                Err(url.problem(UrlProblem::Part { part: "path", problem }))
            }
            None => {
                let addresses = url.addresses()?.into_iter();
                Ok(addresses
                    .map(|(host, port)| Self::Tcp { host: host.to_ascii_lowercase(), port })
                    .collect())
            }
        }
    }

    #[cfg(unix)]
    #[allow(clippy::unnecessary_wraps)] // Elsewhere it fails.
    fn socket(_: &StorageUrl, path: &str) -> Result<Self, ConfigurationError> {
        Ok(Self::Unix(path.to_owned()))
    }

    #[cfg(not(unix))]
    fn socket(url: &StorageUrl, _: &str) -> Result<Self, ConfigurationError> {
        let problem = "names a unix socket, which this system lacks";
        Err(url.problem(UrlProblem::Part { part: "path", problem }))
    }

    /// How much this server wants this key: the one that wants it most has it (rendezvous hashing: Thaler and Ravishankar, "A
    /// Name-Based Mapping Scheme for Rendezvous", 1996). Every process must come to the same, so this never changes:
    /// SipHash-2-4 with a key of zeros of the server as its URL has it, a zero byte, and the key.
    pub(super) fn score(&self, key: &[u8]) -> u64 {
        let mut hasher = SipHasher24::new();
        hasher.write(self.to_string().as_bytes());
        hasher.write(&[0]);
        hasher.write(key);
        hasher.finish()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => Host { name: host.clone(), port: Some(*port) }.fmt(f),
            #[cfg(unix)]
            Self::Unix(path) => path.fmt(f),
        }
    }
}

impl Credentials {
    /// The credentials in a URL, if there are any.
    pub(super) fn of(url: &StorageUrl) -> Result<Option<Self>, ConfigurationError> {
        let problem = |part, problem| Err(url.problem(UrlProblem::Part { part, problem }));
        let (username, password) = match (url.username(), url.password()) {
            (None, None) => return Ok(None),
            (Some(username), Some(password)) => (username.to_owned(), password.to_owned()),
            (Some(_), None) => return problem("password", "is missing, memcached wants both"),
            (None, Some(_)) => return problem("user", "is missing, memcached wants both"),
        };
        // They travel as words of a line.
        let is_word = |text: &str| !text.chars().any(|letter| letter.is_control() || letter == ' ');
        if !is_word(&username) {
            return problem("user", "holds a space or a control character, memcached reads none");
        }
        if !is_word(&password) {
            return problem("password", "holds a space or a control character, memcached reads none");
        }
        Ok(Some(Self { username, password }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(count: u16) -> Vec<Address> {
        (1..=count).map(|port| Address::Tcp { host: "cache".to_owned(), port }).collect()
    }

    fn winner(servers: &[Address], key: &str) -> String {
        let best = servers.iter().max_by_key(|server| server.score(key.as_bytes()));
        best.map(Address::to_string).unwrap_or_default()
    }

    #[test]
    fn keys_are_found_where_every_version_looks_for_them() {
        let servers = servers(3);
        let found = ["ada", "eve", "", "limitra:::user:u1:"].map(|key| winner(&servers, key));
        assert_eq!(found, ["cache:2", "cache:1", "cache:3", "cache:2"]);
    }

    #[test]
    fn each_server_has_its_share_and_only_the_share_of_one_that_leaves_moves() {
        let four = servers(4);
        let three = &four[..3];
        let mut shares = [0; 4];
        for key in (0..4000).map(|number| format!("limitra:::user:u{number}:")) {
            let before = winner(&four, &key);
            let place = four.iter().position(|server| server.to_string() == before).expect("one of them");
            shares[place] += 1;
            if place < 3 {
                assert_eq!(winner(three, &key), before);
            }
        }
        assert!(shares.iter().all(|share| (900..1100).contains(share)), "{shares:?}");
    }
}
