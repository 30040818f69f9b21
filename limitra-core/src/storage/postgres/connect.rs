//! How PostgreSQL is reached.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use deadpool::managed::Manager;
use deadpool_postgres::{ClientWrapper, Pool};
use futures_util::future::{try_join, try_join4};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, Error, NoTls, Statement};

use super::failure::{self, Failure};
use super::sql::Sql;
use crate::error::StorageErrorKind;
use crate::storage::connections::Connect;

/// Makes connections that limitra has to itself, and readies them.
#[derive(Clone)]
pub(super) struct Connector(Arc<Settings>);

pub(super) struct Settings {
    pub(super) source: Source,
    pub(super) sql: Sql,
    pub(super) create_table: bool,
    pub(super) connect_timeout: Duration,
    pub(super) response_timeout: Duration,
}

/// What makes the connections.
pub(super) enum Source {
    Config {
        config: Box<Config>,
        #[cfg(feature = "postgres-tls")]
        tls: Option<super::tls::Rustls>,
    },
    Pool(Pool),
}

/// A connection with its statements; its task ends with it.
pub(super) struct Live {
    pub(super) client: ClientWrapper,
    pub(super) load: Statement,
    pub(super) insert: Statement,
    pub(super) update: Statement,
    pub(super) swap: Statement,
    pub(super) sweep: Statement,
}

impl Connector {
    pub(super) fn new(settings: Settings) -> Self {
        Self(Arc::new(settings))
    }

    pub(super) fn sql(&self) -> &Sql {
        &self.0.sql
    }

    async fn client(&self) -> Result<ClientWrapper, Failure> {
        match &self.0.source {
            #[cfg(feature = "postgres-tls")]
            Source::Config { config, tls: Some(tls) } => Ok(open(config, tls.clone()).await?),
            Source::Config { config, .. } => Ok(open(config, NoTls).await?),
            Source::Pool(pool) => Ok(pool.manager().create().await?),
        }
    }

    async fn prepare(&self, client: &Client) -> Result<Prepared, Error> {
        let sql = &self.0.sql;
        let (first, second) = try_join(
            try_join4(
                client.prepare(&sql.load),
                client.prepare(&sql.insert),
                client.prepare(&sql.update),
                client.prepare(&sql.swap),
            ),
            client.prepare(&sql.sweep),
        )
        .await?;
        Ok((first, second))
    }

    /// Prepares the statements, making the table first if there is none.
    async fn prepare_or_create(&self, client: &Client) -> Result<Prepared, Failure> {
        let error = match self.prepare(client).await {
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => error,
            answer => return Ok(answer?),
        };
        let no_table = |source| Failure::NoTable { table: self.0.sql.table_name.clone(), source };
        if !self.0.create_table {
            return Err(no_table(error));
        }
        match client.batch_execute(&self.0.sql.create).await {
            Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Err(no_table(error)),
            Err(error) => Err(error.into()),
            Ok(()) => Ok(self.prepare(client).await?),
        }
    }
}

type Prepared = ((Statement, Statement, Statement, Statement), Statement);

impl Connect for Connector {
    type Connection = Arc<Live>;
    type Error = Failure;

    async fn connect(&self) -> Result<Arc<Live>, Failure> {
        let client = self.client().await?;
        // One statement is one transaction that sees what was committed before it. The plans are those by the indexes,
        // however little the server knows of a new table.
        let session = "SET default_transaction_isolation = 'read committed'; SET enable_seqscan = off; \
                       SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off; SET statement_timeout = ";
        client.batch_execute(&format!("{session}{}", millis(self.0.connect_timeout))).await?;
        let ((load, insert, update, swap), sweep) = self.prepare_or_create(&client).await?;
        // What nobody waits for any more is not to be done much later, nor to keep a connection of the server's.
        let timeout = format!("SET statement_timeout = {}", millis(self.0.response_timeout));
        client.batch_execute(&timeout).await?;
        Ok(Arc::new(Live { client, load, insert, update, swap, sweep }))
    }

    fn is_closed(connection: &Arc<Live>) -> bool {
        connection.client.is_closed()
    }

    fn kind(error: &Failure) -> StorageErrorKind {
        failure::kind(error)
    }
}

/// Opens a connection whose task ends with it.
async fn open<T>(config: &Config, tls: T) -> Result<ClientWrapper, Error>
where
    T: tokio_postgres::tls::MakeTlsConnect<tokio_postgres::Socket>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect(tls).await?;
    let driver = tokio::spawn(async move {
        // Why it ended is told to those who ask by it.
        let _ended = connection.await;
    });
    Ok(ClientWrapper::new(client, driver))
}

/// A deadline as the server counts it: whole milliseconds, and 0 would be none.
fn millis(deadline: Duration) -> i32 {
    i32::try_from(deadline.as_millis()).unwrap_or(i32::MAX).max(1)
}

impl fmt::Debug for Connector {
    /// Without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.source {
            Source::Config { config, .. } => {
                write!(f, "{:?} {:?}", config.get_hosts(), config.get_ports())
            }
            Source::Pool(_) => f.write_str("pool"),
        }
    }
}
