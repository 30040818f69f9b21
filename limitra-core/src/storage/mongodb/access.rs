//! The way to the records.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::mongodb::Client;

use super::address::Address;
use super::failure::Failure;
use super::records::Records;
use crate::error::StorageErrorKind;
use crate::storage::connections::Connect;

/// How the records are reached: a client for each runtime, or the user's own for all.
#[derive(Clone)]
pub(super) struct Access {
    source: Source,
    database: Arc<str>,
    collection: Arc<str>,
    create_index: bool,
    connect_timeout: Duration,
}

#[derive(Clone, Debug)]
enum Source {
    Address(Address),
    Client(Client),
}

impl Access {
    pub(super) fn of_address(address: Address, database: &str, collection: &str, create_index: bool) -> Self {
        Self::of(Source::Address(address), database, collection, create_index)
    }

    pub(super) fn of_client(client: Client, database: &str, collection: &str, create_index: bool) -> Self {
        Self::of(Source::Client(client), database, collection, create_index)
    }

    fn of(source: Source, database: &str, collection: &str, create_index: bool) -> Self {
        let connect_timeout = super::CONNECT_TIMEOUT;
        Self {
            source,
            database: database.into(),
            collection: collection.into(),
            create_index,
            connect_timeout,
        }
    }

    /// The same within this deadline.
    pub(super) fn within(mut self, connect_timeout: Duration) -> Self {
        self.connect_timeout = connect_timeout;
        self
    }

    async fn client(&self) -> Result<Client, Failure> {
        let address = match &self.source {
            Source::Client(client) => return Ok(client.clone()),
            Source::Address(address) => address,
        };
        let mut options = address.options().await?;
        // A little sooner than our own deadline, so that it can say why there is no server; by itself it takes 30 s.
        options.server_selection_timeout = Some(self.connect_timeout.mul_f64(0.9));
        options.connect_timeout.get_or_insert(self.connect_timeout);
        options.retry_writes = Some(false);
        options.app_name.get_or_insert_with(|| "limitra".to_owned());
        Ok(Client::with_options(options)?)
    }
}

impl Connect for Access {
    type Connection = Records;
    type Error = Failure;

    async fn connect(&self) -> Result<Records, Failure> {
        let client = self.client().await?;
        let records = Records::new(&client, &self.database, &self.collection);
        if self.create_index {
            records.create_index().await?;
        } else {
            records.ping().await?;
        }
        Ok(records)
    }

    fn is_closed(records: &Records) -> bool {
        records.is_closed()
    }

    fn kind(failure: &Failure) -> StorageErrorKind {
        failure.kind()
    }

    fn can_reconnect(&self) -> bool {
        matches!(self.source, Source::Address(_))
    }
}

impl fmt::Debug for Access {
    /// Without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Address(address) => address.fmt(f)?,
            Source::Client(_) => f.write_str("client")?,
        }
        write!(f, " {}.{}", self.database, self.collection)
    }
}
