//! What a failure says about where else a command can go.

use ::redis::{ErrorKind, RedisError, ServerErrorKind};

use super::nodes::Address;
use crate::error::StorageErrorKind;
use crate::storage::redis::failure::{Failed, breaks_connection};

/// What to do after a failure.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Redirection {
    /// The slot is there now; nothing was run.
    Moved(Address),
    /// The slot is on its way there, and this key is already; nothing was run.
    Ask(Address),
    /// Here, but later; nothing was run.
    Later,
    /// Wherever the slot is by then, later; nothing was run.
    Elsewhere,
    /// Nowhere: whether it was run is unknown, and the node may be gone.
    Lost,
    /// Nowhere: that is the answer.
    None,
}

impl Redirection {
    /// What to do after a failure at a node of this host.
    pub(super) fn after(failed: &Failed, host: &str) -> Self {
        match failed {
            Failed::Unconnected(error) => match error.kind() {
                StorageErrorKind::Unavailable | StorageErrorKind::Timeout => Self::Elsewhere,
                _ => Self::None,
            },
            Failed::Late => Self::Lost,
            Failed::Malformed => Self::None,
            Failed::Error(error) => Self::after_error(error, host),
        }
    }

    fn after_error(error: &RedisError, host: &str) -> Self {
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::Moved) => address(error, host).map_or(Self::None, Self::Moved),
            ErrorKind::Server(ServerErrorKind::Ask) => address(error, host).map_or(Self::None, Self::Ask),
            ErrorKind::Server(ServerErrorKind::TryAgain | ServerErrorKind::BusyLoading) => Self::Later,
            ErrorKind::Server(
                ServerErrorKind::ClusterDown | ServerErrorKind::MasterDown | ServerErrorKind::ReadOnly,
            ) => Self::Elsewhere,
            ErrorKind::Server(_) | ErrorKind::Extension => Self::None,
            _ if breaks_connection(error) => Self::Lost,
            _ => Self::None,
        }
    }
}

/// The address in a redirection: `slot host:port`, where no host is the one that answered.
fn address(error: &RedisError, host: &str) -> Option<Address> {
    let (text, _slot) = error.redirect_node()?;
    let (name, port) = text.rsplit_once(':')?;
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let host = if name.is_empty() { host } else { name };
    Some(Address { host: host.to_owned(), port: port.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(reply: &str) -> Redirection {
        let value = ::redis::parse_redis_value(format!("-{reply}\r\n").as_bytes()).expect("a reply");
        let error = value.extract_error().expect_err("an error");
        Redirection::after(&Failed::Error(error), "asked")
    }

    #[test]
    fn a_redirection_names_its_node() {
        let address = |host: &str, port| Address { host: host.to_owned(), port };
        assert_eq!(after("MOVED 3999 10.0.0.1:6381"), Redirection::Moved(address("10.0.0.1", 6381)));
        assert_eq!(after("MOVED 3999 :6381"), Redirection::Moved(address("asked", 6381)));
        assert_eq!(after("ASK 3999 ::1:6381"), Redirection::Ask(address("::1", 6381)));
        assert_eq!(after("ASK 3999 [::1]:6381"), Redirection::Ask(address("::1", 6381)));
        assert_eq!(after("ASK 3999 nowhere"), Redirection::None);
    }

    #[test]
    fn only_what_was_not_run_is_sent_again() {
        assert_eq!(after("TRYAGAIN Multiple keys request during rehashing of slot"), Redirection::Later);
        assert_eq!(after("LOADING Redis is loading the dataset in memory"), Redirection::Later);
        assert_eq!(after("CLUSTERDOWN The cluster is down"), Redirection::Elsewhere);
        assert_eq!(after("MASTERDOWN Link with MASTER is down"), Redirection::Elsewhere);
        assert_eq!(after("READONLY You can't write against a read only replica."), Redirection::Elsewhere);
        for reply in ["CROSSSLOT Keys", "NOPERM no", "ERR no", "OOM no", "LIMITRAFOREIGN no", "WRONGTYPE no"]
        {
            assert_eq!(after(reply), Redirection::None, "{reply}");
        }
        let cut = RedisError::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert_eq!(Redirection::after(&Failed::Error(cut), "asked"), Redirection::Lost);
        assert_eq!(Redirection::after(&Failed::Late, "asked"), Redirection::Lost);
    }
}
