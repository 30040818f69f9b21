//! What sentinels, and those whom they name, may say.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use limitra::{Limit, RateLimiter, RedisSentinelStorage};

use super::redis_reply::greeting;
use super::socket::with_socket;
use super::tape::Tape;

pub(super) const WORDS: &[&str] = &[
    "\0",
    "\u{1}",
    "\u{2}",
    "*2\r\n",
    "$-1\r\n",
    "*1\r\n$6\r\nmaster\r\n",
    "+slave\r\n",
    "-NOAUTH x\r\n",
    "_\r\n",
    "\r\n",
];

/// Nobody but this machine.
const HOSTS: &[&str] = &["127.0.0.1", "127.0.0.1", "::1", "", "0.0.0.0", "?"];
const ROLES: &[&str] = &[
    "*3\r\n$6\r\nmaster\r\n:1\r\n*0\r\n",
    "*1\r\n+master\r\n",
    "*1\r\n$5\r\nslave\r\n",
    "*1\r\n$8\r\nsentinel\r\n",
    "$6\r\nmaster\r\n",
    "*2\r\n:1\r\n$6\r\nmaster\r\n",
    "*0\r\n",
    "*-1\r\n",
    "-LOADING x\r\n",
];

/// Whatever sentinels say, a decision ends; and nobody who does not say of itself that it is a master is asked for one.
pub(super) fn run(bytes: &[u8]) {
    let mut tape = Tape::new(bytes);
    let role = tape.choice(ROLES);
    let is_master = ROLES[..2].contains(&role);
    let (host, port, shape) = (tape.choice(HOSTS), tape.byte(), tape.byte());
    let rest = tape.rest().to_vec();
    let scripts: Arc<Mutex<u32>> = Arc::default();
    let noted = Arc::clone(&scripts);
    let speech = |own: u16| {
        let port = match port % 8 {
            0 => "65536".to_owned(),
            1 => "-1".to_owned(),
            2 => String::new(),
            3 => "0".to_owned(),
            _ => own.to_string(),
        };
        move |heard: &[u8]| {
            let has = |word: &[u8]| heard.windows(word.len()).any(|part| part == word);
            if has(b"EVAL") {
                *noted.lock().unwrap() += 1;
                return Some(rest.clone());
            }
            if has(b"ROLE") {
                return Some(role.as_bytes().to_vec());
            }
            if !has(b"SENTINEL") {
                return Some(greeting(heard));
            }
            let text = |text: &str| format!("${}\r\n{text}\r\n", text.len());
            let named = match shape % 8 {
                0 => "*-1\r\n".to_owned(),
                1 => format!("*1\r\n{}", text(host)),
                2 => format!("*3\r\n{}{}{}", text(host), text(&port), text(&port)),
                3 => format!("*2\r\n*1\r\n{}{}", text(host), text(&port)),
                _ => format!("*2\r\n{}{}", text(host), text(&port)),
            };
            Some(named.into_bytes())
        }
    };
    with_socket(
        |socket| speech(socket.port()),
        async |socket| {
            let url = format!(
                "redis+sentinel://127.0.0.1:{}/mymaster?response_timeout=30ms&connect_timeout=30ms",
                socket.port()
            );
            let storage = RedisSentinelStorage::from_url(&url).unwrap();
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
    let scripts = *scripts.lock().unwrap();
    assert!(is_master || scripts == 0, "one who is no master was asked {scripts} times");
}
