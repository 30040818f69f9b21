//! Storage URLs, taken apart.

use std::fmt;

use crate::error::{ConfigurationError, UrlProblem};

/// A storage URL, taken apart: `scheme://[username[:password]@]host:port[,host:port ..][/path][?name=value&..]`.
///
/// Username, password, path and query are percent-decoded. An IPv6 address stands in brackets. Spaces around a host are
/// ignored. The scheme is without `async+`, which the seed puts before the names of its asynchronous storages.
///
/// ```
/// use limitra_core::storage::StorageUrl;
///
/// let url: StorageUrl = "async+memcached://:p%40ss@[::1]:11211,cache:11212/".parse()?;
/// assert_eq!(url.scheme(), "memcached");
/// assert_eq!((url.username(), url.password()), (None, Some("p@ss")));
/// assert_eq!(url.hosts()[0].to_string(), "[::1]:11211");
/// assert_eq!(format!("{url:?}"), r#"StorageUrl("memcached://[::1]:11211,cache:11212/")"#);
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct StorageUrl {
    text: String,
    scheme: String,
    username: Option<String>,
    password: Option<String>,
    hosts: Vec<Host>,
    path: String,
    query: Vec<(String, String)>,
}

/// One server in a [`StorageUrl`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host {
    /// A name or an address, an IPv6 address without brackets.
    pub name: String,
    /// Its port, if one is given.
    pub port: Option<u16>,
}

impl StorageUrl {
    /// The scheme in lower case, without `async+`.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The user, if there is one that is not empty.
    pub fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    /// The password, if there is one that is not empty.
    pub fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// The servers; none where the URL goes on with a path at once.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The servers with their ports.
    ///
    /// # Errors
    /// [`ConfigurationError::Url`] if there is no server, or one has no port.
    pub fn addresses(&self) -> Result<Vec<(String, u16)>, ConfigurationError> {
        if self.hosts.is_empty() {
            return Err(self.problem(UrlProblem::NoHost));
        }
        let address = |host: &Host| match host.port {
            Some(port) => Ok((host.name.clone(), port)),
            None => Err(self.problem(UrlProblem::NoPort { host: host.to_string() })),
        };
        self.hosts.iter().map(address).collect()
    }

    /// What follows the servers, from its `/` on; empty if nothing does.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The settings behind the question mark, in their order.
    pub fn query(&self) -> &[(String, String)] {
        &self.query
    }

    /// The whole text without `async+`: it may hold a password.
    pub fn secret_text(&self) -> &str {
        &self.text
    }

    /// An error about this URL, without its credentials.
    pub fn problem(&self, problem: UrlProblem) -> ConfigurationError {
        self.problem_like(problem, example(&self.scheme))
    }

    /// The same, with a URL that works in place of the scheme's usual one.
    pub(crate) fn problem_like(&self, problem: UrlProblem, example: &'static str) -> ConfigurationError {
        ConfigurationError::Url { url: redacted(&self.text), problem, example }
    }
}

impl std::str::FromStr for StorageUrl {
    type Err = ConfigurationError;

    fn from_str(text: &str) -> Result<Self, ConfigurationError> {
        let Some((scheme, rest)) = text.trim().split_once("://") else {
            return Err(failed(text, "", UrlProblem::Malformed));
        };
        let scheme = scheme.to_ascii_lowercase();
        let scheme = scheme.strip_prefix("async+").unwrap_or(&scheme).to_owned();
        let text = format!("{scheme}://{rest}");
        let failed = |problem| failed(&text, &scheme, problem);
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (credentials, hosts) = match authority.rsplit_once('@') {
            Some((credentials, hosts)) => (Some(credentials), hosts),
            None => (None, authority),
        };
        let (username, password) = match credentials {
            Some(credentials) => credentials.split_once(':').unwrap_or((credentials, "")),
            None => ("", ""),
        };
        let given = |part: &'static str, text: &str| {
            let decoded = decoded(text).ok_or_else(|| failed(UrlProblem::Encoding { part }))?;
            Ok::<_, ConfigurationError>(Some(decoded).filter(|text| !text.is_empty()))
        };
        let (username, password) = (given("user", username)?, given("password", password)?);
        // A password with a slash or a question mark ends the servers too early: the rest of it, up to its `@`, would be taken
        // for a path or for the name of a setting, and what stands before for a server.
        let mut names =
            query.split('&').map(|setting| setting.split_once('=').map_or(setting, |(name, _)| name));
        let is_torn = path.contains('@') && !hosts.trim().is_empty() || names.any(|name| name.contains('@'));
        let hosts = parse_hosts(hosts).and_then(|hosts| {
            if is_torn { Err(UrlProblem::Encoding { part: "password" }) } else { Ok(hosts) }
        });
        let hosts = hosts.map_err(|problem| {
            let is_cut = is_torn || query.contains('@') && credentials.is_none();
            failed(if is_cut { UrlProblem::Encoding { part: "password" } } else { problem })
        })?;
        let path = given("path", path)?.unwrap_or_default();
        let mut settings = Vec::new();
        for setting in query.split('&').filter(|setting| !setting.is_empty()) {
            let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
            let (name, value) = (given("query", name)?, given("query", value)?);
            settings.push((name.unwrap_or_default(), value.unwrap_or_default()));
        }
        Ok(Self { scheme, username, password, hosts, path, query: settings, text })
    }
}

