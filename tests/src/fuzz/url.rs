//! The URL of a storage, and options beside it.

use limitra::LimitraConfig;
use limitra::storage::{self, StorageOptions, StorageUrl};

use super::tape::text;

pub(super) const WORDS: &[&str] = &[
    "memory://",
    "redis://",
    "rediss://",
    "redis+unix://",
    "redis+cluster://",
    "redis+sentinel://",
    "valkey://",
    "memcached://",
    "mongodb://",
    "mongodb+srv://",
    "etcd://",
    "postgres://",
    "async+",
    "127.0.0.1:1",
    "localhost",
    "[::1]:1",
    ":secret99@",
    "user:",
    "@",
    "%40",
    "%",
    "/",
    "?",
    "&",
    "=",
    ",",
    "\n",
    "response_timeout=",
    "connect_timeout=",
    "key_prefix=",
    "max_keys=",
    "coarse_clock=",
    "db=",
    "max_item_size=",
    "max_retries=",
    "wrap_exceptions=",
    "ssl_ca_certs=",
    "sslmode=require",
    "0.5",
    "500ms",
    "1e300",
    "18446744073709551615",
    "1e19s",
    "nan",
    "-1",
    "true",
    "off",
    "tls=",
    "mymaster",
];

/// A password that stands nowhere else.
const SECRET: &str = "secret99";

/// The first line is a URL, each further one an option beside it: the storage opens without asking anybody, or a mistake is
/// told that holds no password.
pub(super) fn run(bytes: &[u8]) {
    let text = text(bytes);
    let mut lines = text.split('\n');
    let url = lines.next().unwrap_or_default();
    let options: StorageOptions = lines.map(|line| line.split_once('=').unwrap_or((line, ""))).collect();
    // A thread for each clock, and files that nobody meant, are no business of a fuzzer.
    if ["coarse_clock", "ca_cert", "tlsCAFile", "tlsCertificateKeyFile", "sslrootcert", "service_file"]
        .iter()
        .any(|name| text.contains(name))
    {
        return;
    }
    let parsed = url.parse::<StorageUrl>();
    let is_secret = text.matches(SECRET).count() == 1
        && parsed.as_ref().is_ok_and(|url| url.password().is_some_and(|password| password.contains(SECRET)));
    let told = |shown: String| assert!(!is_secret || !shown.contains(SECRET), "{shown}");
    if let Ok(parsed) = &parsed {
        told(format!("{parsed:?}"));
        // `async+` is left out once.
        if !parsed.scheme().starts_with("async+") {
            let again: StorageUrl = parsed.secret_text().parse().expect("its own text is one");
            assert_eq!(&again, parsed);
        }
        let _without_ports = parsed.addresses();
    }
    match storage::from_url(url, options) {
        Ok(storage) => told(format!("{storage:?}")),
        Err(error) => told(format!("{error} {error:?}")),
    }
    let config = LimitraConfig::new().storage_url(url);
    told(format!("{config:?}"));
    match config.build() {
        Ok(handle) => told(format!("{handle:?}")),
        Err(error) => told(format!("{error} {error:?}")),
    }
    let config = LimitraConfig::new().redis_url(url);
    told(format!("{config:?}"));
    if let Err(error) = config.build() {
        told(format!("{error} {error:?}"));
    }
}
