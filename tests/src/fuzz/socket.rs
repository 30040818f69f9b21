//! A server that says whatever it is told to say.

use std::cell::{Cell, RefCell};
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic;
use std::path::PathBuf;
use std::sync::Once;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::TemporaryFolder;

/// What is said after the `asked`th request, which these bytes end; `None` closes the connection.
type Speech = Box<dyn FnMut(&[u8]) -> Option<Vec<u8>> + Send>;

/// After so long without a request a connection is closed.
const PATIENCE: Duration = Duration::from_millis(1);

/// A server at a unix socket, for one connection at a time, and a runtime for its client.
pub(super) struct Socket {
    folder: TemporaryFolder,
    speeches: Sender<Speech>,
    runtime: Runtime,
}

impl Socket {
    fn start() -> Self {
        let folder = TemporaryFolder::in_memory("socket");
        let listener = UnixListener::bind(folder.path().join("s")).unwrap();
        let (speeches, said) = channel();
        std::thread::spawn(move || serve(&listener, &said));
        Self { folder, speeches, runtime: Builder::new_current_thread().enable_all().build().unwrap() }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("s")
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
    thread_local! {
        static SOCKET: RefCell<Socket> = RefCell::new(Socket::start());
    }
    count_panics();
    let before = PANICS.get();
    let found = SOCKET.with_borrow(|socket| {
        socket.speeches.send(Box::new(speech)).unwrap();
        socket.runtime.block_on(client(socket.path()))
    });
    assert_eq!(PANICS.get(), before, "a task of the client has panicked");
    found
}

/// Each connection has the newest speech from its start on.
fn serve(listener: &UnixListener, speeches: &Receiver<Speech>) {
    let mut speech = speeches.recv().unwrap();
    while let Ok((stream, _)) = listener.accept() {
        if let Some(newest) = speeches.try_iter().last() {
            speech = newest;
        }
        speak(stream, &mut speech);
    }
}

fn speak(mut stream: UnixStream, speech: &mut Speech) {
    // Who asks nothing more waits for the end of an answer that has none.
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut heard = [0; 16_384];
    while let Ok(length @ 1..) = stream.read(&mut heard) {
        match speech(&heard[..length]) {
            Some(said) if stream.write_all(&said).is_ok() => {}
            _ => return,
        }
    }
}