impl fmt::Debug for StorageUrl {
    /// Without credentials and query.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StorageUrl").field(&redacted(&self.text)).finish()
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]", self.name)?;
        } else {
            f.write_str(&self.name)?;
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

fn failed(text: &str, scheme: &str, problem: UrlProblem) -> ConfigurationError {
    ConfigurationError::Url { url: redacted(text), problem, example: example(scheme) }
}

fn parse_hosts(text: &str) -> Result<Vec<Host>, UrlProblem> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    text.split(',').map(|host| parse_host(host.trim())).collect()
}

fn parse_host(text: &str) -> Result<Host, UrlProblem> {
    let (name, port) = if let Some(bracketed) = text.strip_prefix('[') {
        let unclosed = || UrlProblem::BadHost { host: text.to_owned() };
        let (name, rest) = bracketed.split_once(']').ok_or_else(unclosed)?;
        let is_address = name.parse::<std::net::Ipv6Addr>().is_ok();
        if !is_address || !(rest.is_empty() || rest.starts_with(':')) {
            return Err(unclosed());
        }
        (name, rest.strip_prefix(':'))
    } else {
        let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
        (name, port)
    };
    if name.is_empty() {
        return Err(UrlProblem::EmptyHost);
    }
    if name.chars().any(|character| character.is_whitespace() || character.is_control()) {
        return Err(UrlProblem::BadHost { host: name.to_owned() });
    }
    let port = match port {
        None => None,
        Some(port) => match port.parse() {
            Ok(number) if number > 0 && port.starts_with(|first: char| first.is_ascii_digit()) => {
                Some(number)
            }
            _ => return Err(UrlProblem::BadPort { port: port.to_owned() }),
        },
    };
    Ok(Host { name: name.to_owned(), port })
}

