//! PostgreSQL's URLs.

use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::error::{ConfigurationError, UrlProblem};
use crate::storage::StorageUrl;

/// What is limitra's in the query; the rest of it is PostgreSQL's.
pub(super) const OWN_OPTIONS: &[&str] = &[
    "key_prefix",
    "response_timeout",
    "connect_timeout",
    "max_retries",
    "wrap_exceptions",
    "table_name",
    "create_table",
    "ssl_ca_certs",
];

/// What PostgreSQL knows, and what it may be.
const PARAMETERS: &[(&str, &str)] = &[
    ("user", "a user's name"),
    ("password", "a password"),
    ("dbname", "a database's name"),
    ("options", "settings like -c synchronous_commit=off"),
    ("application_name", "a name"),
    ("sslmode", "disable, require or verify-full"),
    ("sslnegotiation", "postgres or direct"),
    ("host", "names, or a socket's folder"),
    ("hostaddr", "addresses"),
    ("port", "ports"),
    ("tcp_user_timeout", "a number of seconds"),
    ("keepalives", "1 or 0"),
    ("keepalives_idle", "a number of seconds"),
    ("keepalives_interval", "a number of seconds"),
    ("keepalives_retries", "a number"),
    ("target_session_attrs", "any, read-write or read-only"),
    ("channel_binding", "disable, prefer or require"),
    ("load_balance_hosts", "disable or random"),
];

/// Where the server is and who asks, without what is limitra's own.
pub(super) fn config(url: &StorageUrl) -> Result<Config, ConfigurationError> {
    let part = |part, problem| url.problem(UrlProblem::Part { part, problem });
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err(part("scheme", "is neither postgres nor postgresql"));
    }
    let mut config = parameters(url)?;
    let names: Vec<String> = url.hosts().iter().map(ToString::to_string).collect();
    // By the library's own reading, for a socket's folder, which is percent-encoded.
    let hosts = format!("postgres://{}", names.join(","));
    let hosts: Config = hosts.parse().map_err(|_| url.problem(UrlProblem::Malformed))?;
    for (host, port) in hosts.get_hosts().iter().zip(hosts.get_ports()) {
        match host {
            Host::Tcp(name) => config.host(name),
            #[cfg(unix)]
            Host::Unix(folder) => config.host_path(folder),
        };
        config.port(*port);
    }
    if let Some(user) = url.username() {
        config.user(user);
    }
    if let Some(password) = url.password() {
        config.password(password);
    }
    match url.path().strip_prefix('/') {
        None | Some("") => {}
        Some(database) => {
            config.dbname(database);
        }
    }
    let (hosts, addresses, ports) =
        (config.get_hosts().len(), config.get_hostaddrs().len(), config.get_ports().len());
    if hosts == 0 && addresses == 0 {
        return Err(url.problem(UrlProblem::NoHost));
    }
    if hosts > 0 && addresses > 0 && hosts != addresses {
        return Err(part("hostaddr", "names more or fewer servers than there are hosts"));
    }
    if ports > 1 && ports != hosts.max(addresses) {
        return Err(part("port", "names more or fewer ports than there are hosts"));
    }
    Ok(config)
}

/// What the query says to PostgreSQL.
fn parameters(url: &StorageUrl) -> Result<Config, ConfigurationError> {
    let mut text = String::new();
    for (name, value) in url.query().iter().filter(|(name, _)| !OWN_OPTIONS.contains(&name.as_str())) {
        let Some(&(name, expected)) = PARAMETERS.iter().find(|(known, _)| known == name) else {
            return Err(unknown(name, url));
        };
        // The certificate is always verified, and so is the name in it.
        let value = if name == "sslmode" && value == "verify-full" { "require" } else { value };
        let setting = format!("{name}='{}' ", value.replace('\\', "\\\\").replace('\'', "\\'"));
        if setting.parse::<Config>().is_err() {
            let value = value.to_owned();
            return Err(ConfigurationError::StorageOption { name, value, expected });
        }
        text.push_str(&setting);
    }
    text.parse().map_err(|_| url.problem(UrlProblem::Malformed))
}

fn unknown(name: &str, url: &StorageUrl) -> ConfigurationError {
    let known = OWN_OPTIONS.iter().chain(PARAMETERS.iter().map(|(known, _)| known));
    let mut known: Vec<&str> = known.copied().collect();
    known.sort_unstable();
    ConfigurationError::UnknownStorageOption {
        name: name.to_owned(),
        scheme: url.scheme().to_owned(),
        known: known.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<Config, ConfigurationError> {
        config(&url.parse()?)
    }

    #[test]
    fn what_the_url_says_is_read() {
        let config = read("postgresql://an%40n:p%3Aw@db:6000,[::1]/shop%20a?sslmode=disable&key_prefix=x")
            .expect("a url");
        assert_eq!((config.get_user(), config.get_password()), (Some("an@n"), Some(&b"p:w"[..])));
        assert_eq!(config.get_hosts(), [Host::Tcp("db".into()), Host::Tcp("::1".into())]);
        assert_eq!((config.get_ports(), config.get_dbname()), (&[6000, 5432][..], Some("shop a")));
        let config =
            read("postgres://u@%2Frun%2Fpostgresql/d?options=-c%20synchronous_commit%3Doff").expect("a url");
        assert_eq!(config.get_hosts(), [Host::Unix("/run/postgresql".into())]);
        assert_eq!(config.get_options(), Some("-c synchronous_commit=off"));
        let config = read("postgres:///d?host=/run/postgresql&user=o'n\\eil").expect("a url");
        assert_eq!(config.get_hosts(), [Host::Unix("/run/postgresql".into())]);
        assert_eq!(config.get_user(), Some("o'n\\eil"));
        assert_eq!(read("postgres://u:p@ss@h").expect("a url").get_password(), Some(&b"p@ss"[..]));
    }

    #[test]
    fn a_mistake_names_the_part() {
        for (url, part) in [
            ("postgres://", "no host"),
            ("postgres://h:x", "port `x`"),
            ("postgres://h,", "hosts is empty"),
            ("redis://h", "scheme"),
            ("postgres://h?port=1&port=2", "port names more"),
            ("postgres://h?sslmode=maybe", "`sslmode` is `maybe`; give disable"),
            ("postgres://h?sslmod=require", "no option `sslmod`"),
            ("postgres://h?collection_name=x", "no option `collection_name`"),
            ("postgres://u:%zz@h", "password is not percent-encoded"),
        ] {
            let message = read(url).expect_err(url).to_string();
            assert!(message.contains(part), "{url}: {message}");
        }
    }
}
