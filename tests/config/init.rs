//! The process-wide configuration: what `init` sets is what attributed functions go by.
#![allow(missing_docs, clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use limitra::{
    Algorithm, Attempt, Error, Key, LimitraConfig, ManualClock, MemoryStorage, Outcome, Storage,
    StorageError, rate_limit,
};

/// Memory that tells the key it was asked about.
#[derive(Debug, Default)]
struct Witness {
    memory: MemoryStorage,
    asked: std::sync::Mutex<Vec<(String, Algorithm)>>,
}

#[async_trait]
impl Storage for Witness {
    fn name(&self) -> &'static str {
        "witness"
    }

    async fn decide(&self, attempt: &Attempt<'_>) -> Result<Outcome, StorageError> {
        let subject = &attempt.subjects[0];
        self.asked.lock().unwrap().push((subject.key.text().into_owned(), subject.rules[0].algorithm()));
        self.memory.decide(attempt).await
    }

    async fn clear(&self, key: Key<'_>) -> Result<(), StorageError> {
        self.memory.clear(key).await
    }

    async fn ping(&self) -> Result<(), StorageError> {
        Ok(())
    }
}

#[rate_limit(requests = 1, window = 60, key = "id")]
async fn create_post(id: &str) -> Result<(), Error> {
    Ok(())
}

#[tokio::test]
async fn what_init_sets_is_what_attributed_functions_go_by() {
    let (witness, clock) = (Arc::new(Witness::default()), ManualClock::new());
    LimitraConfig::new()
        .storage(Arc::clone(&witness) as Arc<dyn Storage>)
        .clock(clock.clone())
        .prefix("rl")
        .project("blog")
        .suffix("v2")
        .default_algorithm("fixed_window")
        .init()
        .unwrap();

    create_post("ada").await.unwrap();
    create_post("bob").await.unwrap();
    assert!(matches!(create_post("ada").await, Err(Error::RateLimitExceeded(_))));
    clock.advance(Duration::from_secs(60));
    create_post("ada").await.unwrap();

    let asked = witness.asked.lock().unwrap();
    assert_eq!(asked[0], ("rl:blog:config_init.create_post:user:ada:v2".to_owned(), Algorithm::FixedWindow));
    assert_eq!(asked.len(), 4);
}
