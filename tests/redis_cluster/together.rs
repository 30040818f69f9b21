//! Decisions that are made at the same time go together if their records are in one slot.

use limitra::Algorithm;
use limitra_tests::RedisCluster;
use tokio::task::JoinSet;

use crate::stage::{limiter, storage_at};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_tasks_admit_exactly_the_limit_in_one_slot_and_in_many() {
    let cluster = RedisCluster::start();
    for url in [cluster.url(), format!("{}?key_prefix=%7Bshop%7D", cluster.url())] {
        let limiter = limiter(&storage_at(&url), Algorithm::Gcra, 100);
        let mut running = JoinSet::new();
        for task in 0..200 {
            let limiter = limiter.clone();
            running.spawn(async move {
                let mut admitted = [0_u32; 4];
                for turn in 0..4 {
                    let who = (task + turn) % 4;
                    let identifier = format!("user {who}");
                    admitted[who] += u32::from(limiter.allow_request(&identifier).await.unwrap());
                }
                admitted
            });
        }
        let mut admitted = [0; 4];
        for counts in running.join_all().await {
            for (sum, count) in admitted.iter_mut().zip(counts) {
                *sum += count;
            }
        }
        assert_eq!(admitted, [100; 4], "{url}");
        assert_eq!(limiter.outages(), 0);
    }
}

#[tokio::test]
async fn many_are_decided_by_slot_and_answered_in_their_order() {
    let cluster = RedisCluster::start();
    for url in [cluster.url(), format!("{}?key_prefix=%7Bshop%7D", cluster.url())] {
        for algorithm in Algorithm::ALL {
            let limiter = limiter(&storage_at(&url), *algorithm, 2);
            let identifiers: Vec<String> = (0..300).map(|number| format!("{}", number % 100)).collect();
            let decided = limiter.check_many(identifiers.iter().map(String::as_str)).await;
            let allowed: Vec<bool> =
                decided.into_iter().map(|decision| decision.unwrap().is_allowed()).collect();
            assert_eq!(allowed, [vec![true; 200], vec![false; 100]].concat(), "{algorithm} {url}");
        }
    }
}