/// Percent-decoded text; `None` if it is not UTF-8 or an escape is not one.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// The URL without user, password and query.
fn redacted(url: &str) -> String {
    let (start, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let rest = match (rest.find('?'), rest.rfind('@')) {
        // Either a password with a question mark or a query with an at sign: no telling which part is whose.
        (Some(query), Some(host)) if query < host => "..",
        (Some(query), None) => rest.get(..query).unwrap_or_default(),
        (query, Some(host)) => rest.get(host + 1..query.unwrap_or(rest.len())).unwrap_or_default(),
        (None, None) => rest,
    };
    format!("{start}{rest}")
}

/// A URL of this scheme that works.
fn example(scheme: &str) -> &'static str {
    match scheme.split_once('+').unwrap_or((scheme, "")) {
        ("redis" | "valkey", "cluster") => "redis+cluster://10.0.0.1:7000,10.0.0.2:7000",
        ("redis" | "valkey", "sentinel") => "redis+sentinel://10.0.0.1:26379,10.0.0.2:26379/mymaster",
        ("redis" | "valkey", "unix") => "redis+unix:///run/redis.sock?db=0",
        ("memcached", _) => "memcached://10.0.0.1:11211,10.0.0.2:11211",
        ("mongodb", "srv") => "mongodb+srv://cluster.example.com",
        ("mongodb", _) => "mongodb://127.0.0.1:27017",
        ("etcd", _) => "etcd://10.0.0.1:2379,10.0.0.2:2379",
        ("postgres" | "postgresql", _) => "postgres://user@127.0.0.1:5432/database",
        ("memory", _) => "memory://",
        _ => "redis://127.0.0.1:6379/0",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(url: &str) -> UrlProblem {
        match url.parse::<StorageUrl>() {
            Err(ConfigurationError::Url { problem, .. }) => problem,
            other => panic!("{url}: {other:?}"),
        }
    }

    #[test]
    fn what_the_seed_reads_is_read() {
        let parse = |url: &str| url.parse::<StorageUrl>().unwrap_or_else(|error| panic!("{url}: {error}"));
        let hosts = |url| parse(url).hosts().iter().map(Host::to_string).collect::<Vec<_>>();
        assert!(hosts("schema://").is_empty());
        assert_eq!(hosts("schema://[::1]:1,localhost:2"), ["[::1]:1", "localhost:2"]);
        assert_eq!(hosts("schema://localhost:1, localhost:2"), ["localhost:1", "localhost:2"]);
        let url = parse("schema://a@:b@@localhost:1");
        assert_eq!((url.username(), url.password()), (Some("a@"), Some("b@")));
        let url = parse("schema://a%40:b%3A%2F@localhost:1/x%20y?k=v%26w&flag");
        assert_eq!((url.username(), url.password(), url.path()), (Some("a@"), Some("b:/"), "/x y"));
        assert_eq!(url.query(), [("k".into(), "v&w".into()), ("flag".into(), String::new())]);
        let url = parse("schema://:@localhost:1");
        assert_eq!((url.username(), url.password()), (None, None));
    }

    #[test]
    fn a_mistake_names_the_part() {
        assert_eq!(problem("localhost:1"), UrlProblem::Malformed);
        let told = "localhost:1".parse::<StorageUrl>().expect_err("no scheme").to_string();
        assert!(
            told.contains("it is malformed, or not of the form `scheme://host`; write it like redis://"),
            "{told}"
        );
        assert_eq!(problem("a://h:notaport"), UrlProblem::BadPort { port: "notaport".into() });
        assert_eq!(problem("a://h:+1"), UrlProblem::BadPort { port: "+1".into() });
        assert_eq!(problem("a://h:0"), UrlProblem::BadPort { port: "0".into() });
        assert_eq!(problem("a://h:65536"), UrlProblem::BadPort { port: "65536".into() });
        assert_eq!(problem("a://h:"), UrlProblem::BadPort { port: String::new() });
        assert_eq!(problem("a://h:1,"), UrlProblem::EmptyHost);
        assert_eq!(problem("a://,h:1"), UrlProblem::EmptyHost);
        assert_eq!(problem("a://:1"), UrlProblem::EmptyHost);
        assert_eq!(problem("a://h g:1"), UrlProblem::BadHost { host: "h g".into() });
        assert_eq!(problem("a://[::1:1"), UrlProblem::BadHost { host: "[::1:1".into() });
        assert_eq!(problem("a://u:%zz@h:1"), UrlProblem::Encoding { part: "password" });
        let url: StorageUrl = "memcached://h".parse().expect("a host");
        assert!(url.addresses().is_err_and(|error| error.to_string().contains("`h` has no port")));
    }

    #[test]
    fn no_password_stands_in_a_message() {
        for url in [
            "a://u:secret/x@h:1",
            "a://u:secret?x@h:1",
            "a://u:x/secret@h:1",
            "a://u:x?secret@h:1",
            "a://u:secret@h:x",
            "a://u:secret@h g:1",
            "a://u:sec%ret@,",
            "a:secret@h",
            "a://h:x?p=secret",
            "a://u:sec/ret@h",
            "a://u:sec?ret@h",
            "a://u:1/secret@h:1",
            "a://u:1?secret@h:1",
            "a://u:1?x&secret@h:1/d",
            "a://u:a@sec/ret@h:1",
            "a://u:a@b:sec/ret@h:1",
            "a://u:a@b:sec?ret@h:1",
            "a://u:1,sec/ret@h:1",
        ] {
            let error = url.parse::<StorageUrl>().expect_err(url);
            assert!(!error.to_string().contains("sec"), "{error}");
        }
    }
}
