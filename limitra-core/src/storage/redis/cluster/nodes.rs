//! The nodes of a cluster, and what they say of it.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures_util::stream::{self, StreamExt as _};

use super::NAME;
use super::slots::{SlotMap, ranges};
use crate::error::{StorageError, StorageErrorKind};
use crate::storage::connections::Connect;
use crate::storage::redis::access::Access;
use crate::storage::redis::server::Server;
use crate::storage::redis::settings::Deadlines;

/// How many nodes are asked at once for a map: one that does not answer keeps nobody waiting.
const ASKED_AT_ONCE: usize = 4;

/// Where a node is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

/// A node of a cluster.
pub(super) struct Node {
    pub(super) address: Address,
    pub(super) server: Server,
}

/// The nodes of a cluster: those that the user named, and those that were heard of.
#[derive(Clone)]
pub(super) struct Nodes {
    inner: Arc<Inner>,
}

struct Inner {
    seeds: Vec<Address>,
    known: Mutex<HashMap<Address, Arc<Node>>>,
    access: Access,
    deadlines: Deadlines,
    /// Which node is asked first.
    turn: AtomicUsize,
}

/// A cluster's slots as one of its nodes saw them.
#[derive(Clone)]
pub(super) struct Topology {
    pub(super) slots: Arc<SlotMap>,
    pub(super) seen: Instant,
}

/// Why no node says where the slots are: what the last one said.
#[derive(Debug, thiserror::Error)]
#[error("no node says which slots it has: {last}")]
pub(super) struct Unmapped {
    last: StorageError,
}

impl Nodes {
    /// Drops the connections to all nodes that were made before this instant: which of them is silent is not known.
    pub(super) fn suspect(&self, since: Instant) {
        let known = self.inner.known.lock().unwrap_or_else(PoisonError::into_inner);
        for node in known.values() {
            node.server.suspect(since);
        }
    }

    pub(super) fn new(seeds: Vec<Address>, access: Access, deadlines: Deadlines) -> Self {
        let (known, turn) = (Mutex::default(), AtomicUsize::new(0));
        Self { inner: Arc::new(Inner { seeds, known, access, deadlines, turn }) }
    }

    pub(super) fn deadlines(&self) -> &Deadlines {
        &self.inner.deadlines
    }

    /// The node at an address.
    pub(super) fn node(&self, address: &Address) -> Arc<Node> {
        let mut known = self.inner.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(node) = known.get(address) {
            return Arc::clone(node);
        }
        let way = self.inner.access.way_to(&address.host, address.port);
        let server = Server::new(NAME, way.into(), &self.inner.deadlines);
        let node = Arc::new(Node { address: address.clone(), server });
        known.insert(address.clone(), Arc::clone(&node));
        node
    }

    /// All of them, beginning with another one each time.
    fn all(&self) -> Vec<Arc<Node>> {
        let mut nodes: Vec<Arc<Node>> = self.inner.seeds.iter().map(|seed| self.node(seed)).collect();
        let known = self.inner.known.lock().unwrap_or_else(PoisonError::into_inner);
        for node in known.values() {
            if !nodes.iter().any(|other| Arc::ptr_eq(other, node)) {
                nodes.push(Arc::clone(node));
            }
        }
        let turn = self.inner.turn.fetch_add(1, Ordering::Relaxed) % nodes.len().max(1);
        nodes.rotate_left(turn);
        nodes
    }

    /// Those that are not among these masters and were not named by the user are heard of no more.
    fn forget_others(&self, masters: &[Arc<Node>]) {
        let mut known = self.inner.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|address, node| {
            self.inner.seeds.contains(address) || masters.iter().any(|master| Arc::ptr_eq(master, node))
        });
    }

    /// What one node says.
    async fn ask(&self, node: Arc<Node>) -> Result<Topology, StorageError> {
        let mut command = ::redis::cmd("CLUSTER");
        command.arg("SLOTS");
        let answer = node.server.ask(&command).await;
        let answer = answer.map_err(|failed| failed.storage_error(NAME, "read the slots"))?;
        let malformed = || StorageError::new(StorageErrorKind::Malformed, NAME, "read the slots");
        let ranges = ranges(&answer, &node.address.host).ok_or_else(malformed)?;
        if ranges.is_empty() {
            // It does not belong to the cluster, or not yet.
            return Err(StorageError::new(StorageErrorKind::Unavailable, NAME, "find slots"));
        }
        let ranges = ranges.into_iter().map(|(first, last, address)| (first, last, self.node(&address)));
        Ok(Topology { slots: Arc::new(SlotMap::new(ranges)), seen: Instant::now() })
    }
}

/// A map is made like a connection: once for all who wait for it, and again when it is of no use any more.
impl Connect for Nodes {
    type Connection = Topology;
    type Error = Unmapped;

    async fn connect(&self) -> Result<Topology, Unmapped> {
        let asked = self.all().into_iter().map(|node| self.ask(node));
        let mut answers = stream::iter(asked).buffer_unordered(ASKED_AT_ONCE);
        let mut last = StorageError::new(StorageErrorKind::Unavailable, NAME, "find a node");
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(topology) => {
                    self.forget_others(&topology.slots.masters());
                    return Ok(topology);
                }
                Err(error) => last = error,
            }
        }
        Err(Unmapped { last })
    }

    fn is_closed(_: &Topology) -> bool {
        false
    }

    fn kind(error: &Unmapped) -> StorageErrorKind {
        error.last.kind()
    }
}

impl fmt::Debug for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.inner.seeds.iter().map(ToString::to_string)).finish()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}
