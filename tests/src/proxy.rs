//! A TCP proxy that misbehaves on request.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

/// What a [`Proxy`] does with what it is sent; a change is felt by open connections too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyMode {
    /// Carries bytes both ways.
    Pass,
    /// The same, but each piece of a request waits this long first.
    Delay(Duration),
    /// The same for the first piece of a connection alone: it takes long to make one, and to use it does not.
    DelayFirst(Duration),
    /// Accepts connections, swallows requests and replies.
    Blackhole,
    /// As a firewall that has forgotten its connections: those that were open carry nothing more, new ones everything.
    Forget,
    /// Open connections are cut, new ones are refused.
    Refuse,
    /// A request cuts its connection, and never reaches the server.
    CutBeforeRequest,
    /// A request reaches the server, its reply cuts the connection: the outcome is unknown to the client.
    DropReply,
    /// The same for a request that contains these bytes only; all others pass.
    DropReplyTo(&'static [u8]),
}

/// A mode, and who waits until it is in force.
#[derive(Clone, Debug)]
struct Change {
    mode: ProxyMode,
    in_force: Option<mpsc::SyncSender<()>>,
}

/// A proxy on a free port of 127.0.0.1 before one server, in a thread of its own; it ends when this value is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    mode: Option<Arc<watch::Sender<Change>>>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts a proxy that passes everything on to this server.
    pub fn start(server: SocketAddr) -> Self {
        let (mode, modes) = watch::channel(Change { mode: ProxyMode::Pass, in_force: None });
        let (bound, address) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime for the proxy")
                .block_on(async {
                    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                    let listener = listen(address);
                    let address = listener.local_addr().expect("an address");
                    bound.send(address).expect("the test is gone");
                    accept(listener, address, server, modes).await;
                });
        });
        Self {
            address: address.recv().expect("the proxy cannot listen"),
            mode: Some(Arc::new(mode)),
            thread: Some(thread),
        }
    }

    /// Where the proxy listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A Redis URL by way of the proxy.
    pub fn redis_url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Behaves like this from now on: when this returns, it does.
    pub fn set(&self, mode: ProxyMode) {
        if let Some(sender) = &self.mode {
            let (in_force, is_in_force) = mpsc::sync_channel(1);
            sender.send_replace(Change { mode, in_force: Some(in_force) });
            // An error is a change that another one replaced at once.
            let _ = is_in_force.recv();
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.mode = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// With the address reusable, so that a proxy that refused can listen again.
fn listen(address: SocketAddr) -> TcpListener {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("a reusable address");
    socket.bind(address).expect("a port for the proxy");
    socket.listen(1024).expect("a listening proxy")
}

/// Takes connections until the [`Proxy`] is dropped.
async fn accept(
    listener: TcpListener,
    address: SocketAddr,
    server: SocketAddr,
    mut modes: watch::Receiver<Change>,
) {
    let mut listener = Some(listener);
    loop {
        let Change { mode, in_force } = modes.borrow_and_update().clone();
        if mode == ProxyMode::Refuse {
            listener = None;
        } else if listener.is_none() {
            listener = Some(listen(address));
        }
        if let Some(in_force) = in_force {
            // Told before, if this is not a new one.
            let _ = in_force.try_send(());
        }
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = modes.changed() => if changed.is_err() { return },
            Ok((client, _)) = accepted => {
                tokio::spawn(carry(client, server, modes.clone()));
            }
        }
    }
}

/// Carries one connection; it ends, both ways, when either way does.
async fn carry(client: TcpStream, server: SocketAddr, modes: watch::Receiver<Change>) {
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // Whether the next reply is to be dropped, whatever the mode is by then.
    let drops = AtomicBool::new(false);
    let is_new = modes.borrow().mode == ProxyMode::Forget;
    let mut of_change = modes.clone();
    let carrying = async {
        tokio::select! {
            () = requests(from_client, to_server, modes.clone(), &drops) => {}
            () = replies(from_server, to_client, modes.clone(), &drops) => {}
            () = refused(modes) => {}
        }
    };
    tokio::pin!(carrying);
    let is_forgotten = async { of_change.wait_for(|change| change.mode == ProxyMode::Forget).await.is_ok() };
    tokio::select! {
        () = &mut carrying => return,
        is_forgotten = is_forgotten, if !is_new => if !is_forgotten { return },
    }
    // It stays open until the proxy is gone, and nobody carries anything.
    while of_change.changed().await.is_ok() {}
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    modes: watch::Receiver<Change>,
    drops: &AtomicBool,
) {
    let mut buffer = vec![0; 64 * 1024];
    let mut is_first = true;
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        let mode = modes.borrow().mode.clone();
        match mode {
            ProxyMode::Blackhole => continue,
            ProxyMode::Refuse | ProxyMode::CutBeforeRequest => return,
            ProxyMode::Delay(time) => tokio::time::sleep(time).await,
            ProxyMode::DelayFirst(time) if is_first => tokio::time::sleep(time).await,
            ProxyMode::DelayFirst(_)
            | ProxyMode::Pass
            | ProxyMode::Forget
            | ProxyMode::DropReply
            | ProxyMode::DropReplyTo(_) => {}
        }
        is_first = false;
        let Some(piece) = buffer.get(..length) else {
            return;
        };
        if let ProxyMode::DropReplyTo(mark) = mode
            && piece.windows(mark.len()).any(|part| part == mark)
        {
            drops.store(true, Ordering::Release);
        }
        if to.write_all(piece).await.is_err() {
            return;
        }
    }
}

async fn replies(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    modes: watch::Receiver<Change>,
    drops: &AtomicBool,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        let mode = modes.borrow().mode.clone();
        match mode {
            _ if drops.load(Ordering::Acquire) => return,
            ProxyMode::Blackhole => continue,
            ProxyMode::Refuse | ProxyMode::DropReply => return,
            ProxyMode::Pass
            | ProxyMode::Forget
            | ProxyMode::Delay(_)
            | ProxyMode::DelayFirst(_)
            | ProxyMode::CutBeforeRequest
            | ProxyMode::DropReplyTo(_) => {}
        }
        let Some(piece) = buffer.get(..length) else {
            return;
        };
        if to.write_all(piece).await.is_err() {
            return;
        }
    }
}

/// Returns when connections are to be cut.
async fn refused(mut modes: watch::Receiver<Change>) {
    // A proxy that is dropped cuts its connections too.
    let _ = modes.wait_for(|change| change.mode == ProxyMode::Refuse).await.map(|_| ());
}
