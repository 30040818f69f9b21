//! Where the laws are tried: a storage, and a runtime to wait on it.

use std::cell::RefCell;

use limitra::{AnyStorage, ManualClock, MemoryStorage, RateLimiterBuilder};
use limitra_tests::{patient_storage, shared};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseResult, TestRunner};
use tokio::runtime::Runtime;

pub(crate) struct Bench {
    runtime: Runtime,
    redis: Option<Redis>,
    by_its_own_clock: bool,
}

/// What a world stands on.
#[derive(Clone)]
pub(crate) enum Ground {
    /// A storage whose limiters bring their clock.
    Storage(AnyStorage),
    /// A memory storage of the world's own, whose clock is the world's: buckets of single rules are words there.
    OwnClock,
}

impl Ground {
    /// A storage for limiters that are built by hand.
    pub(crate) fn storage(&self) -> AnyStorage {
        match self {
            Self::Storage(storage) => storage.clone(),
            Self::OwnClock => panic!("this law brings its own clock"),
        }
    }

    /// The storage, and what gives a limiter the time.
    pub(crate) fn lay(
        &self,
        clock: &ManualClock,
    ) -> (AnyStorage, impl Fn(RateLimiterBuilder) -> RateLimiterBuilder + use<>) {
        let (storage, bring) = match self {
            Self::Storage(storage) => (storage.clone(), Some(clock.clone())),
            Self::OwnClock => (MemoryStorage::builder().clock(clock.clone()).build().unwrap().into(), None),
        };
        let timed = move |builder: RateLimiterBuilder| match &bring {
            Some(clock) => builder.clock(clock.clone()),
            None => builder,
        };
        (storage, timed)
    }

    pub(crate) fn may_go_back(&self) -> bool {
        matches!(self, Self::Storage(_))
    }
}

struct Redis {
    storage: AnyStorage,
    /// For looking at what the storage wrote.
    connection: RefCell<redis::Connection>,
}

impl Bench {
    pub(crate) fn memory() -> Self {
        Self { runtime: runtime(), redis: None, by_its_own_clock: false }
    }

    /// Memory whose own clock is set, and never goes back.
    pub(crate) fn memory_by_its_own_clock() -> Self {
        Self { by_its_own_clock: true, ..Self::memory() }
    }

    pub(crate) fn redis() -> Self {
        let url = shared().url();
        let client = redis::Client::open(url.as_str()).unwrap();
        let connection = RefCell::new(client.get_connection().unwrap());
        let storage = patient_storage(&url).into();
        Self { runtime: runtime(), redis: Some(Redis { storage, connection }), by_its_own_clock: false }
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// An empty memory storage, or the one Redis.
    pub(crate) fn ground(&self) -> Ground {
        match &self.redis {
            Some(redis) => Ground::Storage(redis.storage.clone()),
            None if self.by_its_own_clock => Ground::OwnClock,
            None => Ground::Storage(MemoryStorage::new().into()),
        }
    }

    /// Tries a law on so many cases, on Redis on fewer.
    pub(crate) fn for_all<S: Strategy>(
        &self,
        cases: u32,
        strategy: S,
        law: impl AsyncFn(S::Value, Ground) -> TestCaseResult,
    ) {
        let cases = if self.redis.is_some() { cases.div_ceil(4) } else { cases };
        let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
        let config = Config {
            cases: asked.unwrap_or(cases),
            failure_persistence: None,
            max_global_rejects: 1_000_000,
            max_shrink_iters: 20_000,
            ..Config::default()
        };
        let tried =
            TestRunner::new(config).run(&strategy, |case| self.runtime.block_on(law(case, self.ground())));
        if let Err(failure) = tried {
            panic!("{failure}");
        }
    }

    fn ask<T: redis::FromRedisValue>(&self, command: &str, key: &str) -> T {
        let redis = self.redis.as_ref().expect("only Redis can be looked into");
        let mut connection = redis.connection.borrow_mut();
        redis::cmd(command).arg(key).query(&mut *connection).unwrap()
    }

    /// Whether Redis has any of these keys. Memory shows none.
    pub(crate) fn has_any(&self, keys: &[String]) -> bool {
        self.redis.is_some() && keys.iter().any(|key| self.ask("EXISTS", key))
    }

    /// What Redis has under these keys, and when it expires.
    pub(crate) fn bytes(&self, keys: &[String]) -> Vec<(Option<Vec<u8>>, i64)> {
        keys.iter().map(|key| (self.ask("DUMP", key), self.ask("PEXPIRETIME", key))).collect()
    }

    /// Milliseconds that the keys which are there have left; -1 without an expiry.
    pub(crate) fn times_to_live(&self, keys: &[String]) -> Vec<i64> {
        let times = keys.iter().map(|key| self.ask("PTTL", key));
        times.filter(|milliseconds| *milliseconds != -2).collect()
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
