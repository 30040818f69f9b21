//! What a server says that lists its keys, and may be no memcached.

use std::sync::{Arc, Mutex};

use limitra::{AnyStorage, MemcachedStorage};

use super::socket::with_server;

pub(super) const WORDS: &[&str] = &[
    "key=limitra%3A%3A%3Auser%3Aada%3A exp=-1 la=1 cas=7 fetch=no cls=1 size=80\r\n",
    "key=other%3Aada exp=-1\r\n",
    "key=",
    "key=limitra%3A",
    "%0D%0A",
    "%20",
    "%",
    "%zz",
    "END\r\n",
    "OK\r\n",
    "NOTSTARTED no items to crawl\r\n",
    "ERROR\r\n",
    "\r\n",
    "limitra:",
];

/// A list of any bytes: the removal of all records ends, and asks for nothing but keys that are its own, and each as one word.
pub(super) fn run(bytes: &[u8]) {
    let list = bytes.to_vec();
    let asked: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let noted = Arc::clone(&asked);
    with_server(
        move |heard| {
            let mut said = Vec::new();
            for line in heard.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let words: Vec<&[u8]> = line.trim_ascii_end().split(|byte| *byte == b' ').collect();
                match words[..] {
                    [b"lru_crawler", ..] => said.extend_from_slice(&list),
                    [b"mn", ..] => said.extend_from_slice(b"MN\r\n"),
                    [verb @ (b"mg" | b"md"), key, .., number] => {
                        noted.lock().unwrap().push(key.to_vec());
                        let begins: &[u8] = if verb == b"mg" { b"VA 2 c7 " } else { b"HD " };
                        let ends: &[u8] = if verb == b"mg" { b"\r\nLR\r\n" } else { b"\r\n" };
                        said.extend([begins, number, ends].concat());
                    }
                    _ => said.extend_from_slice(b"ERROR\r\n"),
                }
            }
            Some(said)
        },
        async |path| {
            let url = format!("memcached://{}?response_timeout=200ms&key_prefix=limitra", path.display());
            let storage = AnyStorage::from(MemcachedStorage::from_url(&url).unwrap());
            if let Err(error) = storage.reset().await {
                let told = format!("{error} {error:?}");
                assert!(told.len() < 16_384, "{} bytes", told.len());
            }
        },
    );
    for key in asked.lock().unwrap().iter() {
        assert!(key.starts_with(b"limitra:"), "it asks for {}", key.escape_ascii());
        assert!(!key.iter().any(u8::is_ascii_control), "it asks for {}", key.escape_ascii());
    }
}
