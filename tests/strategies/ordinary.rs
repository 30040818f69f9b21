//! What a caller does: identifiers of all kinds, tasks that race.

use limitra::strategies::{FixedWindowRateLimiter, Identifiers, Strategy};
use limitra::{Algorithm, Identifier};
use tokio::task::JoinSet;

use crate::stage::{limit, storages};

struct UserId(u64);

impl<'a> Identifiers<'a> for &'a UserId {
    fn identifiers(self) -> Vec<Identifier<'a>> {
        ("user", self.0).identifiers()
    }
}

#[tokio::test]
async fn identifiers_are_what_a_caller_has_at_hand() {
    for storage in storages() {
        let limiter = FixedWindowRateLimiter::new(&storage);
        let limit = limit("6/hour");
        let owned = "user".to_owned();
        assert!(limiter.hit(&limit, ("user", 7)).await.unwrap());
        assert!(limiter.hit(&limit, (&owned, 7_u8)).await.unwrap());
        assert!(limiter.hit(&limit, ["user", "7"]).await.unwrap());
        assert!(limiter.hit(&limit, &vec![owned.clone(), "7".to_owned()]).await.unwrap());
        assert!(limiter.hit(&limit, (b"user", "7")).await.unwrap());
        assert!(limiter.hit(&limit, &UserId(7)).await.unwrap());
        assert!(!limiter.hit(&limit, ("user", 7)).await.unwrap());
        assert!(limiter.hit(&limit, "user").await.unwrap());
        assert!(limiter.hit(&limit, 7).await.unwrap());
        assert!(limiter.hit(&limit, ()).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_tasks_admit_exactly_the_limit_under_every_strategy() {
    for storage in storages() {
        for algorithm in Algorithm::ALL {
            let strategy = Strategy::new(*algorithm, &storage);
            let limit = limit("50/year");
            let mut tasks = JoinSet::new();
            for _ in 0..200 {
                let (strategy, limit) = (strategy.clone(), limit.clone());
                tasks.spawn(async move { strategy.hit(&limit, ("user", 7)).await.unwrap() });
            }
            let answers = tasks.join_all().await;
            assert_eq!(answers.iter().filter(|allowed| **allowed).count(), 50, "{algorithm}");
        }
    }
}
