//! Who limitra is to a server, and how it speaks to it.

use ::redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, ProtocolVersion};

use super::client::Way;
use crate::error::ConfigurationError;

/// Who limitra is to each server of a storage, and how it speaks to them.
#[derive(Clone)]
pub(super) struct Access {
    /// Everything but the server: its address has the certificates, where TLS is spoken.
    template: ConnectionInfo,
    protocol_is_chosen: bool,
}

/// Who limitra is; an empty name or password is none.
#[derive(Clone, Copy, Default)]
pub(super) struct Credentials<'a> {
    pub(super) username: Option<&'a str>,
    pub(super) password: Option<&'a str>,
}

impl Access {
    /// In clear.
    pub(super) fn new(
        credentials: Credentials<'_>,
        db: i64,
        protocol: Option<ProtocolVersion>,
    ) -> Result<Self, ConfigurationError> {
        let nowhere = ConnectionAddr::Tcp(String::new(), 0);
        let template = nowhere.into_connection_info().map_err(|_| ConfigurationError::NoRedisClient)?;
        let mut settings = template.redis_settings().clone().set_db(db);
        if let Some(username) = credentials.username.filter(|username| !username.is_empty()) {
            settings = settings.set_username(username);
        }
        if let Some(password) = credentials.password.filter(|password| !password.is_empty()) {
            settings = settings.set_password(password);
        }
        if let Some(protocol) = protocol {
            settings = settings.set_protocol(protocol);
        }
        Ok(Self { template: template.set_redis_settings(settings), protocol_is_chosen: protocol.is_some() })
    }

    /// By TLS; the certificate authority is PEM text, by default the usual public ones.
    #[cfg(feature = "redis-tls")]
    pub(super) fn with_tls(mut self, authority: Option<&[u8]>) -> Result<Self, ConfigurationError> {
        // The process's default, unless it has chosen one already.
        let _chosen = rustls::crypto::ring::default_provider().install_default();
        let (host, port) = (String::new(), 0);
        let address = ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None };
        self.template = self.template.set_addr(address);
        if let Some(pem) = authority {
            if !holds_certificates(pem) {
                return Err(ConfigurationError::Certificate);
            }
            let certificates = ::redis::TlsCertificates { client_tls: None, root_cert: Some(pem.to_vec()) };
            let client = ::redis::Client::build_with_tls(self.template, certificates)
                .map_err(|_| ConfigurationError::Certificate)?;
            self.template = client.get_connection_info().clone();
        }
        Ok(self)
    }

    /// By TLS, which is not there.
    #[cfg(not(feature = "redis-tls"))]
    #[allow(clippy::unused_self)] // As where there is TLS.
    pub(super) fn with_tls(self, _authority: Option<&[u8]>) -> Result<Self, ConfigurationError> {
        Err(ConfigurationError::FeatureOff { what: "TLS to redis", feature: "redis-tls" })
    }

    /// The way to a server.
    pub(super) fn way_to(&self, host: &str, port: u16) -> Way {
        let host = host.to_owned();
        self.way_at(match self.template.addr().clone() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
                ConnectionAddr::TcpTls { host, port, insecure, tls_params }
            }
            _ => ConnectionAddr::Tcp(host, port),
        })
    }

    /// The way to a server behind a unix socket.
    pub(super) fn way_to_socket(&self, path: &str) -> Way {
        self.way_at(ConnectionAddr::Unix(path.into()))
    }

    fn way_at(&self, address: ConnectionAddr) -> Way {
        Way::new(self.template.clone().set_addr(address), self.protocol_is_chosen)
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
