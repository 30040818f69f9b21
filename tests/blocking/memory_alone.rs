//! On memory nothing is started: a test of the whole process, so a binary of its own.
#![allow(clippy::unwrap_used)]

use limitra::{Error, MemoryStorage, RateLimit, RateLimiter, blocking, rate_limit};

#[rate_limit(requests = 1, window = 60)]
fn create_post() -> Result<(), Error> {
    Ok(())
}

/// The names of this process's threads, where the system tells them.
#[cfg(target_os = "linux")]
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap()).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn on_memory_no_thread_is_started() {
    let memory = MemoryStorage::new();
    let limiter = RateLimiter::builder().requests(1).window(60).storage(&memory).build().unwrap().blocking();
    let strategy = blocking::strategies::MovingWindowRateLimiter::new(&memory);
    let limit = RateLimit::per_minute(1).unwrap();
    assert!(limiter.allow_request("ada").unwrap() && strategy.hit(&limit, "ada").unwrap());
    create_post().unwrap();
    create_post().unwrap_err();
    limiter.reset("ada").unwrap();
    strategy.clear(&limit, "ada").unwrap();
    assert!(blocking::check_all([limiter.of("ada")]).unwrap().is_allowed());
    let storage = blocking::Storage::new(&memory);
    assert!(storage.check() && storage.ping().is_ok() && storage.reset().unwrap() == 1);
    assert!(!threads().iter().any(|name| name.starts_with("limitra-block")), "{:?}", threads());
}
