//! `#[rate_limit]` on a plain function with a storage that has to be waited for.

use std::sync::atomic::{AtomicU64, Ordering};

use limitra::{Error, Limitra, LimitraConfig, rate_limit};
use limitra_tests::fresh_prefix;

use crate::stage::redis;
use crate::witness::{Witness, limits, outage};

fn on_redis() -> Limitra {
    LimitraConfig::new().storage(redis()).prefix(fresh_prefix()).deadline(None).build().unwrap()
}

#[rate_limit(requests = 2, window = 3600, key = "user", limitra = limits)]
fn create_post(user: u64, limits: &Limitra) -> Result<u64, Error> {
    Ok(user)
}

#[test]
fn a_plain_function_is_limited_on_redis_without_any_runtime() {
    let limits = on_redis();
    assert_eq!(create_post(1, &limits).unwrap(), 1);
    create_post(1, &limits).unwrap();
    assert!(matches!(create_post(1, &limits), Err(Error::RateLimitExceeded(_))));
    create_post(2, &limits).unwrap();
}

#[tokio::test(flavor = "current_thread")]
async fn a_plain_function_may_be_called_from_async_code() {
    let limits = on_redis();
    create_post(1, &limits).unwrap();
    create_post(1, &limits).unwrap();
    create_post(1, &limits).unwrap_err();
}

#[test]
fn racing_threads_admit_exactly_the_limit_of_a_plain_function_on_redis() {
    #[rate_limit(requests = 50, window = 3600, limitra = limits)]
    fn search(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (limits, allowed) = (on_redis(), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..10 {
                    allowed.fetch_add(u64::from(search(&limits).is_ok()), Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!(allowed.into_inner(), 50);
}

#[test]
fn what_a_plain_function_asks_is_what_an_async_one_would() {
    #[rate_limit(requests = 10, window = 60, key = ("tenant", |_, user, _| user.len()), cost = |_, user, _| user.len(), limitra = limits)]
    #[rate_limit(requests = 100, window = 60, scope = "all", exempt_when = |tenant, _, _| *tenant == 0)]
    fn plain(tenant: u64, user: &str, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (witness, limits) = Witness::with_handle();
    plain(1, "ada", &limits).unwrap();
    plain(0, "bob", &limits).unwrap();
    let attempts = witness.attempts();
    let asked: Vec<(&str, u64)> =
        attempts.iter().flatten().map(|subject| (&*subject.key, subject.cost)).collect();
    let [user, all, alone] = &asked[..] else { panic!("{asked:?}") };
    assert!(user.0.ends_with(":user:1,3:") && user.1 == 3, "{asked:?}");
    assert!(all.0.contains(":all:") && all.1 == 1, "{asked:?}");
    assert_eq!((witness.identifier(), alone.1), ("0,3".to_owned(), 3), "the exempt one is not asked");
}

#[test]
fn methods_and_default_methods_have_counters_of_their_own() {
    struct Post;
    struct Page;
    trait Store {
        #[rate_limit(requests = 1, window = 60, limitra = limits)]
        fn store(&self, limits: &Limitra) -> Result<(), Error> {
            Ok(())
        }
    }
    impl Store for Post {}
    impl Store for Page {}
    impl Post {
        #[allow(clippy::unused_self)]
        #[rate_limit(requests = 1, window = 60, limitra = limits)]
        fn read(&self, limits: &Limitra) -> Result<(), Error> {
            Ok(())
        }
    }

    let (witness, limits) = Witness::with_handle();
    Post.store(&limits).unwrap();
    Page.store(&limits).unwrap();
    Post.read(&limits).unwrap();
    Post.store(&limits).unwrap_err();
    Page.store(&limits).unwrap_err();
    Post.read(&limits).unwrap_err();
    let keys = witness.keys().concat();
    assert!(keys[0] != keys[1] && keys[2].contains("Post.read"), "{keys:?}");
}

#[test]
fn an_outage_is_what_the_function_says_it_is() {
    #[rate_limit(requests = 1, window = 60, limitra = limits)]
    fn error(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
    #[rate_limit(requests = 1, window = 60, limitra = limits, fail_open = true, decision = seen)]
    fn open(limits: &Limitra) -> Result<bool, Error> {
        Ok(seen.is_degraded())
    }
    #[rate_limit(requests = 1, window = 60, limitra = limits, on_exceeded = |_| 429, on_error = |_| 503)]
    fn handled(limits: &Limitra) -> u16 {
        200
    }
    #[rate_limit(requests = 1, window = 60, limitra = limits, block = false, decision = seen)]
    fn always(limits: &Limitra) -> bool {
        seen.is_degraded()
    }

    let down = outage();
    assert!(matches!(error(&down), Err(Error::Storage(_))));
    assert!(open(&down).unwrap());
    assert_eq!(handled(&down), 503);
    assert!(always(&down));
    let (limits, _clock) = limits();
    assert_eq!((handled(&limits), handled(&limits)), (200, 429));
}
