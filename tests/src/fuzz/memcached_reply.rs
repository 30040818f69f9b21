//! What a server says that may be no memcached.

use limitra::{Limit, MemcachedStorage, RateLimiter};

use super::socket::with_server;

pub(super) const WORDS: &[&str] = &[
    "VA 4 c7 O1\r\n",
    "HD O1\r\n",
    "EN\r\n",
    "NF O1\r\n",
    "NS O1\r\n",
    "EX O1\r\n",
    "MN\r\n",
    "\r\n",
    " c7",
    " O1",
    " O2",
    "SERVER_ERROR x\r\n",
    "CLIENT_ERROR x\r\n",
    "ERROR\r\n",
    "18446744073709551615",
    "STORED\r\n",
    "LR\u{1}\u{1}",
    "|",
];

/// Answers to one command after the other, between bars: the client tells a decision or an error at once, and one that fails says
/// in a few words what it heard.
pub(super) fn run(bytes: &[u8]) {
    let mut answers: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'|').map(<[u8]>::to_vec).collect();
    answers.reverse();
    with_server(
        move |_| answers.pop(),
        async |path| {
            let url = format!("memcached://{}?response_timeout=200ms", path.display());
            let storage = MemcachedStorage::from_url(&url).unwrap();
            let limit = Limit::new(5, std::time::Duration::from_secs(60)).unwrap();
            let limiter = RateLimiter::builder().limit(limit).storage(storage).build().unwrap();
            for _ in 0..2 {
                match limiter.check("ada").await {
                    Ok(decision) => {
                        let _told = (decision.retry_after(), decision.reset_after());
                        assert!(decision.remaining() <= 5);
                    }
                    Err(error) => {
                        let told = format!("{error} {error:?}");
                        assert!(told.len() < 16_384, "{} bytes", told.len());
                    }
                }
            }
            let _reset = limiter.reset("ada").await;
        },
    );
}
