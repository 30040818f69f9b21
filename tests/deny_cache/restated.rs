//! A bucket that other rules, or other units, have restated since a refusal.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use limitra::{
    Attempt, DenyCache, Key, ManualClock, MemoryStorage, Outcome, RateLimiter, Storage, StorageError,
};

/// So many per 100 s over a cache.
fn limiter(requests: u64, cache: &DenyCache) -> RateLimiter {
    let builder = RateLimiter::builder().algorithm("gcra").requests(requests).window(100);
    builder.storage(cache).build().unwrap()
}

#[tokio::test]
async fn a_refusal_that_was_told_at_another_rate_is_not_kept() {
    let clock = ManualClock::new();
    let memory = MemoryStorage::builder().clock(clock.clone()).build().unwrap();
    let cache = DenyCache::over(memory).build().unwrap();
    let (slow, fast) = (limiter(2, &cache), limiter(1000, &cache));
    assert!(slow.check_cost("ada", 2).await.unwrap().is_allowed());
    assert!(!fast.check_cost("ada", 999).await.unwrap().is_allowed());
    // This restates the bucket at the new rate, by which the wait is short.
    assert!(fast.check("ada").await.unwrap().is_allowed());
    clock.advance(Duration::from_millis(300));
    assert!(fast.check_cost("ada", 999).await.unwrap().is_allowed());
    assert_eq!(cache.hits(), 0);
}

/// A memory whose refusals take their time.
#[derive(Debug)]
struct Late {
    memory: MemoryStorage,
    holds: Arc<AtomicBool>,
}

#[async_trait]
impl Storage for Late {
    fn name(&self) -> &'static str {
        "late"
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        let outcome = self.memory.decide(attempt).await?;
        if !outcome.is_allowed() {
            let is_held = || self.holds.load(Ordering::SeqCst);
            poll_fn(|_| if is_held() { Poll::Pending } else { Poll::Ready(()) }).await;
        }
        Ok(outcome)
    }

    async fn clear(&self, key: Key<'_>) -> Result<(), StorageError> {
        self.memory.clear(key).await
    }

    async fn ping(&self) -> Result<(), StorageError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_refusal_that_an_allowed_hit_overtook_is_not_kept() {
    let (clock, holds) = (ManualClock::new(), Arc::new(AtomicBool::new(true)));
    let memory = MemoryStorage::builder().clock(clock.clone()).build().unwrap();
    let cache = DenyCache::over(Arc::new(Late { memory, holds: holds.clone() })).build().unwrap();
    let (slow, fast) = (limiter(2, &cache), limiter(1000, &cache));
    assert!(slow.check_cost("ada", 2).await.unwrap().is_allowed());
    let mut refused = Box::pin(slow.check("ada"));
    assert!(refused.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(fast.allow_request("ada").await.unwrap());
    holds.store(false, Ordering::SeqCst);
    assert!(!refused.await.unwrap().is_allowed());
    clock.advance(Duration::from_millis(400));
    assert!(slow.check("ada").await.unwrap().is_allowed());
}
