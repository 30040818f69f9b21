//! A real Redis Cluster of one test's own.

use std::net::SocketAddr;

use crate::redis_server::{RedisServer, RedisServerBuilder};
use crate::server_process::in_time;

/// Three masters and a replica of each, ended when this value is dropped.
///
/// The methods block; what goes wrong panics.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// A cluster whose nodes are in agreement.
    pub fn start() -> Self {
        Self::of(&RedisServer::builder())
    }

    /// A cluster of nodes with these settings.
    pub fn of(settings: &RedisServerBuilder) -> Self {
        let settings = settings
            .clone()
            .setting("cluster-enabled", "yes")
            .setting("cluster-node-timeout", "1000")
            .setting("repl-diskless-sync-delay", "0")
            .setting("repl-ping-replica-period", "1");
        let nodes: Vec<RedisServer> = (0..6).map(|_| settings.clone().start()).collect();
        let addresses: Vec<String> = nodes.iter().map(|node| node.address().to_string()).collect();
        let mut words = vec!["--cluster", "create"];
        words.extend(addresses.iter().map(String::as_str));
        words.extend(["--cluster-replicas", "1", "--cluster-yes"]);
        nodes[0].cli(&words);
        let cluster = Self { nodes };
        cluster.wait_until_agreed();
        cluster
    }

    /// Every node; a dead one as well.
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// One node, to be killed.
    pub fn node_mut(&mut self, index: usize) -> &mut RedisServer {
        &mut self.nodes[index]
    }

    /// The URL that names all nodes.
    pub fn url(&self) -> String {
        format!("redis+cluster://{}", self.addresses())
    }

    /// All nodes, with commas between them.
    pub fn addresses(&self) -> String {
        let addresses: Vec<String> = self.nodes.iter().map(|node| node.address().to_string()).collect();
        addresses.join(",")
    }

    /// The masters there are, as node `index` sees it.
    pub fn masters_seen_by(&self, index: usize) -> Vec<usize> {
        let nodes = self.nodes[index].cli(&["CLUSTER", "NODES"]);
        let lines = nodes.lines().filter(|line| line.contains("master") && !line.contains("fail"));
        lines.filter(|line| line.split(' ').count() > 8).filter_map(|line| self.index_in(line)).collect()
    }

    /// The master of a slot.
    pub fn master_of(&self, slot: u16) -> usize {
        let is_master = |index: &usize| {
            let nodes = self.nodes[*index].cli(&["CLUSTER", "NODES"]);
            let own = nodes.lines().find(|line| line.contains("myself")).unwrap();
            own.split(' ').skip(8).filter(|range| !range.starts_with('[')).any(|range| {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                (first.parse().unwrap()..=last.parse().unwrap()).contains(&slot)
            })
        };
        (0..self.nodes.len()).find(is_master).unwrap()
    }

    /// A node's id.
    pub fn id(&self, index: usize) -> String {
        self.nodes[index].cli(&["CLUSTER", "MYID"])
    }

    /// The slot of a key.
    pub fn slot(&self, key: &str) -> u16 {
        self.nodes[0].cli(&["CLUSTER", "KEYSLOT", key]).parse().unwrap()
    }

    /// Says to two masters that a slot is on its way, as whoever moves it does first.
    pub fn begin_move(&self, slot: u16, from: usize, to: usize) {
        let (slot, from_id, to_id) = (slot.to_string(), self.id(from), self.id(to));
        self.nodes[to].cli(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id]);
        self.nodes[from].cli(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]);
    }

    /// Moves the keys of a slot, as many as there are.
    pub fn move_keys(&self, slot: u16, from: usize, to: usize) {
        let port = self.nodes[to].address().port().to_string();
        loop {
            let keys = self.nodes[from].cli(&["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), "100"]);
            let keys: Vec<&str> = keys.lines().filter(|key| !key.is_empty()).collect();
            if keys.is_empty() {
                return;
            }
            let mut words = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
            words.extend(keys);
            self.nodes[from].cli(&words);
        }
    }

    /// Says that a slot has arrived.
    pub fn end_move(&self, slot: u16, from: usize, to: usize) {
        let (slot, id) = (slot.to_string(), self.id(to));
        for index in [to, from] {
            self.nodes[index].cli(&["CLUSTER", "SETSLOT", &slot, "NODE", &id]);
        }
    }

    /// Waits until this holds.
    pub fn wait(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        assert!(in_time(|| holds(self)), "{what}: {}", self.nodes[0].cli(&["CLUSTER", "NODES"]));
    }

    fn wait_until_agreed(&self) {
        for node in &self.nodes {
            self.wait("the nodes do not agree", |_| {
                let info = node.cli(&["CLUSTER", "INFO"]);
                info.contains("cluster_state:ok")
                    && info.contains("cluster_slots_ok:16384")
                    && info.contains("cluster_known_nodes:6")
            });
            self.wait("a replica has no master", |_| {
                let info = node.cli(&["INFO", "replication"]);
                info.contains("role:master") && info.contains("connected_slaves:1")
                    || info.contains("master_link_status:up")
            });
        }
    }

    fn index_in(&self, line: &str) -> Option<usize> {
        let address = line.split(' ').nth(1)?.split('@').next()?;
        let address: SocketAddr = address.parse().ok()?;
        self.nodes.iter().position(|node| node.address() == address)
    }
}
