//! What a decision on memory allocates: nothing, once its key is there.
#![allow(missing_docs, clippy::unwrap_used)]

use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use allocation_counter::measure;
use limitra::{
    Algorithm, Error, Limit, Limitra, LimitraConfig, ManualClock, MemoryStorage, RateLimiter, rate_limit,
};

/// What a future is worth at its first poll.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// How many allocations were made.
fn allocations(run: impl FnOnce()) -> u64 {
    measure(run).count_total
}

/// A limiter of eight per second, and its clock.
fn limiter(algorithm: Algorithm) -> (RateLimiter, ManualClock) {
    let clock = ManualClock::new();
    let builder = RateLimiter::builder().algorithm(algorithm).requests(8).window(1).clock(clock.clone());
    (builder.build().unwrap(), clock)
}

#[test]
fn allocations_are_counted_here() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(7)))), 1);
}

#[test]
fn a_decision_on_an_existing_key_allocates_nothing() {
    for &algorithm in Algorithm::ALL {
        let (limiter, clock) = limiter(algorithm);
        let hit_all = || {
            let mut refused = 0;
            for _ in 0..40 {
                for allowed in [
                    at_once(limiter.allow_request("ada@example.org")).unwrap(),
                    at_once(limiter.allow_request(u64::MAX)).unwrap(),
                    at_once(limiter.allow_request(-7_i64)).unwrap(),
                    at_once(limiter.allow_request(b"bytes")).unwrap(),
                    at_once(limiter.check_cost("cost", 3)).unwrap().is_allowed(),
                ] {
                    refused += u32::from(!allowed);
                }
                clock.advance(Duration::from_millis(80));
            }
            // Long enough for an elastic window to end.
            clock.advance(Duration::from_secs(2));
            assert!(refused > 0 && refused < 200, "{algorithm}: {refused} were refused");
        };
        // Here the keys come to be, and a moving window's ring reaches its size.
        hit_all();
        assert_eq!(allocations(hit_all), 0, "{algorithm}");
    }
}

#[test]
fn a_look_at_a_key_allocates_nothing_whether_it_exists_or_not() {
    for &algorithm in Algorithm::ALL {
        let (limiter, _) = limiter(algorithm);
        at_once(limiter.check("ada")).unwrap();
        let look = || {
            for identifier in ["ada", "bob"] {
                at_once(limiter.test(identifier)).unwrap();
                at_once(limiter.usage(identifier)).unwrap();
                at_once(limiter.status(identifier)).unwrap();
                at_once(limiter.wait_time(identifier)).unwrap();
            }
        };
        assert_eq!(allocations(look), 0, "{algorithm}");
    }
}

#[test]
fn a_decision_by_the_storages_own_clock_allocates_nothing() {
    let limiter = RateLimiter::builder().requests(8).window(3600).build().unwrap();
    at_once(limiter.check("ada")).unwrap();
    assert_eq!(allocations(|| (0..20).for_each(|_| drop(at_once(limiter.check("ada"))))), 0);
}

#[test]
fn a_decision_on_an_address_allocates_nothing() {
    let (limiter, _clock) = limiter(Algorithm::default());
    let longest = IpAddr::from([0xffff_u16; 8]);
    for address in [IpAddr::from([192, 0, 2, 255]), longest] {
        assert!(at_once(limiter.check(address)).is_ok());
        assert_eq!(allocations(|| drop(at_once(limiter.check(address)))), 0, "{address}");
    }
}

#[test]
fn an_unlimited_decision_allocates_nothing() {
    let limiter = RateLimiter::builder().limit(Limit::UNLIMITED).build().unwrap();
    // The first one finds where it is counted (feature `metrics`).
    assert!(at_once(limiter.allow_request("ada")).unwrap());
    assert_eq!(allocations(|| assert!(at_once(limiter.allow_request("ada")).unwrap())), 0);
}

#[test]
fn an_attributed_function_allocates_nothing_for_its_limit() {
    #[rate_limit(requests = 1000, window = 3600, key = "name", limitra = limits)]
    async fn by_text(name: &str, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
    #[rate_limit(requests = 1000, window = 3600, key = "id", algorithm = "gcra", limitra = limits)]
    async fn by_integer(id: u64, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
    #[rate_limit(requests = 1000, window = 3600, algorithm = "fixed_window", limitra = limits)]
    async fn by_nothing(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
    #[rate_limit(requests = 1000, window = 3600)]
    async fn by_the_process() -> Result<(), Error> {
        Ok(())
    }

    let limits = LimitraConfig::new().clock(ManualClock::new()).build().unwrap();
    let call_all = || {
        for _ in 0..10 {
            at_once(by_text("ada", &limits)).unwrap();
            at_once(by_integer(42, &limits)).unwrap();
            at_once(by_nothing(&limits)).unwrap();
            at_once(by_the_process()).unwrap();
        }
    };
    call_all();
    assert_eq!(allocations(call_all), 0);
}

#[test]
fn a_sweep_gives_the_memory_back() {
    let storage = MemoryStorage::new();
    let limiter = RateLimiter::builder().requests(5).window(1).storage(&storage).clock(ManualClock::new());
    let limiter = limiter.build().unwrap();
    let flood = || (0..50_000).for_each(|identifier| drop(at_once(limiter.check(identifier))));
    let used = measure(|| {
        flood();
        storage.sweep();
    });
    assert!(used.bytes_max > 50_000 * 64, "{used:?}");
    assert!(used.bytes_current < 10_000, "{used:?}");
}

#[test]
fn a_flood_that_is_over_gives_its_memory_back_as_new_keys_come() {
    let (storage, clock) = (MemoryStorage::new(), ManualClock::new());
    let limiter = RateLimiter::builder().requests(5).window(1).storage(&storage).clock(clock.clone());
    let limiter = limiter.build().unwrap();
    let hit =
        |identifiers: std::ops::Range<u32>| identifiers.for_each(|one| drop(at_once(limiter.check(one))));
    let flood = measure(|| hit(0..100_000));
    let after = measure(|| {
        for round in 0..20 {
            clock.advance(Duration::from_secs(2));
            hit(100_000 + round * 5_000..100_000 + (round + 1) * 5_000);
        }
    });
    assert!(after.bytes_current < -flood.bytes_current / 2, "{flood:?} {after:?}");
}

#[test]
fn a_record_of_one_rule_is_small() {
    let storage = MemoryStorage::new();
    let limiter = RateLimiter::builder().requests(5).window(3600).storage(&storage).build().unwrap();
    let used = measure(|| (0..100_000).for_each(|identifier| drop(at_once(limiter.check(identifier)))));
    let each = used.bytes_current / 100_000;
    assert!(each < 400, "{each} bytes for each key");
}

#[test]
fn a_bucket_of_a_single_rule_takes_less_than_48_bytes_whatever_its_identifier() {
    for length in [12, 200] {
        let storage = MemoryStorage::with_max_keys(250_000).unwrap();
        let limiter = RateLimiter::builder().algorithm("gcra").requests(5).window(3600);
        let limiter = limiter.storage(&storage).build().unwrap();
        let identifier = |number: u32| format!("{number:0length$}");
        let used =
            measure(|| (0..200_000).for_each(|number| drop(at_once(limiter.check(&identifier(number))))));
        let each = used.bytes_current / 200_000;
        assert_eq!(storage.len(), 200_000);
        assert!(each < 48, "{each} bytes for each key");
    }
}
