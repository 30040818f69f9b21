//! Costs, and limits that a strategy or a storage cannot hold.

use std::sync::Arc;

use async_trait::async_trait;
use limitra::strategies::Strategy;
use limitra::{
    Algorithm, AnyStorage, Attempt, Bounds, ConfigurationError, Error, Key, MemoryStorage, Outcome, Storage,
    StorageError, StorageErrorKind,
};

use crate::stage::{limit, stopped, storages};

#[tokio::test]
async fn a_cost_is_counted_whole_or_not_at_all_and_a_refused_hit_is_free() {
    for storage in storages() {
        for algorithm in Algorithm::ALL {
            let (strategy, _clock) = stopped(*algorithm, &storage);
            let limit = limit("10/minute");
            assert!(strategy.hit_cost(&limit, "ada", 7).await.unwrap());
            assert!(!strategy.test_cost(&limit, "ada", 4).await.unwrap());
            assert!(!strategy.hit_cost(&limit, "ada", 4).await.unwrap());
            assert!(
                strategy.test_cost(&limit, "ada", 3).await.unwrap(),
                "{algorithm}: the refused four cost nothing"
            );
            assert!(strategy.hit_cost(&limit, "ada", 0).await.unwrap());
            assert!(strategy.hit_cost(&limit, "ada", 3).await.unwrap());
            assert!(
                strategy.hit_cost(&limit, "ada", 0).await.unwrap(),
                "{algorithm}: nothing is always allowed"
            );
            assert!(!strategy.hit(&limit, "ada").await.unwrap());
        }
    }
}

#[tokio::test]
async fn a_cost_above_the_limit_is_an_error_and_burns_nothing() {
    for storage in storages() {
        for algorithm in Algorithm::ALL {
            let (strategy, _clock) = stopped(*algorithm, &storage);
            let limit = limit("10/minute");
            for answer in [
                strategy.hit_cost(&limit, "ada", 11).await,
                strategy.test_cost(&limit, "ada", u64::MAX).await,
            ] {
                assert!(matches!(answer, Err(Error::CostAboveLimit { .. })), "{algorithm}: {answer:?}");
            }
            assert_eq!(strategy.window_stats(&limit, "ada").await.unwrap().remaining, 10);
        }
    }
}

#[tokio::test]
async fn a_burst_is_a_buckets_depth_and_elsewhere_an_error() {
    for storage in storages() {
        for algorithm in Algorithm::ALL {
            let (strategy, _clock) = stopped(*algorithm, &storage);
            let limit = limit("10/minute").with_burst(20).unwrap();
            let answer = strategy.hit_cost(&limit, "ada", 20).await;
            if algorithm.is_bucket() {
                assert!(answer.unwrap());
                assert_eq!(strategy.window_stats(&limit, "ada").await.unwrap().remaining, 0);
            } else {
                let mistake = answer.unwrap_err();
                assert!(
                    matches!(
                        mistake,
                        Error::Configuration(ConfigurationError::BurstWithoutBucket { burst: 20, .. })
                    ),
                    "{mistake}"
                );
            }
        }
    }
}

/// Memory that carries no more than a hundred slots of a moving window, or is down.
#[derive(Debug, Default)]
struct Small {
    memory: MemoryStorage,
    down: bool,
}

#[async_trait]
impl Storage for Small {
    fn name(&self) -> &'static str {
        "small"
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        if self.down {
            return Err(StorageError::new(StorageErrorKind::Unavailable, "small", "decide"));
        }
        self.memory.decide(attempt).await
    }

    async fn clear(&self, key: Key<'_>) -> Result<(), StorageError> {
        self.memory.clear(key).await
    }

    async fn ping(&self) -> Result<(), StorageError> {
        Ok(())
    }

    fn bounds(&self) -> Bounds {
        Bounds { record_bytes: 4 + 36 + 100 * 16, ..Bounds::default() }
    }
}

#[tokio::test]
async fn a_moving_window_that_the_storage_cannot_carry_is_an_error_at_each_question() {
    let storage: AnyStorage = Arc::new(Small::default()).into();
    let moving = Strategy::new(Algorithm::MovingWindow, &storage);
    assert!(moving.hit(&limit("100/minute"), "ada").await.unwrap());
    let limit = limit("101/minute");
    let stats = moving.window_stats(&limit, "ada").await.map(|_| true);
    for answer in [moving.hit(&limit, "ada").await, moving.test(&limit, "ada").await, stats] {
        let too_large = ConfigurationError::RecordTooLarge { storage: "small", amount: 101, most: 100 };
        assert!(matches!(answer, Err(Error::Configuration(mistake)) if mistake == too_large));
    }
    let fixed = Strategy::new(Algorithm::FixedWindow, &storage);
    assert!(fixed.hit(&limit, "ada").await.unwrap());
}

#[tokio::test]
async fn an_outage_is_an_error_of_every_question() {
    let storage: AnyStorage = Arc::new(Small { down: true, ..Small::default() }).into();
    let strategy = Strategy::new(Algorithm::Gcra, &storage);
    let limit = limit("1/minute");
    let stats = strategy.window_stats(&limit, "ada").await.map(|_| true);
    for answer in [strategy.hit(&limit, "ada").await, strategy.test(&limit, "ada").await, stats] {
        assert!(
            matches!(answer, Err(Error::Storage(error)) if error.kind() == StorageErrorKind::Unavailable)
        );
    }
}
