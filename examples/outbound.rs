//! A client that must not exceed a third party's limit: thirty tasks share what there is, and wait for their turn.
//!
//! ```text
//! cargo run --example outbound
//! LIMITRA_REDIS_URL=redis://127.0.0.1:6379 cargo run --example outbound     # in two terminals: they share it
//! ```

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use limitra::{ConfigurationError, Error, Limitra, LimitraConfig, RateLimiter};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

/// The third party, for this program a pretended one: 20 requests in any second, else 429.
struct ThirdParty {
    limit: RateLimiter,
}

impl ThirdParty {
    fn new(limits: &Limitra) -> Result<Self, ConfigurationError> {
        let limit = limits
            .limiter()
            .algorithm("moving_window")
            .requests(20)
            .window(1)
            .scope("third-party")
            .build()?;
        Ok(Self { limit })
    }

    async fn request(&self, api_key: &str) -> Result<u16, Error> {
        Ok(if self.limit.allow_request(api_key).await? { 200 } else { 429 })
    }
}

/// Our client of it.
struct Client {
    third_party: ThirdParty,
    api_key: &'static str,
    /// How often we may ask. An exact log, for the third party may count by one; its window is longer than theirs by as much as
    /// one request may take longer than another to get there.
    limit: RateLimiter,
    /// Whose turn it is: of all tasks of this process one asks for a permit and waits, the others come after it, in their order.
    turn: Mutex<()>,
}

impl Client {
    fn new(limits: &Limitra) -> Result<Self, ConfigurationError> {
        let limit =
            limits.limiter().algorithm("moving_window").requests(20).window(1.1).scope("outbound").build()?;
        let third_party = ThirdParty::new(limits)?;
        Ok(Self { third_party, api_key: "our-api-key", limit, turn: Mutex::new(()) })
    }

    /// Waits until we may ask. `retry_after` is exact: who waits that long is let in, if no other process was faster.
    async fn acquire<W: Future<Output = ()>>(&self, wait: impl Fn(Duration) -> W) -> Result<(), Error> {
        let _turn = self.turn.lock().await;
        loop {
            let decision = self.limit.check(self.api_key).await?;
            if decision.is_allowed() {
                return Ok(());
            }
            wait(decision.retry_after()).await;
        }
    }

    async fn request<W: Future<Output = ()>>(&self, wait: impl Fn(Duration) -> W) -> Result<u16, Error> {
        self.acquire(wait).await?;
        self.third_party.request(self.api_key).await
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let limits = LimitraConfig::from_env()?.project("outbound").build()?;
    println!(
        "thirty tasks, three requests each, 20 a second are allowed; counting in {}",
        limits.storage().name()
    );
    let client = Arc::new(Client::new(&limits)?);
    let (answered, refused) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..30 {
        let (client, answered, refused) = (client.clone(), answered.clone(), refused.clone());
        tasks.spawn(async move {
            for _ in 0..3 {
                let status = client.request(tokio::time::sleep).await?;
                let count = if status == 200 { &answered } else { &refused };
                let count = count.fetch_add(1, Ordering::Relaxed) + 1;
                if status == 200 && count % 10 == 0 {
                    println!("{:4.1} s: {count} answered", began.elapsed().as_secs_f64());
                }
            }
            Ok::<_, Error>(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    println!("{} answered, {} refused", answered.load(Ordering::Relaxed), refused.load(Ordering::Relaxed));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use limitra::{ManualClock, Micros};

    /// Time is tokio's, standing still while anybody works; limitra's clock is put by it.
    #[tokio::test(start_paused = true)]
    async fn ninety_requests_of_thirty_tasks_are_all_answered_however_long_they_are_on_their_way()
    -> Result<(), Box<dyn std::error::Error>> {
        let clock = ManualClock::new();
        let client = Arc::new(Client::new(&LimitraConfig::new().clock(clock.clone()).build()?)?);
        let began = tokio::time::Instant::now();
        let mut tasks = JoinSet::new();
        for task in 0..30_u64 {
            let (client, clock) = (client.clone(), clock.clone());
            tasks.spawn(async move {
                let start = ManualClock::new().now();
                let pass = |time: Duration| {
                    let clock = clock.clone();
                    async move {
                        tokio::time::sleep(time).await;
                        clock.set(start.plus(Micros::from_duration(began.elapsed())));
                    }
                };
                for request in 0..3 {
                    client.acquire(&pass).await?;
                    // Up to a tenth of a second on its way.
                    pass(Duration::from_millis((task * 37 + request * 61) % 100)).await;
                    assert_eq!(client.third_party.request(client.api_key).await?, 200);
                }
                Ok::<_, Error>(())
            });
        }
        for task in tasks.join_all().await {
            task?;
        }
        // Five windows of 20, of which the last one is not full: four are waited for.
        assert!(began.elapsed() >= Duration::from_millis(4400), "{:?}", began.elapsed());
        Ok(())
    }
}
