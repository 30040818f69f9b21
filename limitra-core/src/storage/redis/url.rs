//! The URL of one server.

use crate::error::{ConfigurationError, UrlProblem};
use crate::storage::{StorageOptions, StorageUrl};

/// The port where none is given.
pub(super) const PORT: u16 = 6379;

/// Where a server is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    Tcp { host: String, port: u16, tls: bool },
    Socket { path: String },
}

/// Reads where the one server of a URL is.
pub(super) fn place(url: &StorageUrl) -> Result<Place, ConfigurationError> {
    let part = |part, problem| Err(url.problem(UrlProblem::Part { part, problem }));
    let tls = match url.scheme() {
        "redis" | "valkey" => false,
        "rediss" | "valkeys" => true,
        "redis+unix" | "valkey+unix" | "unix" => {
            return match (url.hosts(), url.path()) {
                ([], "" | "/") => part("path", "is missing, where the socket is to stand"),
                ([], path) => Ok(Place::Socket { path: path.to_owned() }),
                _ => Err(url.problem(UrlProblem::NoHostHere)),
            };
        }
        _ => return Err(url.problem_like(UrlProblem::UnknownScheme, "redis://127.0.0.1:6379/0")),
    };
    match url.hosts() {
        [] => Err(url.problem(UrlProblem::NoHost)),
        [host] => Ok(Place::Tcp { host: host.name.clone(), port: host.port.unwrap_or(PORT), tls }),
        _ => part("host", "is more than one; a cluster is `redis+cluster://`"),
    }
}

/// The database that the URL names, by its path or its query.
pub(super) fn database(url: &StorageUrl, place: &Place) -> Result<Option<i64>, ConfigurationError> {
    let queried = url.query().iter().find(|(name, _)| name == "db").map(|(_, value)| value.as_str());
    let named = match place {
        Place::Tcp { .. } => Some(url.path().trim_matches('/')),
        Place::Socket { .. } => None,
    };
    match queried.or(named) {
        None | Some("") => Ok(None),
        Some(text) => match text.trim().parse() {
            Ok(db @ 0..) => Ok(Some(db)),
            _ => Err(url.problem(UrlProblem::Database)),
        },
    }
}

/// The options in the URL's query alone.
pub(super) fn query(url: &StorageUrl) -> Result<StorageOptions, ConfigurationError> {
    let mut options = StorageOptions::new();
    options.read_query(url, None)?;
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::redis::RedisStorage;

    fn parse(url: &str) -> Result<(Place, Option<i64>), ConfigurationError> {
        let url: StorageUrl = url.parse()?;
        let place = place(&url)?;
        let db = database(&url, &place)?;
        Ok((place, db))
    }

    #[test]
    fn what_the_seed_reads_is_read() {
        let tcp = |host: &str, port, tls| Place::Tcp { host: host.to_owned(), port, tls };
        let socket = |path: &str| Place::Socket { path: path.to_owned() };
        for (url, expected) in [
            ("redis://host", (tcp("host", PORT, false), None)),
            ("async+redis://ada:sesame@host:1/3", (tcp("host", 1, false), Some(3))),
            ("valkeys://[::1]:2/?db=4", (tcp("::1", 2, true), Some(4))),
            ("rediss://host/?ssl_ca_certs=/etc/ca.pem", (tcp("host", PORT, true), None)),
            ("redis+unix:///run/x.sock?db=2", (socket("/run/x.sock"), Some(2))),
            ("valkey+unix://:sesame@/run/x%20y.sock", (socket("/run/x y.sock"), None)),
        ] {
            assert_eq!(parse(url), Ok(expected), "{url}");
        }
    }

    #[test]
    fn a_mistake_names_the_part() {
        for (url, problem) in [
            ("redis://", "it names no host"),
            ("redis://:@", "it names no host"),
            ("redis://host:", "its port `` is not a number"),
            ("redis://host:x", "its port `x` is not a number"),
            ("redis://host:65536", "its port `65536` is not a number"),
            ("redis://host:1,", "one of its hosts is empty"),
            ("redis://host:1,other:2", "its host is more than one"),
            ("redis://ho st:1", "its host `ho st` cannot be one"),
            ("redis://ada:%zz@host", "its password is not percent-encoded"),
            ("redis://host/first", "its database is not a number"),
            ("redis://host/-1", "its database is not a number"),
            ("redis+unix:///run/x.sock?db=x", "its database is not a number"),
            ("redis+unix://host/run/x.sock", "it names a host"),
            ("redis+unix://?db=1", "its path is missing"),
            ("redis+cluster://host:1", "its scheme is unknown"),
            ("http://host", "its scheme is unknown"),
        ] {
            let message = parse(url).expect_err(url).to_string();
            assert!(message.contains(problem), "{url}: {message}");
        }
    }

    #[test]
    fn no_password_stands_in_a_message() {
        for url in [
            "redis://user:secret@:bad@@host/notanumber",
            "rediss://:secret@host:notaport",
            "nothing:secret@host",
            "redis+unix:///run/x.sock?pass=secret&db=secret",
            "http://u:secret@host",
            "redis://u:secret?more@host:notaport",
            "redis://u:more?secret@host:notaport",
            "redis://u:secret/more@host:notaport",
            "redis+unix:///run/x.sock?pass=more@secret&db=x",
        ] {
            let message = parse(url).expect_err(url).to_string();
            assert!(!message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn a_database_is_named_once() {
        let built = |url, db| RedisStorage::builder().url(url).redis_db(db).build();
        assert!(built("redis://host", 3).is_ok());
        assert!(built("redis://host/3", 3).is_ok());
        assert!(built("redis://host/2", 3).is_err());
        assert!(built("redis+unix:///run/x.sock?db=2", 3).is_err());
        assert!(built("redis://host", -1).is_err());
    }
}
