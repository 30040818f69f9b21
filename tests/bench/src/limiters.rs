//! limitra and its peers under the same limit.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota};
use limitador::limit::{Context, Limit};
use limitra::{Algorithm, Limitra, LimitraConfig, MemoryStorage, RateLimiter};
use throttlecrab::PeriodicStore;

/// What is allowed.
#[derive(Clone, Copy)]
pub(crate) enum Allowance {
    /// A million a second, a billion at once: more than anything asks for in all.
    Ample,
    /// One in a hundred seconds, a hundred thousand at once: records that last longer than the benchmark. Of the ample ones each is over
    /// after a microsecond, and where there are many, limitra forgets what is over and counts afresh.
    Lasting,
    /// One an hour: after the first, everything is refused.
    One,
    /// One a second: a record expires soon.
    Brief,
    /// Ten an hour.
    Hourly,
}

impl Allowance {
    fn amount(self) -> u32 {
        match self {
            Self::Ample => 1_000_000_000,
            Self::Lasting => 100_000,
            Self::One | Self::Brief => 1,
            Self::Hourly => 10,
        }
    }

    pub(crate) fn window(self) -> Duration {
        match self {
            Self::Ample => Duration::from_secs(1000),
            Self::Lasting => Duration::from_secs(10_000_000),
            Self::Brief => Duration::from_secs(1),
            Self::One | Self::Hourly => Duration::from_secs(3600),
        }
    }

    fn seconds<N: From<u32>>(self) -> N {
        N::from(u32::try_from(self.window().as_secs()).unwrap())
    }

    /// limitra on memory, with room for so many keys.
    pub(crate) fn limitra(self, algorithm: Algorithm, keys: usize) -> RateLimiter {
        self.limitra_over(&memory(keys), algorithm)
    }

    /// limitra over a storage.
    pub(crate) fn limitra_over(self, storage: &MemoryStorage, algorithm: Algorithm) -> RateLimiter {
        let builder = RateLimiter::builder().algorithm(algorithm).storage(storage);
        builder.requests(self.amount()).window(self.window()).build().unwrap()
    }

    fn quota(self) -> Quota {
        let amount = NonZeroU32::new(self.amount()).unwrap();
        Quota::with_period(self.window() / amount.get()).unwrap().allow_burst(amount)
    }

    pub(crate) fn governor(self) -> DefaultDirectRateLimiter {
        governor::RateLimiter::direct(self.quota())
    }

    pub(crate) fn governor_by_key<K: std::hash::Hash + Eq + Clone>(self) -> DefaultKeyedRateLimiter<K> {
        governor::RateLimiter::keyed(self.quota())
    }

    pub(crate) fn throttlecrab(self, keys: usize) -> Throttlecrab {
        Throttlecrab {
            limiter: throttlecrab::RateLimiter::new(PeriodicStore::builder().capacity(keys).build()),
            amount: i64::from(self.amount()),
            seconds: self.seconds(),
        }
    }

    pub(crate) fn leaky_bucket(self) -> leaky_bucket::RateLimiter {
        let amount = usize::try_from(self.amount()).unwrap();
        let mut builder = leaky_bucket::RateLimiter::builder();
        builder.max(amount).initial(amount).refill(amount).interval(self.window()).build()
    }

    pub(crate) fn limitador(self, keys: usize) -> Limitador {
        let limiter = limitador::RateLimiter::new(keys as u64);
        let variables = vec!["user".try_into().unwrap()];
        limiter.add_limit(Limit::new("bench", self.amount().into(), self.seconds(), vec![], variables));
        Limitador { limiter: Arc::new(limiter) }
    }
}

/// A memory storage with room for so many keys and a quarter more, and for a million, as by default, at least.
pub(crate) fn memory(keys: usize) -> MemoryStorage {
    MemoryStorage::with_max_keys((keys + keys / 4).max(1_000_000)).unwrap()
}

/// A memory storage whose clock is read once a millisecond.
pub(crate) fn coarse() -> MemoryStorage {
    MemoryStorage::builder().coarse_clock(Duration::from_millis(1)).build().unwrap()
}

/// A handle of memory alone, for the attribute.
pub(crate) fn limits() -> Limitra {
    LimitraConfig::new().build().unwrap()
}

/// throttlecrab, which wants `&mut self`: it has no case with two threads.
pub(crate) struct Throttlecrab {
    limiter: throttlecrab::RateLimiter<PeriodicStore>,
    amount: i64,
    seconds: i64,
}

impl Throttlecrab {
    pub(crate) fn allows(&mut self, key: &str) -> bool {
        let now = SystemTime::now();
        self.limiter.rate_limit(key, self.amount, self.amount, self.seconds, 1, now).unwrap().0
    }
}

#[derive(Clone)]
pub(crate) struct Limitador {
    limiter: Arc<limitador::RateLimiter>,
}

impl Limitador {
    pub(crate) fn allows(&self, key: &str) -> bool {
        let context = Context::from(HashMap::from([("user".to_owned(), key.to_owned())]));
        let namespace = "bench".into();
        !self.limiter.check_rate_limited_and_update(&namespace, &context, 1).unwrap().limited
    }
}
