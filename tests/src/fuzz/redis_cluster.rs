//! What nodes say that may be no Redis Cluster: which slots there are, and where else to go.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use limitra::{Limit, RateLimiter, RedisClusterStorage};

use super::redis_reply::greeting;
use super::socket::with_socket;
use super::tape::Tape;

pub(super) const WORDS: &[&str] =
    &["\0", "\u{1}", "\u{2}", "\u{3}", "*1\r\n", "$-1\r\n", ":16384\r\n", "+?\r\n", "\r\n", "7001"];

/// Nobody but this machine, however it is called: a fuzzer asks nobody else.
const HOSTS: &[&str] =
    &["127.0.0.1", "127.0.0.1", "127.0.0.1", "", "?", "[127.0.0.1]", "::1", "[::1]", "]", "0.0.0.0"];
const SLOTS: &[&str] = &["0", "0", "8191", "16383", "16383", "16384", "-1", "9223372036854775807", "x", ""];
const ERRORS: &[&str] = &[
    "TRYAGAIN x",
    "LOADING x",
    "CLUSTERDOWN x",
    "MASTERDOWN x",
    "READONLY x",
    "NOSCRIPT x",
    "MOVED",
    "ASK",
    "MOVED 1",
    "ASK  ",
];

/// What scripts were asked, and whether one has been answered by something else than an error.
#[derive(Default)]
struct Heard {
    scripts: u32,
    is_run: bool,
    is_run_again: bool,
}

/// Whatever nodes say, a decision ends, is sent only so often, and never again once it may have been run.
pub(super) fn run(bytes: &[u8]) {
    let heard: Arc<Mutex<Heard>> = Arc::default();
    let noted = Arc::clone(&heard);
    let bytes = bytes.to_vec();
    let speech = |own: u16| {
        let mut at = 0;
        move |said: &[u8]| {
            let mut tape = Tape::new(bytes.get(at..)?);
            let has = |word: &[u8]| said.windows(word.len()).any(|part| part == word);
            if has(b"CLUSTER") {
                at += 24;
                return Some(slots(&mut tape, own));
            }
            if !has(b"EVAL") {
                return Some(greeting(said));
            }
            let answer = script(&mut tape, own);
            at += 8;
            let mut noted = noted.lock().unwrap();
            noted.scripts += 1;
            noted.is_run_again |= noted.is_run;
            noted.is_run |= !answer.starts_with(b"-");
            let asking: &[u8] = if has(b"ASKING") { b"+OK\r\n" } else { b"" };
            Some([asking, &answer].concat())
        }
    };
    with_socket(
        |socket| speech(socket.port()),
        async |socket| {
            let url = format!(
                "redis+cluster://127.0.0.1:{}?response_timeout=30ms&connect_timeout=30ms",
                socket.port()
            );
            let storage = RedisClusterStorage::from_url(&url).unwrap();
            let limit = Limit::new(5, Duration::from_secs(60)).unwrap();
            let limiter = RateLimiter::builder().limit(limit).storage(storage).build().unwrap();
            match limiter.check("ada").await {
                Ok(decision) => assert!(decision.remaining() <= 5),
                Err(error) => {
                    let told = format!("{error} {error:?}");
                    assert!(told.len() < 16_384, "{} bytes", told.len());
                }
            }
        },
    );
    let heard = heard.lock().unwrap();
    assert!(!heard.is_run_again, "what may have been run was sent again");
    assert!(heard.scripts <= 40, "it was sent {} times", heard.scripts);
}

/// The answer to `CLUSTER SLOTS`: ranges, with something else in the place of one of their parts at times.
fn slots(tape: &mut Tape<'_>, own: u16) -> Vec<u8> {
    let count = usize::from(tape.byte() % 4);
    let mut said = format!("*{count}\r\n");
    for _ in 0..count {
        let (first, last, host, port) =
            (tape.choice(SLOTS), tape.choice(SLOTS), tape.choice(HOSTS), port(tape, own));
        let host = if host == "]" { "$-1\r\n".to_owned() } else { format!("${}\r\n{host}\r\n", host.len()) };
        let range = match tape.byte() % 16 {
            0 => format!("*2\r\n:{first}\r\n:{last}\r\n"),
            1 => format!("*3\r\n:{first}\r\n:{last}\r\n*1\r\n{host}"),
            2 => format!("*3\r\n${}\r\n{first}\r\n:{last}\r\n*2\r\n{host}:{port}\r\n", first.len()),
            3 => "_\r\n".to_owned(),
            _ => format!("*3\r\n:{first}\r\n:{last}\r\n*2\r\n{host}:{port}\r\n"),
        };
        said.push_str(&range);
    }
    said.into_bytes()
}

/// The answer to a script: most say that it was not run.
fn script(tape: &mut Tape<'_>, own: u16) -> Vec<u8> {
    let kind = tape.byte() % 8;
    let (slot, host, port) = (tape.choice(SLOTS), tape.choice(HOSTS), port(tape, own));
    match kind {
        0..=2 => format!("-MOVED {slot} {host}:{port}\r\n").into_bytes(),
        3 | 4 => format!("-ASK {slot} {host}:{port}\r\n").into_bytes(),
        5 => format!("-{}\r\n", tape.choice(ERRORS)).into_bytes(),
        6 => {
            let packed = tape.bytes(42);
            [format!("${}\r\n", packed.len()).as_bytes(), packed, b"\r\n"].concat()
        }
        // Anything but an error, which could name any host.
        _ => [b"+", tape.bytes(16)].concat(),
    }
}

fn port(tape: &mut Tape<'_>, own: u16) -> String {
    match tape.byte() % 8 {
        0 => "0".to_owned(),
        1 => "65536".to_owned(),
        2 => "-1".to_owned(),
        3 => "1@16379".to_owned(),
        _ => own.to_string(),
    }
}
