//! Servers, and the plainest write that each can be asked for.

use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;

use limitra::{AnyStorage, storage};
use limitra_tests::RedisServer;

/// One write by a task of its own key.
pub(crate) type Write = Arc<dyn Fn(usize) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// A storage, and a write on the same server.
pub(crate) struct Contestant {
    pub(crate) storage: AnyStorage,
    pub(crate) write: Write,
    /// Ended with it.
    _server: Box<dyn Any + Send + Sync>,
}

type Start = fn() -> Pin<Box<dyn Future<Output = Contestant>>>;

/// As long as a record of one rule.
const VALUE: [u8; 40] = [7; 40];

pub(crate) const ALL: &[(&str, Start)] = &[("redis", || Box::pin(redis()))];

async fn redis() -> Contestant {
    let server = RedisServer::start();
    let client = redis::Client::open(server.url()).unwrap();
    let connection = client.get_multiplexed_async_connection().await.unwrap();
    let write: Write = Arc::new(move |task| {
        let mut connection = connection.clone();
        Box::pin(async move {
            let mut command = redis::cmd("SET");
            command.arg(task).arg(&VALUE).arg("PX").arg(60_000);
            command.exec_async(&mut connection).await.unwrap();
        })
    });
    Contestant { storage: storage::from_url(&server.url(), ()).unwrap(), write, _server: Box::new(server) }
}
