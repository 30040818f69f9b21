//! What reads text or bytes from elsewhere, each as a function of any bytes that panics where a promise is broken.
//!
//! `cargo fuzz` drives them (the folder `fuzz`), and so does an ordinary test for a moment each (`fuzzers.rs`).

#[cfg(feature = "web")]
mod client_ip;
mod key;
#[cfg(all(unix, feature = "memcached"))]
mod memcached_list;
#[cfg(all(unix, feature = "memcached"))]
mod memcached_reply;
mod mutator;
mod notation;
mod record;
#[cfg(all(unix, feature = "redis-cluster"))]
mod redis_cluster;
#[cfg(unix)]
mod redis_reply;
#[cfg(all(unix, feature = "redis-sentinel"))]
mod redis_sentinel;
mod register;
#[cfg(unix)]
mod socket;
mod tape;
mod url;

pub use mutator::Mutator;

/// One thing to be held against any bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which is that of its folder of examples in `fuzz/corpus`.
    pub name: &'static str,
    /// Panics if a promise is broken.
    pub run: fn(&[u8]),
    /// What has a meaning to it.
    pub words: &'static [&'static str],
}

/// Everything that reads what others wrote.
pub const TARGETS: &[Target] = &[
    Target { name: "notation", run: notation::run, words: notation::WORDS },
    Target { name: "url", run: url::run, words: url::WORDS },
    Target { name: "record", run: record::run, words: record::WORDS },
    Target { name: "key", run: key::run, words: key::WORDS },
    #[cfg(feature = "web")]
    Target { name: "client_ip", run: client_ip::run, words: client_ip::WORDS },
    #[cfg(all(unix, feature = "memcached"))]
    Target { name: "memcached_reply", run: memcached_reply::run, words: memcached_reply::WORDS },
    #[cfg(all(unix, feature = "memcached"))]
    Target { name: "memcached_list", run: memcached_list::run, words: memcached_list::WORDS },
    #[cfg(all(unix, feature = "redis-cluster"))]
    Target { name: "redis_cluster", run: redis_cluster::run, words: redis_cluster::WORDS },
    #[cfg(all(unix, feature = "redis-sentinel"))]
    Target { name: "redis_sentinel", run: redis_sentinel::run, words: redis_sentinel::WORDS },
    #[cfg(unix)]
    Target { name: "redis_reply", run: redis_reply::run, words: redis_reply::WORDS },
];

/// Runs the target of this name on these bytes.
///
/// # Panics
/// If there is no such target, or a promise is broken.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.unwrap_or_else(|| panic!("no target is called {name}")).run)(bytes);
}

/// What a future comes to that waits for nothing.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("it waits, though there is nothing to wait for"),
    }
}
