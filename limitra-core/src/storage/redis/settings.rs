//! The settings that every way to Redis has.

use std::time::Duration;

use ::redis::ProtocolVersion;

use super::access::{Access, Credentials};
use crate::error::ConfigurationError;
use crate::storage::deadline::deadline;
use crate::storage::key_prefix::KeyPrefix;
use crate::storage::{StorageOptions, StorageUrl};

/// How long a command may take by default.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a connection may take to be made by default.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// What every way to Redis can be told; `None` is what was not said.
#[derive(Clone, Default)]
pub(super) struct Settings {
    pub(super) key_prefix: Option<String>,
    pub(super) response_timeout: Option<Duration>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    pub(super) protocol: Option<ProtocolVersion>,
    /// PEM text.
    pub(super) ca_certificate: Option<Vec<u8>>,
}

/// What every way to Redis needs.
pub(super) struct Deadlines {
    pub(super) response_timeout: Duration,
    pub(super) connect_timeout: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { response_timeout: RESPONSE_TIMEOUT, connect_timeout: CONNECT_TIMEOUT }
    }
}

impl Settings {
    /// Takes from the options what was not said already.
    pub(super) fn take(&mut self, options: &mut StorageOptions) -> Result<(), ConfigurationError> {
        let common = options.take_common()?;
        or_else(&mut self.key_prefix, common.key_prefix.text().map(str::to_owned));
        or_else(&mut self.response_timeout, common.response_timeout);
        or_else(&mut self.connect_timeout, common.connect_timeout);
        or_else(&mut self.username, options.take("username"));
        or_else(&mut self.password, options.take("password"));
        if let Some(text) = options.take("protocol") {
            let protocol = match text.trim().to_ascii_lowercase().as_str() {
                "2" | "resp2" => ProtocolVersion::RESP2,
                "3" | "resp3" => ProtocolVersion::RESP3,
                _ => {
                    let expected = "2, 3, resp2 or resp3";
                    return Err(ConfigurationError::StorageOption {
                        name: "protocol",
                        value: text,
                        expected,
                    });
                }
            };
            or_else(&mut self.protocol, Some(protocol));
        }
        if let Some(path) = options.take("ssl_ca_certs") {
            if !cfg!(feature = "redis-tls") {
                return Err(ConfigurationError::FeatureOff { what: "`ssl_ca_certs`", feature: "redis-tls" });
            }
            if self.ca_certificate.is_none() {
                let pem = std::fs::read(&path).map_err(|_| {
                    let expected = "the path of a file with PEM text that can be read";
                    ConfigurationError::StorageOption { name: "ssl_ca_certs", value: path, expected }
                })?;
                self.ca_certificate = Some(pem);
            }
        }
        Ok(())
    }

    pub(super) fn key_prefix(&self) -> Result<KeyPrefix, ConfigurationError> {
        Ok(self.key_prefix.clone().map(KeyPrefix::new).transpose()?.unwrap_or_default())
    }

    pub(super) fn deadlines(&self) -> Result<Deadlines, ConfigurationError> {
        Ok(Deadlines {
            response_timeout: deadline("response_timeout", self.response_timeout, RESPONSE_TIMEOUT)?,
            connect_timeout: deadline("connect_timeout", self.connect_timeout, CONNECT_TIMEOUT)?,
        })
    }

    /// Who limitra is to the servers; what was said beside the URL wins over what the URL says.
    pub(super) fn access(&self, url: &StorageUrl, db: i64, tls: bool) -> Result<Access, ConfigurationError> {
        let credentials = Credentials {
            username: self.username.as_deref().or(url.username()),
            password: self.password.as_deref().or(url.password()),
        };
        self.access_as(credentials, db, tls)
    }

    /// The same with other credentials.
    pub(super) fn access_as(
        &self,
        credentials: Credentials<'_>,
        db: i64,
        tls: bool,
    ) -> Result<Access, ConfigurationError> {
        let access = Access::new(credentials, db, self.protocol)?;
        if tls { access.with_tls(self.ca_certificate.as_deref()) } else { Ok(access) }
    }
}

pub(super) fn or_else<T>(said: &mut Option<T>, other: Option<T>) {
    if said.is_none() {
        *said = other;
    }
}
