//! Servers, and the plainest write that each can be asked for.

use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;

use limitra::{AnyStorage, storage};
use limitra_tests::{EtcdServer, MemcachedServer, MongoDbServer, PostgresServer, RedisCluster, RedisServer};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

/// One write by a task of its own key.
pub(crate) type Write = Arc<dyn Fn(usize) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// A storage, and a write on the same server.
pub(crate) struct Contestant {
    pub(crate) storage: AnyStorage,
    pub(crate) write: Write,
    /// Ended with it.
    _server: Box<dyn Any + Send + Sync>,
}

impl Contestant {
    fn new(url: &str, write: Write, server: impl Any + Send + Sync) -> Self {
        // What is measured is throughput: no deadline should end a round.
        let options = [("response_timeout", "30"), ("connect_timeout", "30")];
        Self { storage: storage::from_url(url, options).unwrap(), write, _server: Box::new(server) }
    }
}

type Start = fn() -> Pin<Box<dyn Future<Output = Contestant>>>;

/// As long as a record of one rule.
const VALUE: [u8; 40] = [7; 40];

pub(crate) const ALL: &[(&str, Start)] = &[
    ("redis", || Box::pin(redis())),
    ("redis-cluster", || Box::pin(redis_cluster())),
    ("memcached", || Box::pin(memcached())),
    ("mongodb", || Box::pin(mongodb())),
    ("etcd", || Box::pin(etcd())),
    ("postgres", || Box::pin(postgres())),
];

fn set(task: usize) -> redis::Cmd {
    let mut command = redis::cmd("SET");
    command.arg(task).arg(&VALUE).arg("PX").arg(60_000);
    command
}

async fn redis() -> Contestant {
    let server = RedisServer::start();
    let client = redis::Client::open(server.url()).unwrap();
    let connection = client.get_multiplexed_async_connection().await.unwrap();
    let write: Write = Arc::new(move |task| {
        let mut connection = connection.clone();
        Box::pin(async move { set(task).exec_async(&mut connection).await.unwrap() })
    });
    Contestant::new(&server.url(), write, server)
}

async fn redis_cluster() -> Contestant {
    let cluster = RedisCluster::start();
    let nodes = cluster.url().replace("redis+cluster://", "");
    let nodes = nodes.split(',').map(|node| format!("redis://{node}"));
    let client = redis::cluster::ClusterClient::new(nodes).unwrap();
    let connection = client.get_async_connection().await.unwrap();
    let write: Write = Arc::new(move |task| {
        let mut connection = connection.clone();
        Box::pin(async move { set(task).exec_async(&mut connection).await.unwrap() })
    });
    Contestant::new(&cluster.url(), write, cluster)
}

async fn memcached() -> Contestant {
    let server = MemcachedServer::start();
    let mut streams = Vec::new();
    for _ in 0..64 {
        let stream = TcpStream::connect(server.address()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        streams.push(Arc::new(Mutex::new(BufReader::new(stream))));
    }
    let write: Write = Arc::new(move |task| {
        let stream = Arc::clone(&streams[task]);
        Box::pin(async move {
            let mut stream = stream.lock().await;
            let mut command = format!("ms {task} {} T60\r\n", VALUE.len()).into_bytes();
            command.extend(VALUE);
            command.extend(b"\r\n");
            stream.write_all(&command).await.unwrap();
            let mut reply = String::new();
            stream.read_line(&mut reply).await.unwrap();
            assert_eq!(reply, "HD\r\n");
        })
    });
    Contestant::new(&server.url(), write, server)
}

async fn mongodb() -> Contestant {
    use mongodb::bson::{Binary, Document, doc, spec::BinarySubtype};
    let server = MongoDbServer::start();
    let client = mongodb::Client::with_uri_str(server.url()).await.unwrap();
    let collection = client.database("bench").collection::<Document>("writes");
    let write: Write = Arc::new(move |task| {
        let collection = collection.clone();
        Box::pin(async move {
            let value = Binary { subtype: BinarySubtype::Generic, bytes: VALUE.to_vec() };
            let key = task.to_string();
            let update = doc! { "$set": { "value": value }, "$inc": { "version": 1 } };
            collection.update_one(doc! { "_id": key }, update).upsert(true).await.unwrap();
        })
    });
    Contestant::new(&server.url(), write, server)
}

async fn etcd() -> Contestant {
    let server = EtcdServer::start();
    let client = etcd_client::Client::connect([server.endpoint()], None).await.unwrap();
    let write: Write = Arc::new(move |task| {
        let mut client = client.clone();
        Box::pin(async move {
            client.put(task.to_string(), VALUE, None).await.unwrap();
        })
    });
    Contestant::new(&server.url(), write, server)
}

async fn postgres() -> Contestant {
    let server = PostgresServer::start();
    let (client, connection) = tokio_postgres::connect(&server.url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("CREATE TABLE writes (key text PRIMARY KEY, value bytea NOT NULL)").await.unwrap();
    let sql = "INSERT INTO writes VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    let statement = client.prepare(sql).await.unwrap();
    let client = Arc::new(client);
    let write: Write = Arc::new(move |task| {
        let (client, statement) = (Arc::clone(&client), statement.clone());
        Box::pin(async move {
            client.execute(&statement, &[&task.to_string(), &VALUE.as_slice()]).await.unwrap();
        })
    });
    Contestant::new(&server.url(), write, server)
}
