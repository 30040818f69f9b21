//! What the tests act on.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use limitra::{
    Algorithm, AnyStorage, Error, Limit, MemcachedStorage, RateLimiter, RateLimiterBuilder, StorageErrorKind,
};
use limitra_tests::{MemcachedServer, fresh_prefix};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);
pub(crate) const RESPONSE: Duration = Duration::from_millis(300);
pub(crate) const CONNECT: Duration = Duration::from_millis(400);
/// What a busy machine may add to a deadline.
pub(crate) const SLACK: Duration = Duration::from_secs(3);

/// Patient, so that only tests of deadlines depend on how busy the machine is.
pub(crate) fn storage_at(url: &str) -> AnyStorage {
    let patience = Duration::from_secs(60);
    let storage = MemcachedStorage::builder().url(url);
    storage.response_timeout(patience).connect_timeout(patience).build().unwrap().into()
}

pub(crate) fn hasty(url: &str) -> AnyStorage {
    let storage = MemcachedStorage::builder().url(url).response_timeout(RESPONSE).connect_timeout(CONNECT);
    storage.build().unwrap().into()
}

/// A limiter's settings with keys of its own.
pub(crate) fn fresh(storage: &AnyStorage) -> RateLimiterBuilder {
    RateLimiter::builder().storage(storage).prefix(fresh_prefix())
}

pub(crate) fn limiter(storage: &AnyStorage, amount: u64) -> RateLimiter {
    limiter_of(storage, Algorithm::FixedWindow, amount, HOUR)
}

pub(crate) fn limiter_of(
    storage: &AnyStorage,
    algorithm: Algorithm,
    amount: u64,
    window: Duration,
) -> RateLimiter {
    fresh(storage).algorithm(algorithm).limit(Limit::new(amount, window).unwrap()).build().unwrap()
}

/// The kind of the storage error that a limiter answered with.
pub(crate) fn kind<T: std::fmt::Debug>(answer: Result<T, Error>) -> StorageErrorKind {
    match answer {
        Err(Error::Storage(error)) => error.kind(),
        other => panic!("not a storage error: {other:?}"),
    }
}

/// The value under a key, as the server has it.
pub(crate) fn value(server: &MemcachedServer, key: &str) -> Option<Vec<u8>> {
    let answer = server.ask_bytes(format!("mg {key} v\r\n").as_bytes());
    let value = answer.strip_prefix(b"VA ")?;
    let line_end = value.windows(2).position(|window| window == b"\r\n").unwrap();
    let length: usize = std::str::from_utf8(&value[..line_end]).unwrap().parse().unwrap();
    let mut bytes = value[line_end + 2..].to_vec();
    // What `ask_bytes` took for the end.
    bytes.resize(length, b'\n');
    Some(bytes)
}

/// Seconds to live; -1: for ever.
pub(crate) fn seconds_left(server: &MemcachedServer, key: &str) -> i64 {
    let answer = server.ask(&format!("mg {key} t\r\n"));
    answer.strip_prefix("HD t").unwrap_or_else(|| panic!("{key}: {answer}")).parse().unwrap()
}

/// Something that listens on 127.0.0.1, and does with its connections, one after another, what it is told to; the number says
/// which one it is, from 0 on.
pub(crate) struct Listening {
    address: SocketAddr,
}

impl Listening {
    pub(crate) fn with(mut act: impl FnMut(usize, TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                // The word by which it is told to end.
                let mut first = [0; 3];
                if stream.peek(&mut first).is_ok_and(|length| length == 3) && &first == b"end" {
                    let _ = stream.read(&mut first);
                    return;
                }
                act(number, stream);
            }
        });
        Self { address }
    }

    /// Answers the first command on each connection with these bytes, and waits for the other side to go.
    pub(crate) fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::with(move |_, mut stream| {
            let mut command = [0; 4096];
            let _ = stream.read(&mut command);
            let _ = stream.write_all(&answer);
            while matches!(stream.read(&mut command), Ok(1..)) {}
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("memcached://{}", self.address)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // Its thread ends when it has done with its connections; it may be waiting for the test's runtime to close one.
        if let Ok(mut stream) = TcpStream::connect(self.address) {
            let _ = stream.write_all(b"end");
        }
    }
}

/// Carries whole commands to a server and their answers back, one at a time, until `act` says that it is enough; it is
/// shown each command, and after it each answer.
pub(crate) fn carry(
    mut client: TcpStream,
    server: SocketAddr,
    mut act: impl FnMut(&[u8], Option<&[u8]>) -> bool,
) {
    let mut server = TcpStream::connect(server).unwrap();
    let (mut command, mut answer) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        let Ok(length @ 1..) = client.read(&mut command) else { return };
        if !act(&command[..length], None) {
            return;
        }
        server.write_all(&command[..length]).unwrap();
        let answered = server.read(&mut answer).unwrap();
        if !act(&command[..length], Some(&answer[..answered])) {
            return;
        }
        client.write_all(&answer[..answered]).unwrap();
    }
}
