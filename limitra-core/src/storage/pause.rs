//! The pause before another try.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher, RandomState};
use std::time::Duration;

/// The bound on the first pause.
const FIRST: Duration = Duration::from_millis(2);
/// The bound on any.
const LONGEST: Duration = Duration::from_millis(100);

/// Random pauses, each at most twice as long as the one before: exponential back-off with full jitter
/// (Brooker, "Exponential Backoff And Jitter", 2015).
#[derive(Default)]
pub(crate) struct Pause {
    tries: u32,
    /// What the randomness comes from, if not from the operating system.
    seed: Option<u64>,
}

impl Pause {
    /// Pauses that are the same for the same seed.
    #[cfg(feature = "register")]
    pub(crate) fn seeded(seed: Option<u64>) -> Self {
        Self { tries: 0, seed }
    }

    pub(crate) async fn wait(&mut self) {
        let bound = FIRST.saturating_mul(1 << self.tries.min(16)).min(LONGEST);
        self.tries += 1;
        let random = match self.seed {
            None => RandomState::new().hash_one(self.tries),
            Some(seed) => BuildHasherDefault::<DefaultHasher>::default().hash_one((seed, self.tries)),
        };
        let micros = random % u64::try_from(bound.as_micros()).unwrap_or(u64::MAX).max(1);
        tokio::time::sleep(Duration::from_micros(micros)).await;
    }
}
