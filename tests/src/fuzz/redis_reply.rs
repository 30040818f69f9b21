//! What a server says that may be no Redis.

use std::time::Duration;

use limitra::{Algorithm, Limit, RateLimiter, RedisStorage};

use super::socket::with_server;
use super::tape::Tape;

pub(super) const WORDS: &[&str] = &[
    "$36\r\n",
    "*1\r\n",
    "$-1\r\n",
    ":1\r\n",
    "+OK\r\n",
    "-ERR x\r\n",
    "-NOSCRIPT x\r\n",
    "-MOVED 1 127.0.0.1:1\r\n",
    "-LIMITRAFULL\r\n",
    "-READONLY\r\n",
    "\r\n",
    "_\r\n",
    "#t\r\n",
    ",1.5\r\n",
    "%1\r\n",
    "~1\r\n",
    "=7\r\ntxt:abc\r\n",
    "(1\r\n",
    "|1\r\n",
    ">1\r\n",
    "!3\r\nERR\r\n",
];

/// Whatever a script is said to have answered, the client tells a decision or an error at once.
pub(super) fn run(bytes: &[u8]) {
    let mut tape = Tape::new(bytes);
    let algorithm = tape.choice(Algorithm::ALL);
    let is_packed = tape.byte() & 1 == 1;
    let rest = tape.rest();
    // An answer as our scripts pack it, or anything that the protocol may or may not allow.
    let mut said = if is_packed { format!("${}\r\n", rest.len()).into_bytes() } else { Vec::new() };
    said.extend_from_slice(rest);
    if is_packed {
        said.extend_from_slice(b"\r\n");
    }
    let mut is_over = false;
    with_server(
        move |heard| {
            if is_over {
                return None;
            }
            is_over = heard.windows(4).any(|word| word == b"EVAL");
            Some(if is_over { said.clone() } else { greeting(heard) })
        },
        async |path| {
            let url = format!("redis+unix://{}?response_timeout=50ms", path.display());
            let storage = RedisStorage::from_url(&url).unwrap();
            let limit = Limit::new(5, Duration::from_secs(60)).unwrap();
            let limiter =
                RateLimiter::builder().algorithm(algorithm).limit(limit).storage(storage).build().unwrap();
            match limiter.check("ada").await {
                Ok(decision) => {
                    let _told = (decision.retry_after(), decision.reset_after(), decision.exceeded());
                    assert!(decision.remaining() <= 5);
                }
                Err(error) => {
                    let _told = format!("{error} {error:?}");
                }
            }
        },
    );
}

/// The answer to what a client greets with: as many commands as there are stars.
pub(super) fn greeting(heard: &[u8]) -> Vec<u8> {
    b"+OK\r\n".repeat(heard.windows(3).filter(|word| word[0] == b'*' && word[2] == b'\r').count())
}
