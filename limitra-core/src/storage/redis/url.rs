//! Storage URLs.

use ::redis::{ConnectionInfo, IntoConnectionInfo as _};

use crate::error::{ConfigurationError, UrlProblem};
use crate::storage::redacted;

const EXAMPLE: &str = "redis://127.0.0.1:6379/0";

/// Reads a URL; `redis_db` is the database if the URL does not name one.
pub(super) fn parse(url: &str, redis_db: Option<i64>) -> Result<ConnectionInfo, ConfigurationError> {
    let failed = |problem| ConfigurationError::Url { url: redacted(url), problem, example: EXAMPLE };
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(failed(UrlProblem::Malformed));
    };
    match scheme {
        "redis" | "valkey" | "redis+unix" | "valkey+unix" | "unix" => {}
        "rediss" | "valkeys" if cfg!(feature = "redis-tls") => {}
        "rediss" | "valkeys" => {
            return Err(ConfigurationError::FeatureOff { what: "`rediss://`", feature: "redis-tls" });
        }
        _ => return Err(failed(UrlProblem::UnknownScheme)),
    }
    let info = url.into_connection_info().map_err(|error| {
        let is_database = error.to_string().to_lowercase().contains("database");
        failed(if is_database { UrlProblem::Database } else { UrlProblem::Malformed })
    })?;
    let Some(redis_db) = redis_db else {
        return Ok(info);
    };
    if redis_db < 0 {
        return Err(ConfigurationError::RedisDb { redis_db, other: "a database is numbered from 0" });
    }
    let names_another = names_database(scheme, rest) && info.redis_settings().db() != redis_db;
    if names_another {
        return Err(ConfigurationError::RedisDb { redis_db, other: "the url names another database" });
    }
    let settings = info.redis_settings().clone().set_db(redis_db);
    Ok(info.set_redis_settings(settings))
}

fn names_database(scheme: &str, rest: &str) -> bool {
    let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
    if scheme.ends_with("unix") {
        query.split('&').any(|setting| setting.starts_with("db="))
    } else {
        address.split_once('/').is_some_and(|(_, path)| !path.is_empty())
    }
}

/// Whether the URL says which protocol is to be spoken.
pub(super) fn names_protocol(url: &str) -> bool {
    url.split_once('?')
        .is_some_and(|(_, query)| query.split('&').any(|setting| setting.starts_with("protocol=")))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            "redis+unix:///run/x.sock?pass=more@secret&db=x",
        ] {
            let message = parse(url, None).expect_err(url).to_string();
            assert!(!message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn a_database_is_named_once() {
        assert!(parse("redis://host", Some(3)).is_ok_and(|info| info.redis_settings().db() == 3));
        assert!(parse("redis://host/3", Some(3)).is_ok());
        assert!(parse("redis://host/2", Some(3)).is_err());
        assert!(parse("redis+unix:///run/x.sock?db=2", Some(3)).is_err());
        assert!(parse("redis://host", Some(-1)).is_err());
    }
}
