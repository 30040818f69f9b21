//! A Redis storage's settings.

use std::fmt;
use std::time::Duration;

use ::redis::Client;

use super::client::RedisClient;
use super::{CONNECT_TIMEOUT, RESPONSE_TIMEOUT, RedisStorage, url};
use crate::error::{ConfigurationError, Number};

/// The settings of a [`RedisStorage`], chained and ended by [`RedisStorageBuilder::build`].
///
/// ```
/// use limitra_core::RedisStorage;
/// use std::time::Duration;
///
/// let storage = RedisStorage::builder()
///     .url("redis://127.0.0.1:6379")
///     .response_timeout(Duration::from_millis(100))
///     .build()?;
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone, Default)]
pub struct RedisStorageBuilder {
    url: Option<String>,
    client: Option<RedisClient>,
    redis_db: Option<i64>,
    response_timeout: Option<Duration>,
    connect_timeout: Option<Duration>,
    #[cfg(feature = "redis-tls")]
    ca_certificate: Option<Vec<u8>>,
}

impl RedisStorageBuilder {
    /// Where Redis is; see [`RedisStorage::from_url`].
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// A client, a connection or a pool in place of a URL.
    pub fn client(mut self, client: impl Into<RedisClient>) -> Self {
        self.client = Some(client.into());
        self
    }

    /// The database, if the URL does not name one.
    pub fn redis_db(mut self, redis_db: i64) -> Self {
        self.redis_db = Some(redis_db);
        self
    }

    /// How long a command may take; default 500 ms.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = Some(timeout);
        self
    }

    /// How long making a connection may take; default 1 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// The certificate authority that signed the server's certificate, as PEM text; default: the usual public ones.
    #[cfg(feature = "redis-tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "redis-tls")))]
    pub fn ca_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_certificate = Some(pem.into());
        self
    }

    /// The storage. No I/O.
    ///
    /// # Errors
    /// [`ConfigurationError`] if there is neither URL nor client, or both, the URL cannot be read, or a deadline is zero.
    pub fn build(self) -> Result<RedisStorage, ConfigurationError> {
        #[cfg(feature = "redis-tls")]
        self.certificate_is_used()?;
        let client = match (&self.url, &self.client, self.redis_db) {
            (Some(url), None, _) => self.client_of(url)?,
            (None, Some(_), Some(redis_db)) => {
                return Err(ConfigurationError::RedisDb {
                    redis_db,
                    other: "a client brings its own database",
                });
            }
            (None, Some(client), None) => client.clone(),
            (Some(_), Some(_), _) => {
                return Err(ConfigurationError::TwoSources { one: "url", other: "client" });
            }
            (None, None, _) => return Err(ConfigurationError::NoRedisClient),
        };
        let response_timeout = deadline("response_timeout", self.response_timeout, RESPONSE_TIMEOUT)?;
        let connect_timeout = deadline("connect_timeout", self.connect_timeout, CONNECT_TIMEOUT)?;
        Ok(RedisStorage::of(client, response_timeout, connect_timeout))
    }

    #[cfg_attr(not(feature = "redis-tls"), allow(clippy::unused_self))] // The certificate is for TLS only.
    /// A certificate that is given in vain would leave the connection in clear.
    #[cfg(feature = "redis-tls")]
    fn certificate_is_used(&self) -> Result<(), ConfigurationError> {
        let speaks_tls = |url: &String| url.starts_with("rediss://") || url.starts_with("valkeys://");
        match (&self.ca_certificate, &self.url) {
            (Some(_), Some(url)) if !speaks_tls(url) => {
                Err(ConfigurationError::CertificateWithoutTls { to: "the url" })
            }
            (Some(_), None) if self.client.is_some() => {
                Err(ConfigurationError::CertificateWithoutTls { to: "a client of your own" })
            }
            _ => Ok(()),
        }
    }

    fn client_of(&self, url: &str) -> Result<RedisClient, ConfigurationError> {
        let info = url::parse(url, self.redis_db)?;
        let malformed = |_| ConfigurationError::Url {
            url: crate::storage::redacted(url),
            problem: crate::error::UrlProblem::Malformed,
            example: "redis://127.0.0.1:6379/0",
        };
        #[cfg(feature = "redis-tls")]
        {
            // The process's default, unless it has chosen one already.
            let _chosen = rustls::crypto::ring::default_provider().install_default();
            if let Some(pem) = &self.ca_certificate {
                if !holds_certificates(pem) {
                    return Err(ConfigurationError::Certificate);
                }
                let certificates =
                    ::redis::TlsCertificates { client_tls: None, root_cert: Some(pem.clone()) };
                let client = Client::build_with_tls(info, certificates)
                    .map_err(|_| ConfigurationError::Certificate)?;
                return Ok(RedisClient::of(client, url::names_protocol(url)));
            }
        }
        Ok(RedisClient::of(Client::open(info).map_err(malformed)?, url::names_protocol(url)))
    }
}

/// Whether this is PEM text with at least one certificate, and no broken one: without any, no server would be trusted.
#[cfg(feature = "redis-tls")]
fn holds_certificates(pem: &[u8]) -> bool {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;

    let mut found = CertificateDer::pem_slice_iter(pem).peekable();
    found.peek().is_some() && found.all(|certificate| certificate.is_ok())
}

/// A deadline; one of no time at all would make every decision an outage.
fn deadline(
    what: &'static str,
    given: Option<Duration>,
    usual: Duration,
) -> Result<Duration, ConfigurationError> {
    match given {
        Some(Duration::ZERO) => Err(ConfigurationError::NotAWindow { what, value: Number::Integer(0) }),
        given => Ok(given.unwrap_or(usual)),
    }
}

impl fmt::Debug for RedisStorageBuilder {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStorageBuilder").finish_non_exhaustive()
    }
}
