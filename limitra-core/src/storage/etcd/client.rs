//! How etcd is reached.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use etcd_client::{Client, ConnectOptions, GetOptions, KvClient, LeaseClient};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::failure;
use crate::error::StorageErrorKind;
use crate::storage::connections::Connect;
use crate::storage::key_prefix::KeyPrefix;

/// How etcd is reached: at some endpoints, or by a client that the user already has.
#[derive(Clone)]
pub(super) struct EtcdClient(Source);

#[derive(Clone)]
enum Source {
    Endpoints(Arc<Endpoints>),
    Client(Box<Client>),
}

struct Endpoints {
    addresses: Vec<String>,
    credentials: Option<Credentials>,
    /// A key that these credentials may read.
    probe: String,
    connect_timeout: Duration,
    /// How many connections were begun: each begins with another endpoint.
    begun: AtomicUsize,
}

/// Who asks.
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

/// A connection in use; a clone is the same one.
#[derive(Clone)]
pub(super) struct Made {
    pub(super) kv: KvClient,
    pub(super) lease: LeaseClient,
    /// Whose turn it is to grant a lease, so that those who need the same do not each grant one.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
    driver: Option<Arc<Driver>>,
}

/// Says whether the runtime that drives a connection is still there: a task that waits until either is gone.
struct Driver(AbortHandle);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoConnection {
    #[error("{address}: {error}")]
    Failed { address: String, error: etcd_client::Error },
    #[error("{address}: no answer in time")]
    Late { address: String },
}

impl EtcdClient {
    pub(super) fn of(client: Client) -> Self {
        Self(Source::Client(Box::new(client)))
    }

    pub(super) fn to(
        addresses: Vec<String>,
        credentials: Option<Credentials>,
        key_prefix: &KeyPrefix,
        connect_timeout: Duration,
    ) -> Self {
        let probe = key_prefix.full(super::register::PROBE).into_owned();
        // So that not every process begins with the same one.
        let begun = AtomicUsize::new(random());
        Self(Source::Endpoints(Arc::new(Endpoints { addresses, credentials, probe, connect_timeout, begun })))
    }
}

impl Endpoints {
    /// One after another, until one answers what only a member of a cluster with a leader can.
    ///
    /// One and not all of them, as the library would have it: that sends each of its calls to any of them, those that
    /// do not answer included.
    async fn reach(&self) -> Result<Made, NoConnection> {
        let (count, first) = (self.addresses.len(), self.begun.fetch_add(1, Ordering::Relaxed));
        let deadline = Instant::now() + self.connect_timeout;
        let mut failed = None;
        let in_turn = self.addresses.iter().cycle().skip(first % count.max(1)).take(count);
        for (address, left) in in_turn.zip((1..=u32::try_from(count).unwrap_or(u32::MAX)).rev()) {
            let share = deadline.saturating_duration_since(Instant::now()) / left;
            match tokio::time::timeout(share, self.connect(address)).await {
                Ok(Ok(made)) => return Ok(made),
                Ok(Err(error)) => {
                    let is_an_answer = failure::kind(&error) == StorageErrorKind::Refused;
                    failed = Some(NoConnection::Failed { address: address.clone(), error });
                    if is_an_answer {
                        break;
                    }
                }
                Err(_) => failed = Some(NoConnection::Late { address: address.clone() }),
            }
        }
        Err(failed.unwrap_or_else(|| NoConnection::Late { address: String::new() }))
    }

    async fn connect(&self, address: &str) -> Result<Made, etcd_client::Error> {
        // A token that has expired is refused before anything is run, so the library may send a call again with a new one.
        let mut options = ConnectOptions::new().with_require_leader(true).with_auto_token_refresh(true);
        if let Some(Credentials { user, password }) = &self.credentials {
            options = options.with_user(user, password);
        }
        let client = Client::connect([address], Some(options)).await?;
        let made = Made { driver: Some(Arc::new(Driver::start())), ..Made::of(&client) };
        // It connects at the first call only.
        let probe = GetOptions::new().with_count_only();
        match made.kv.clone().get(self.probe.as_str(), Some(probe)).await {
            // What it refuses is for each decision to say.
            Err(error) if failure::kind(&error) != StorageErrorKind::Refused => Err(error),
            _ => Ok(made),
        }
    }
}

impl Made {
    fn of(client: &Client) -> Self {
        Self {
            // A record is no longer than what etcd takes, but several may be read at once.
            kv: client.kv_client().max_decoding_message_size(usize::MAX),
            lease: client.lease_client(),
            turn: Arc::default(),
            driver: None,
        }
    }
}

impl Driver {
    fn start() -> Self {
        Self(tokio::spawn(std::future::pending::<()>()).abort_handle())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Connect for EtcdClient {
    type Connection = Made;
    type Error = NoConnection;

    async fn connect(&self) -> Result<Made, NoConnection> {
        match &self.0 {
            Source::Endpoints(endpoints) => endpoints.reach().await,
            Source::Client(client) => Ok(Made::of(client)),
        }
    }

    fn is_closed(connection: &Made) -> bool {
        connection.driver.as_ref().is_some_and(|driver| driver.0.is_finished())
    }

    fn kind(error: &NoConnection) -> StorageErrorKind {
        match error {
            NoConnection::Failed { error, .. } => match failure::kind(error) {
                // Nothing was asked for yet.
                StorageErrorKind::Timeout => StorageErrorKind::Unavailable,
                kind => kind,
            },
            NoConnection::Late { .. } => StorageErrorKind::Unavailable,
        }
    }

    fn can_reconnect(&self) -> bool {
        matches!(self.0, Source::Endpoints(_))
    }
}

impl fmt::Debug for EtcdClient {
    /// Without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Endpoints(endpoints) => write!(f, "endpoints {}", endpoints.addresses.join(",")),
            Source::Client(_) => f.write_str("client"),
        }
    }
}

fn random() -> usize {
    use std::hash::BuildHasher as _;

    let random = std::hash::RandomState::new().hash_one(0_u8);
    usize::try_from(random & 0xffff).unwrap_or_default()
}
