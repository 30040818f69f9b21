//! Without async: sixteen threads that share a limit, and a plain function with one.
//!
//! In memory; with `LIMITRA_STORAGE_URL` in any storage that the example was built with: `redis://127.0.0.1:6379`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use limitra::{AnyStorage, Error, MemoryStorage, RateLimiter, blocking, rate_limit, storage};

fn storage() -> Result<AnyStorage, Error> {
    match std::env::var("LIMITRA_STORAGE_URL") {
        Ok(url) => Ok(storage::from_url(&url, ())?),
        Err(_) => Ok(MemoryStorage::new().into()),
    }
}

#[rate_limit("2/minute", key = "user")]
fn greet(user: &str) -> Result<String, Error> {
    Ok(format!("hello, {user}"))
}

fn main() -> Result<(), Error> {
    let storage = storage()?;
    blocking::Storage::new(&storage).ping()?;
    println!("{} is there", storage.name());

    let limiter = RateLimiter::builder()
        .requests(100)
        .window(3600)
        .project(format!("example-{}", std::process::id()))
        .storage(&storage)
        .build()?
        .blocking();
    let (allowed, asked) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..20 {
                    asked.fetch_add(1, Ordering::Relaxed);
                    match limiter.allow_request("ada") {
                        Ok(true) => drop(allowed.fetch_add(1, Ordering::Relaxed)),
                        Ok(false) => {}
                        Err(error) => println!("no decision: {error}"),
                    }
                }
            });
        }
    });
    println!(
        "{} of {} requests of 16 threads were allowed, of a limit of 100",
        allowed.into_inner(),
        asked.into_inner()
    );

    for _ in 0..3 {
        match greet("ada") {
            Ok(greeting) => println!("{greeting}"),
            Err(error) => println!("{error}"),
        }
    }
    Ok(())
}
