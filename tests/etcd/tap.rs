//! A proxy that counts connections, and cuts one when what it wrote was answered.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// How each record begins.
const RECORDS: [&[u8]; 2] = [b"LR\x01", b"LR\x02"];

/// A proxy on a free port of 127.0.0.1, in a runtime of its own.
pub(crate) struct Tap {
    address: SocketAddr,
    state: Arc<State>,
    runtime: Option<Runtime>,
}

#[derive(Default)]
struct State {
    connections: AtomicUsize,
    records: AtomicUsize,
    cuts: AtomicUsize,
    is_set: AtomicBool,
}

impl Tap {
    pub(crate) fn start(server: SocketAddr) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let state = Arc::<State>::default();
        // Not from within a runtime, which could be the test's.
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::clone(&state);
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((client, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(carry(client, server, Arc::clone(&shared)));
            }
        });
        Self { address, state, runtime: Some(runtime) }
    }

    pub(crate) fn url(&self) -> String {
        format!("etcd://{}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on a connection that sends a record is cut at the answer.
    pub(crate) fn drop_answers_to_records(&self) {
        self.state.is_set.store(true, Ordering::SeqCst);
    }

    /// From now on it passes everything on.
    pub(crate) fn stop_dropping(&self) {
        self.state.is_set.store(false, Ordering::SeqCst);
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// How many pieces with a record were sent to the server.
    pub(crate) fn records(&self) -> usize {
        self.state.records.load(Ordering::SeqCst)
    }

    /// How many connections were cut.
    pub(crate) fn cuts(&self) -> usize {
        self.state.cuts.load(Ordering::SeqCst)
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn carry(mut client: TcpStream, server: SocketAddr, state: Arc<State>) {
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut request, mut answer) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut has_sent_a_record = false;
    loop {
        tokio::select! {
            read = client.read(&mut request) => {
                let Ok(length @ 1..) = read else { return };
                if request[..length].windows(3).any(|piece| RECORDS.contains(&piece)) {
                    state.records.fetch_add(1, Ordering::SeqCst);
                    has_sent_a_record = state.is_set.load(Ordering::SeqCst);
                }
                if server.write_all(&request[..length]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut answer) => {
                let Ok(length @ 1..) = read else { return };
                // A frame of data, so that it is more than a sign that the request has arrived.
                if has_sent_a_record && length > 40 {
                    state.cuts.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                if client.write_all(&answer[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}
