//! The strategies of Python `limits`: the same hits under each, and what is left of the limit after every one.
//!
//! In memory; with `LIMITRA_STORAGE_URL` in any storage that the example was built with: `redis://127.0.0.1:6379`.

use std::time::Duration;

use limitra::strategies::{NAMES, by_name};
use limitra::{AnyStorage, Error, ManualClock, MemoryStorage, RateLimit, storage};

fn storage() -> Result<AnyStorage, Error> {
    match std::env::var("LIMITRA_STORAGE_URL") {
        Ok(url) => Ok(storage::from_url(&url, ())?),
        Err(_) => Ok(MemoryStorage::new().into()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let storage = storage()?;
    let limit: RateLimit = "3 per 10 seconds".parse()?;
    // So that the example says the same each time it is run, on a storage that remembers too.
    let limit = limit.with_namespace(format!("example {}", std::process::id()));
    println!(
        "{limit}, asked for every second: + is allowed, - refused; then what remains and in how many seconds more does"
    );
    for name in NAMES {
        let clock = ManualClock::new();
        let strategy = by_name(name, &storage)?.with_clock(clock.clone());
        let mut line = String::new();
        for _ in 0..12 {
            line.push(if strategy.hit(&limit, ("user", 7)).await? { '+' } else { '-' });
            clock.advance(Duration::from_secs(1));
        }
        let (reset_time, remaining) = strategy.window_stats(&limit, ("user", 7)).await?.into();
        let wait = reset_time.duration_since(clock.now().to_system_time()).unwrap_or_default();
        println!("{name:28} {line}  {remaining} left, more in {:.1} s", wait.as_secs_f64());
        strategy.clear(&limit, ("user", 7)).await?;
    }
    Ok(())
}
