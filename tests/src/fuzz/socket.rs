//! A server that says whatever it is told to say.

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::panic;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::TemporaryFolder;

/// What is said after the `asked`th request, which these bytes end; `None` closes the connection.
type Speech = Box<dyn FnMut(&[u8]) -> Option<Vec<u8>> + Send>;

/// After so long without a request a connection is closed.
const PATIENCE: Duration = Duration::from_millis(1);

/// What all connections answer by.
type Shared = Arc<Mutex<Speech>>;

/// A server at a unix socket and at a port of this machine, and a runtime for its client.
pub(super) struct Socket {
    folder: TemporaryFolder,
    #[cfg_attr(not(any(feature = "redis-cluster", feature = "redis-sentinel")), allow(dead_code))]
    port: u16,
    speech: Shared,
    runtime: Runtime,
}

impl Socket {
    fn start() -> Self {
        let folder = TemporaryFolder::in_memory("socket");
        let listener = UnixListener::bind(folder.path().join("s")).unwrap();
        let ports = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = ports.local_addr().unwrap().port();
        let speech: Shared = Arc::new(Mutex::new(Box::new(|_| None)));
        let (by_path, by_port) = (Arc::clone(&speech), Arc::clone(&speech));
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                // Who asks nothing more waits for the end of an answer that has none.
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                serve(stream, &by_path);
            }
        });
        std::thread::spawn(move || {
            while let Ok((stream, _)) = ports.accept() {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.set_nodelay(true).unwrap();
                serve(stream, &by_port);
            }
        });
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        Self { folder, port, speech, runtime }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    #[cfg_attr(not(any(feature = "redis-cluster", feature = "redis-sentinel")), allow(dead_code))]
    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

thread_local! {
    /// How often this thread has panicked: a runtime keeps to itself what its tasks do.
    static PANICS: Cell<u64> = const { Cell::new(0) };
}

fn count_panics() {
    static COUNTING: Once = Once::new();
    COUNTING.call_once(|| {
        let earlier = panic::take_hook();
        panic::set_hook(Box::new(move |panicked| {
            PANICS.set(PANICS.get() + 1);
            earlier(panicked);
        }));
    });
}

/// Runs a client whose server answers by this function.
pub(super) fn with_server<T>(
    speech: impl FnMut(&[u8]) -> Option<Vec<u8>> + Send + 'static,
    client: impl AsyncFnOnce(PathBuf) -> T,
) -> T {
    with_socket(|_| speech, async |socket| client(socket.path()).await)
}

/// Runs a client whose server, at a socket that both know, answers by this function.
pub(super) fn with_socket<T, S: FnMut(&[u8]) -> Option<Vec<u8>> + Send + 'static>(
    speech: impl FnOnce(&Socket) -> S,
    client: impl AsyncFnOnce(&Socket) -> T,
) -> T {
    thread_local! {
        static SOCKET: RefCell<Socket> = RefCell::new(Socket::start());
    }
    count_panics();
    let before = PANICS.get();
    let found = SOCKET.with_borrow(|socket| {
        *socket.speech.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(speech(socket));
        socket.runtime.block_on(client(socket))
    });
    assert_eq!(PANICS.get(), before, "a task of the client has panicked");
    found
}

/// Each connection by itself: a client may have several.
fn serve(mut stream: impl Read + Write + Send + 'static, speech: &Shared) {
    let speech = Arc::clone(speech);
    std::thread::spawn(move || {
        let mut heard = [0; 16_384];
        while let Ok(length @ 1..) = stream.read(&mut heard) {
            let said = speech.lock().unwrap_or_else(PoisonError::into_inner)(&heard[..length]);
            match said {
                Some(said) if stream.write_all(&said).is_ok() => {}
                _ => return,
            }
        }
    });
}
