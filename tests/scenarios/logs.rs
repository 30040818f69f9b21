//! What ends up in logs.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use limitra::{
    Error, Key, Limitra, LimitraConfig, Register, RegisterStorage, Snapshot, StorageError, StorageErrorKind,
    Stored, Swap, rate_limit,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Record};
use tracing::{Event, Id, Metadata, Subscriber};

/// Who is asking: nothing of it may stand in a log.
const WHO: &str = "s3cret@example.org\r\nWARN forged=\"line\"";

/// Everything that limitra tells whoever listens.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<String>>);

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _written = write!(self.0.lock().unwrap(), "{field}={value:?} ");
    }
}

impl Subscriber for Told {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("limitra")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

/// A register that never keeps anything, each time for another reason.
#[derive(Clone, Copy, Debug)]
enum Broken {
    OthersAreFaster,
    HoldsSomethingElse,
    IsAway,
}

#[async_trait]
impl Register for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    async fn load(&self, keys: &[Key<'_>]) -> Result<Snapshot, StorageError> {
        let stored = Stored { bytes: b"something else".to_vec(), version: 1 };
        let value = match self {
            Self::OthersAreFaster => None,
            Self::HoldsSomethingElse => Some(stored),
            Self::IsAway => {
                let asked = format!("nobody answers to {keys:?}");
                return Err(
                    StorageError::new(StorageErrorKind::Unavailable, "broken", "load").with_source(asked)
                );
            }
        };
        Ok(Snapshot { values: keys.iter().map(|_| value.clone()).collect(), now: None })
    }

    async fn swap(&self, _: &[Swap<'_>]) -> Result<bool, StorageError> {
        Ok(false)
    }

    async fn delete(&self, _: Key<'_>) -> Result<(), StorageError> {
        Ok(())
    }
}

#[rate_limit(requests = 1, window = 60, key = "who", algorithm = "fixed_window", limitra = limits)]
async fn create_post(who: &str, limits: &Limitra) -> Result<(), Error> {
    Ok(())
}

#[tokio::test]
async fn who_is_asking_stands_in_no_log_and_in_no_message() {
    let told = Told::default();
    let _listening = tracing::subscriber::set_default(told.clone());
    let mut shown = String::new();
    let mut show = |what: &dyn Debug| write!(shown, "{what:?} ").unwrap();
    for broken in [Broken::OthersAreFaster, Broken::HoldsSomethingElse, Broken::IsAway] {
        let storage = RegisterStorage::new(broken).max_retries(2).unwrap();
        let limits = LimitraConfig::new().storage(storage).build().unwrap();
        let error = create_post(WHO, &limits).await.unwrap_err();
        show(&(error.to_string(), &error, &limits));
        let limiter = limits.limiter().algorithm("fixed_window").requests(1).window(60).build().unwrap();
        let error = limiter.check(WHO).await.unwrap_err();
        show(&(error.to_string(), &error, &limiter, limiter.of(WHO)));
    }
    let limits = LimitraConfig::new().build().unwrap();
    create_post(WHO, &limits).await.unwrap();
    let refused = create_post(WHO, &limits).await.unwrap_err();
    show(&(refused.to_string(), &refused));
    let limiter = limits.limiter().algorithm("fixed_window").requests(1).window(60).build().unwrap();
    for _ in 0..2 {
        show(&(limiter.check(WHO).await.unwrap(), limiter.usage(WHO).await.unwrap()));
    }

    let told = told.0.lock().unwrap();
    assert!(told.contains("no decision for") && told.contains("rate limit exceeded"), "{told}");
    for text in [told.as_str(), &shown] {
        assert!(!text.contains("s3cret") && !text.contains("forged"), "{text}");
        assert!(!text.contains(['\r', '\n']), "a line is broken: {text}");
    }
}
