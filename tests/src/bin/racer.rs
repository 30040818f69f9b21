//! One process of a race: `racer URL PREFIX [OPTION=VALUE ..]` lets 80 tasks at each algorithm's limit and says how many got in.

use limitra::storage::{self, StorageOptions};
use limitra::{Algorithm, Error, Limit, RateLimiter};
use tokio::task::JoinSet;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(prefix)) = (arguments.next(), arguments.next()) else {
        panic!("usage: racer URL PREFIX [OPTION=VALUE ..]");
    };
    let options: StorageOptions = arguments
        .map(|option| {
            option
                .split_once('=')
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .expect("NAME=VALUE")
        })
        .collect();
    let storage = storage::from_url(&url, options)?;
    for algorithm in Algorithm::ALL {
        let limiter = RateLimiter::builder()
            .algorithm(*algorithm)
            // So long a window that no unit comes back, nor a new slot begins, while they race.
            .limit(Limit::new(100, Limit::MAX_WINDOW)?)
            .storage(&storage)
            .prefix(&prefix)
            .scope(algorithm.name())
            .build()?;
        let mut running = JoinSet::new();
        for _ in 0..80 {
            let limiter = limiter.clone();
            running.spawn(async move { limiter.allow_request("ada").await });
        }
        let mut admitted = 0;
        for answer in running.join_all().await {
            admitted += u64::from(answer?);
        }
        println!("{algorithm} {admitted}");
    }
    Ok(())
}
