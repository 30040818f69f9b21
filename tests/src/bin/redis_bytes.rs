//! Prints what one key takes in Redis by limitra and by its peers, as a table of Markdown: `MEMORY USAGE key SAMPLES 0`, all keys of one
//! length.
//!
//! ```text
//! cargo run -p limitra-tests --bin redis_bytes
//! PYTHON=venv/bin/python REDIS_CELL=libredis_cell.so cargo run -p limitra-tests --bin redis_bytes
//! ```
//!
//! `PYTHON` is one that has `limits`, `limitra` and `redis`; `REDIS_CELL` is the module, built from the crate `redis-cell`.
#![allow(clippy::unwrap_used)] // A measurement that cannot go on ends.

use std::env;
use std::error::Error;
use std::process::Command;
use std::time::Duration;

use limitra::{Algorithm, AnyStorage, Limit, ManualClock, RateLimiter, RedisStorage};
use limitra_tests::RedisServer;

/// How long the text of each key is.
const KEY_BYTES: usize = 48;
const HOUR: Duration = Duration::from_secs(3600);

/// The peers in Python: each row is a case, its keys and their bytes, the encoding and length of the values.
const PEERS: &str = r#"
import importlib.metadata, sys, time
import limits, limits.storage, limits.strategies, redis
from limitra.algorithms.fixed_window import FixedWindowRateLimiter
from limitra.algorithms.leaky_bucket import LeakyBucketLimiter
from limitra.algorithms.sliding_window import SlidingWindowRateLimiter
from limitra.algorithms.token_bucket import TokenBucketLimiter

url, key_bytes = sys.argv[1], int(sys.argv[2])
server = redis.from_url(url, decode_responses=True)

def measured(case, use):
    # Once to see how long a key becomes, then with an identifier that makes it as long as all others.
    server.flushall()
    use("u", 1)
    missing = key_bytes - min(map(len, server.keys("*")))
    server.flushall()
    use("u" * (1 + missing), None)
    keys = server.keys("*")
    values = sorted(server.object("encoding", key) for key in keys)
    total = sum(server.memory_usage(key, samples=0) for key in keys)
    print(case, total, f"{len(keys)} key{'s'[:len(keys) > 1]}, " + ", ".join(values), sep="|", flush=True)

def by_limits(strategy, item, hits, pause=0):
    limiter = strategy(limits.storage.storage_from_string(url))
    def use(who, most):
        for number in range(most or hits):
            if number and pause:
                time.sleep(pause)
            assert limiter.hit(item, who)
    return use

def by_limitra(limiter_class):
    limiter = limiter_class(100, 100 / 3600 if "Bucket" in limiter_class.__name__ else 1 / 3600, backend="redis", redis_client=redis.from_url(url))
    def use(who, most):
        for _ in range(most or 3):
            assert limiter.allow_request(who)
    return use

name = "limits " + importlib.metadata.version("limits")
hour, seconds = limits.RateLimitItemPerHour(100), limits.RateLimitItemPerSecond(100, 2)
strategies = limits.strategies
measured(f"{name}: fixed window", by_limits(strategies.FixedWindowRateLimiter, hour, 3))
measured(f"{name}: sliding window, its first window", by_limits(strategies.SlidingWindowCounterRateLimiter, hour, 3))
measured(f"{name}: sliding window, later", by_limits(strategies.SlidingWindowCounterRateLimiter, seconds, 2, 2.2))
measured(f"{name}: moving window, 1 entry", by_limits(strategies.MovingWindowRateLimiter, hour, 1))
measured(f"{name}: moving window, 1000 entries", by_limits(strategies.MovingWindowRateLimiter, limits.RateLimitItemPerHour(1000), 1000))
name = "Python limitra " + importlib.metadata.version("limitra")
for kind, limiter_class in [("token bucket", TokenBucketLimiter), ("leaky bucket", LeakyBucketLimiter), ("fixed window", FixedWindowRateLimiter), ("sliding window", SlidingWindowRateLimiter)]:
    measured(f"{name}: {kind}", by_limitra(limiter_class))
"#;

/// One line of the table.
struct Row {
    case: String,
    bytes: u64,
    value: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let cell = env::var("REDIS_CELL").ok();
    let mut server = RedisServer::builder().setting("save", "");
    if let Some(module) = &cell {
        server = server.setting("loadmodule", module);
    }
    let server = server.start();
    let mut rows = Vec::new();
    for algorithm in Algorithm::ALL {
        rows.push(ours(&server, *algorithm, 100, 1).await?);
    }
    rows.push(ours(&server, Algorithm::MovingWindow, 1000, 1000).await?);
    let key = "u".repeat(KEY_BYTES);
    if cell.is_some() {
        server.cli(&["CL.THROTTLE", &key, "99", "100", "3600", "1"]);
        rows.push(row(&server, "redis-cell: GCRA".to_owned(), &key)?);
    }
    server.cli(&["SET", &key, "1763778000123456", "PX", "3600000"]);
    rows.push(row(&server, "a plain `SET` of an integer".to_owned(), &key)?);
    if let Ok(python) = env::var("PYTHON") {
        rows.extend(peers(&python, &server.url())?);
    }
    let version = server.cli(&["INFO", "server"]);
    let version = version.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap_or_default();
    println!("Redis {}, keys of {KEY_BYTES} bytes\n\n| | bytes | |\n|---|---|---|", version.trim());
    for Row { case, bytes, value } in rows {
        println!("| {case} | {bytes} | {value} |");
    }
    Ok(())
}

/// What limitra stores after so many hits at as many instants.
async fn ours(
    server: &RedisServer,
    algorithm: Algorithm,
    amount: u64,
    hits: u64,
) -> Result<Row, Box<dyn Error>> {
    let storage: AnyStorage = RedisStorage::from_url(&server.url())?.into();
    let clock = ManualClock::new();
    let limiter = RateLimiter::builder().algorithm(algorithm).limit(Limit::new(amount, HOUR)?);
    let limiter = limiter.storage(&storage).clock(clock.clone()).build()?;
    let missing = KEY_BYTES - limiter.key("").len() + "%empty".len();
    let who = "u".repeat(missing);
    limiter.reset(&*who).await?;
    for _ in 0..hits {
        clock.advance(Duration::from_millis(1));
        assert!(limiter.allow_request(&*who).await?);
    }
    let entries = if hits > 1 { format!(", {hits} entries") } else { String::new() };
    row(server, format!("limitra: `{algorithm}`{entries}"), &limiter.key(&*who))
}

fn row(server: &RedisServer, case: String, key: &str) -> Result<Row, Box<dyn Error>> {
    assert_eq!(key.len(), KEY_BYTES);
    let bytes = server.cli(&["MEMORY", "USAGE", key, "SAMPLES", "0"]).parse()?;
    let (encoding, length) = (server.cli(&["OBJECT", "ENCODING", key]), server.cli(&["STRLEN", key]));
    server.cli(&["DEL", key]);
    Ok(Row { case, bytes, value: format!("{encoding} of {length} bytes") })
}

fn peers(python: &str, url: &str) -> Result<Vec<Row>, Box<dyn Error>> {
    let output = Command::new(python).args(["-c", PEERS, url, &KEY_BYTES.to_string()]).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let text = String::from_utf8(output.stdout)?;
    let row = |line: &str| {
        let mut parts = line.split('|').map(str::to_owned);
        let (case, bytes, value) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
        Some(Row { case, bytes, value })
    };
    Ok(text.lines().filter_map(row).collect())
}
