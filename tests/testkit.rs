//! The test kit does what the other tests rely on.
#![allow(missing_docs, clippy::unwrap_used)]

use std::time::{Duration, Instant};

use limitra_tests::{Proxy, ProxyMode, RedisServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn is_alive(process_id: u32) -> bool {
    std::process::Command::new("sh")
        .args(["-c", "kill -0 \"$0\" 2>/dev/null"])
        .arg(process_id.to_string())
        .status()
        .unwrap()
        .success()
}

#[test]
fn a_server_is_killed_with_its_value_and_takes_its_folder_along() {
    let server = RedisServer::builder().unix_socket().start();
    let (process_id, socket) = (server.process_id(), server.socket_path());
    assert!(is_alive(process_id) && socket.exists());
    drop(server);
    assert!(!is_alive(process_id));
    assert!(!socket.parent().unwrap().exists());
}

#[test]
fn a_restarted_server_keeps_its_port_and_forgets_its_data() {
    let mut server = RedisServer::start();
    let url = server.url();
    assert_eq!(server.cli(&["SET", "a", "1"]), "OK");
    server.restart();
    assert_eq!(server.url(), url);
    assert_eq!(server.cli(&["GET", "a"]), "");
}

#[test]
fn passwords_users_and_tls_are_required_where_they_were_asked_for() {
    for builder in [
        RedisServer::builder().password("secret"),
        RedisServer::builder().user("ann", "secret"),
        RedisServer::builder().tls(),
        RedisServer::builder().tls().password("secret"),
        RedisServer::builder().unix_socket().password("secret"),
    ] {
        let server = builder.start();
        assert_eq!(server.cli(&["PING"]), "PONG", "{server:?}");
        let plain = redis::Client::open(format!("redis://{}", server.address()))
            .unwrap()
            .get_connection_with_timeout(Duration::from_secs(2))
            .and_then(|mut connection| {
                connection.set_read_timeout(Some(Duration::from_secs(2)))?;
                redis::cmd("PING").query::<String>(&mut connection)
            });
        assert!(plain.is_err(), "{server:?}");
    }
}

#[test]
fn settings_reach_the_server_and_commands_are_counted() {
    let server = RedisServer::builder().setting("maxmemory", "3mb").start();
    assert!(server.cli(&["CONFIG", "GET", "maxmemory"]).contains("3145728"));
    server.forget_counts();
    server.cli(&["GET", "a"]);
    server.cli(&["GET", "a"]);
    assert_eq!(server.command_counts().get("get"), Some(&2));
}

#[test]
fn a_paused_server_answers_when_it_resumes() {
    let server = RedisServer::start();
    server.pause();
    let client = redis::Client::open(server.url()).unwrap();
    let asked = std::thread::spawn(move || {
        let mut connection = client.get_connection()?;
        redis::cmd("PING").query::<String>(&mut connection)
    });
    assert!(!asked.is_finished());
    server.resume();
    assert_eq!(asked.join().unwrap().unwrap(), "PONG");
}

const NEVER: Duration = Duration::from_millis(150);

async fn ask(connection: &mut TcpStream) -> Option<String> {
    connection.write_all(b"INCR n\r\n").await.ok()?;
    let mut answer = [0; 64];
    match connection.read(&mut answer).await {
        Ok(length @ 1..) => Some(String::from_utf8_lossy(&answer[..length]).trim().to_owned()),
        _ => None,
    }
}

#[tokio::test]
async fn the_proxy_misbehaves_as_asked() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let connect = || async { TcpStream::connect(proxy.address()).await.unwrap() };
    let count = || server.cli(&["GET", "n"]);

    let mut connection = connect().await;
    assert_eq!(ask(&mut connection).await.as_deref(), Some(":1"));

    let delay = Duration::from_millis(80);
    proxy.set(ProxyMode::Delay(delay));
    let from = Instant::now();
    assert_eq!(ask(&mut connection).await.as_deref(), Some(":2"));
    assert!(from.elapsed() >= delay);

    proxy.set(ProxyMode::Blackhole);
    let swallowed = tokio::time::timeout(NEVER, ask(&mut connection)).await;
    assert!(swallowed.is_err());
    assert_eq!(count(), "2");

    proxy.set(ProxyMode::CutBeforeRequest);
    assert_eq!(ask(&mut connection).await, None);
    assert_eq!(count(), "2");

    proxy.set(ProxyMode::Pass);
    let mut connection = connect().await;
    proxy.set(ProxyMode::DropReply);
    assert_eq!(ask(&mut connection).await, None);
    assert_eq!(count(), "3");

    proxy.set(ProxyMode::Pass);
    let mut connection = connect().await;
    assert_eq!(ask(&mut connection).await.as_deref(), Some(":4"));
    proxy.set(ProxyMode::Refuse);
    assert_eq!(ask(&mut connection).await, None);
    let deadline = Instant::now() + Duration::from_secs(5);
    while TcpStream::connect(proxy.address()).await.is_ok() {
        assert!(Instant::now() < deadline, "still accepting");
    }

    proxy.set(ProxyMode::Pass);
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut connection = loop {
        match TcpStream::connect(proxy.address()).await {
            Ok(connection) => break connection,
            Err(_) => assert!(Instant::now() < deadline, "still refusing"),
        }
    };
    assert_eq!(ask(&mut connection).await.as_deref(), Some(":5"));
}
