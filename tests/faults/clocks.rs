//! Processes whose clocks are apart.

use std::time::Duration;

use limitra::{Algorithm, Limit, ManualClock, MemoryStorage, RateLimiter};
use limitra_tests::random_number;

const AMOUNT: u64 = 6;
const WINDOW: u64 = 1000;

fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[tokio::test]
async fn clocks_that_are_apart_stretch_an_interval_by_that_and_no_more() {
    for algorithm in Algorithm::ALL {
        for apart in [1, 10, 400, 999] {
            // Random, but the most that each process can get at any instant that it picks.
            for _ in 0..20 {
                let admitted = admitted(*algorithm, apart).await;
                let bound = match algorithm {
                    Algorithm::MovingWindow | Algorithm::FixedWindowElasticExpiry => 2 * AMOUNT,
                    algorithm if algorithm.is_bucket() => AMOUNT + (WINDOW + apart) * AMOUNT / WINDOW,
                    _ => 3 * AMOUNT,
                };
                for (place, (from, _)) in admitted.iter().enumerate() {
                    let within = admitted[place..].iter().take_while(|(at, _)| at - from < WINDOW);
                    let sum: u64 = within.map(|(_, count)| count).sum();
                    assert!(sum <= bound, "{algorithm}, {apart} ms apart: {sum} from {from}: {admitted:?}");
                }
            }
        }
    }
}

/// When how many were admitted to three processes that share a storage, in milliseconds by the right clock.
async fn admitted(algorithm: Algorithm, apart: u64) -> Vec<(u64, u64)> {
    let storage = MemoryStorage::new();
    let limit = Limit::new(AMOUNT, milliseconds(WINDOW)).unwrap();
    let processes: Vec<(ManualClock, RateLimiter)> = [0, apart / 2, apart]
        .map(|ahead| {
            let clock = ManualClock::new();
            clock.advance(milliseconds(ahead));
            let limiter = RateLimiter::builder().algorithm(algorithm).limit(limit).storage(&storage);
            (clock.clone(), limiter.clock(clock).build().unwrap())
        })
        .into();
    let (mut now, mut admitted) = (0, Vec::new());
    while now < 5 * WINDOW {
        let step = random_number() % (WINDOW / 4) + 1;
        now += step;
        for (clock, _) in &processes {
            clock.advance(milliseconds(step));
        }
        for _ in 0..random_number() % 3 {
            let place = usize::try_from(random_number() % 3).unwrap();
            let mut count = 0;
            while count < random_number() % (AMOUNT + 1)
                && processes[place].1.allow_request("ada").await.unwrap()
            {
                count += 1;
            }
            admitted.push((now, count));
        }
    }
    admitted
}
