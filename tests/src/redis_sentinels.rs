//! A real Redis with sentinels of one test's own.

use std::net::SocketAddr;

use crate::redis_server::RedisServer;
use crate::server_process::in_time;

/// A master, a replica and three sentinels, ended when this value is dropped.
///
/// The methods block; what goes wrong panics.
#[derive(Debug)]
pub struct RedisSentinels {
    servers: Vec<RedisServer>,
    sentinels: Vec<RedisServer>,
}

impl RedisSentinels {
    /// The name of the service.
    pub const SERVICE: &str = "mymaster";

    /// Servers and sentinels that know each other, without passwords.
    pub fn start() -> Self {
        Self::with_passwords(None, None)
    }

    /// The same with a password of the servers, and one of the sentinels.
    pub fn with_passwords(servers: Option<&str>, sentinels: Option<&str>) -> Self {
        let mut settings = RedisServer::builder()
            .setting("repl-diskless-sync-delay", "0")
            .setting("repl-ping-replica-period", "1");
        if let Some(password) = servers {
            settings = settings.password(password).setting("masterauth", password);
        }
        let master = settings.clone().start();
        let (port, name) = (master.address().port(), Self::SERVICE);
        let replica = settings.setting("replicaof", &format!("127.0.0.1 {port}")).start();
        let password = servers.map(|password| format!("sentinel auth-pass {name} {password}\n"));
        let lines = format!(
            "sentinel monitor {name} 127.0.0.1 {port} 2\nsentinel down-after-milliseconds {name} 500\n\
             sentinel failover-timeout {name} 2000\n{}",
            password.unwrap_or_default()
        );
        let mut settings = RedisServer::builder().sentinel(&lines);
        if let Some(password) = sentinels {
            settings = settings.password(password);
        }
        let sentinels = (0..3).map(|_| settings.clone().start()).collect();
        let all = Self { servers: vec![master, replica], sentinels };
        all.wait("the sentinels do not know each other", |all| {
            all.sentinels.iter().all(|sentinel| {
                let master = sentinel.cli(&["SENTINEL", "MASTER", name]);
                let value = |name| master.lines().skip_while(|line| *line != name).nth(1).map(str::to_owned);
                value("num-slaves").as_deref() == Some("1")
                    && value("num-other-sentinels").as_deref() == Some("2")
                    && sentinel.cli(&["SENTINEL", "CKQUORUM", name]).starts_with("OK")
            }) && all.servers[1].cli(&["INFO", "replication"]).contains("master_link_status:up")
        });
        all
    }

    /// The servers, in the order of their start.
    pub fn servers(&self) -> &[RedisServer] {
        &self.servers
    }

    /// One server, to be killed.
    pub fn server_mut(&mut self, index: usize) -> &mut RedisServer {
        &mut self.servers[index]
    }

    /// The sentinels.
    pub fn sentinels(&self) -> &[RedisServer] {
        &self.sentinels
    }

    /// One sentinel, to be killed.
    pub fn sentinel_mut(&mut self, index: usize) -> &mut RedisServer {
        &mut self.sentinels[index]
    }

    /// The sentinels' addresses, with commas between them.
    pub fn addresses(&self) -> String {
        let addresses: Vec<String> =
            self.sentinels.iter().map(|sentinel| sentinel.address().to_string()).collect();
        addresses.join(",")
    }

    /// The URL that names all sentinels and the service.
    pub fn url(&self) -> String {
        format!("redis+sentinel://{}/{}", self.addresses(), Self::SERVICE)
    }

    /// Which server the last sentinel takes for the master.
    pub fn master(&self) -> usize {
        let answer = self.sentinels[2].cli(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", Self::SERVICE]);
        let address: SocketAddr = answer.replace('\n', ":").parse().unwrap();
        self.servers.iter().position(|server| server.address() == address).unwrap()
    }

    /// Waits until this holds.
    pub fn wait(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        assert!(in_time(|| holds(self)), "{what}");
    }
}
