//! Where MongoDB is, by its URL.

use std::fmt::{self, Write as _};

use ::mongodb::options::{Acknowledgment, ClientOptions, ConnectionString};
use futures_util::FutureExt as _;

use crate::error::{ConfigurationError, UrlProblem};
use crate::storage::{Host, StorageUrl};

/// The settings of a URL's query that are limitra's, and not for the driver to see.
pub(super) const OWN_OPTIONS: &[&str] = &[
    "key_prefix",
    "response_timeout",
    "connect_timeout",
    "max_retries",
    "wrap_exceptions",
    "database_name",
    "collection_name",
    "create_index",
];

/// A URL that the driver has read.
#[derive(Clone)]
pub(super) struct Address {
    shown: String,
    read: Read,
}

#[derive(Clone)]
enum Read {
    Ready(Box<ClientOptions>),
    /// Its servers stand in the domain name system.
    Srv(Box<ConnectionString>),
}

impl Address {
    /// Reads a URL, without I/O.
    pub(super) fn of(url: &StorageUrl) -> Result<Self, ConfigurationError> {
        if !matches!(url.scheme(), "mongodb" | "mongodb+srv") {
            let problem = "is not `mongodb` or `mongodb+srv`";
            return Err(url.problem(UrlProblem::Part { part: "scheme", problem }));
        }
        if url.hosts().is_empty() {
            return Err(url.problem(UrlProblem::NoHost));
        }
        if url.username().is_none() && url.password().is_some() {
            let problem = "is missing before its password";
            return Err(url.problem(UrlProblem::Part { part: "user", problem }));
        }
        let settings: Vec<&str> = settings(url).collect();
        // The driver's own message may quote what is secret.
        let mistake = || match without_one(&settings, |others| Read::of(url, others).is_ok()) {
            Some(setting) => UrlProblem::Setting { name: name_of(setting).to_owned() },
            None => UrlProblem::Malformed,
        };
        let read = Read::of(url, &settings).map_err(|()| url.problem(mistake()))?;
        let hosts: Vec<String> = url.hosts().iter().map(Host::to_string).collect();
        Ok(Self { shown: format!("{}://{}", url.scheme(), hosts.join(",")), read })
    }

    /// The client's options; looks up the servers where the URL does not name them.
    pub(super) async fn options(&self) -> Result<ClientOptions, ::mongodb::error::Error> {
        match &self.read {
            Read::Ready(options) => Ok((**options).clone()),
            Read::Srv(text) => ClientOptions::parse((**text).clone()).await,
        }
    }
}

impl Read {
    fn of(url: &StorageUrl, settings: &[&str]) -> Result<Self, ()> {
        let text = ConnectionString::parse(text(url, settings)).map_err(drop)?;
        let write_concern = text.write_concern.as_ref().and_then(|write_concern| write_concern.w.as_ref());
        if write_concern == Some(&Acknowledgment::Nodes(0)) {
            // Nobody would say whether anything was written; the driver does not do it either.
            return Err(());
        }
        if url.scheme() == "mongodb+srv" {
            return Ok(Self::Srv(Box::new(text)));
        }
        // Nothing to be looked up: it does not wait.
        match ClientOptions::parse(text).into_future().now_or_never() {
            Some(Ok(options)) => Ok(Self::Ready(Box::new(options))),
            _ => Err(()),
        }
    }
}

/// The settings that are the driver's, as they stand.
fn settings(url: &StorageUrl) -> impl Iterator<Item = &str> {
    let query = url.secret_text().split_once('?').map_or("", |(_, query)| query);
    query.split('&').filter(|setting| !setting.is_empty() && !OWN_OPTIONS.contains(&name_of(setting)))
}

fn name_of(setting: &str) -> &str {
    setting.split_once('=').map_or(setting, |(name, _)| name)
}

/// The setting without which all is well.
fn without_one<'a>(settings: &[&'a str], is_well: impl Fn(&[&'a str]) -> bool) -> Option<&'a str> {
    (0..settings.len()).find_map(|place| {
        let mut others = settings.to_vec();
        let one = others.remove(place);
        is_well(&others).then_some(one)
    })
}

/// The URL as the driver wants it: with credentials escaped, without spaces and without our own settings.
fn text(url: &StorageUrl, settings: &[&str]) -> String {
    let credentials = match (url.username(), url.password()) {
        (Some(username), Some(password)) => format!("{}:{}@", escaped(username), escaped(password)),
        (Some(username), None) => format!("{}@", escaped(username)),
        (None, _) => String::new(),
    };
    let hosts: Vec<String> = url.hosts().iter().map(Host::to_string).collect();
    let path = escaped(url.path().strip_prefix('/').unwrap_or_default());
    format!("{}://{credentials}{}/{path}?{}", url.scheme(), hosts.join(","), settings.join("&"))
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _infallible = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

impl fmt::Debug for Address {
    /// Without credentials and settings.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Result<Address, ConfigurationError> {
        Address::of(&url.parse()?)
    }

    fn options(url: &str) -> ClientOptions {
        match address(url).unwrap_or_else(|error| panic!("{url}: {error}")).read {
            Read::Ready(options) => *options,
            Read::Srv(_) => panic!("{url} needs the domain name system"),
        }
    }

    #[test]
    fn what_the_driver_reads_is_read() {
        let read =
            options("mongodb://a%40:b%3A%2F@h:1, [::1]:2/admin?replicaSet=rs0&key_prefix=x&w=majority");
        let hosts: Vec<String> = read.hosts.iter().map(ToString::to_string).collect();
        assert_eq!(hosts, ["h:1", "::1:2"]);
        assert_eq!(read.repl_set_name.as_deref(), Some("rs0"));
        let credential = read.credential.expect("a credential");
        assert_eq!(credential.username.as_deref(), Some("a@"));
        // What is not escaped, as the seed allows it.
        assert_eq!(options("mongodb://a@:b@@h:1").credential.expect("one").username.as_deref(), Some("a@"));
        assert_eq!(options("async+mongodb://h").hosts.len(), 1);
        assert_eq!(options("mongodb://%2Ftmp%2Fmongodb-27017.sock").hosts.len(), 1);
    }

    #[test]
    fn servers_in_the_domain_name_system_are_read_without_asking_it() {
        let found = address("mongodb+srv://ann:secret@cluster.example.com/?retryWrites=true&key_prefix=x");
        assert!(matches!(found.expect("it is well-formed").read, Read::Srv(_)));
    }

    #[test]
    fn a_mistake_names_the_part_and_no_password() {
        for (url, complaint) in [
            ("mongodb://", "names no host"),
            ("mongodb:///limits", "names no host"),
            ("mongodb://ann:secret@h:port", "port `port`"),
            ("mongodb://ann:secret@h:1,", "empty"),
            ("mongodb://ann:se%zzcret@h", "password"),
            ("mongodb://:secret@h", "user is missing"),
            ("mongodb://ann:secret@h/?maxPoolSize=secret", "setting `maxPoolSize`"),
            ("mongodb://ann:secret@h/?w=1&socketTimeoutMS=5", "setting `socketTimeoutMS`"),
            ("mongodb://ann:secret@h/?colour=secret&w=1", "setting `colour`"),
            ("mongodb://ann:secret@h,g/?directConnection=true", "setting `directConnection`"),
            ("mongodb+srv://ann:secret@h:1", "malformed"),
            ("mongodb+srv://ann:secret@h,g", "malformed"),
            ("redis://ann:secret@h", "scheme is not `mongodb`"),
        ] {
            let error = address(url).expect_err(url).to_string();
            assert!(error.contains(complaint), "{url}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
