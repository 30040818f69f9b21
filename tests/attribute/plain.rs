//! Functions that are not async.
#![allow(
    clippy::manual_async_fn,
    clippy::needless_pass_by_value,
    clippy::trivially_copy_pass_by_ref,
    clippy::unused_self
)]

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use limitra::{
    Algorithm, Error, FromError, Limitra, MemoryStorage, RateLimit, RateLimitExceeded, rate_limit,
};
use tracing::instrument;

use crate::witness::limits;

struct Post;
struct Page;

impl Post {
    #[rate_limit(requests = 1, window = 60, limitra = limits)]
    fn create(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    #[rate_limit(requests = 1, window = 60, key = "id", limitra = limits)]
    fn read(&self, id: u64, limits: &Limitra) -> Result<u64, Error> {
        Ok(id)
    }

    #[rate_limit(requests = 1, window = 60, key = (Self::shelf, 0), limitra = limits)]
    fn write(&mut self, id: u64, limits: &Limitra) -> Result<u64, Error> {
        Ok(id)
    }

    fn shelf(&self, _id: &u64, _limits: &Limitra) -> &'static str {
        "a shelf"
    }

    #[rate_limit(requests = 1, window = 60, limitra = limits)]
    fn burn(self, limits: &Limitra) -> Result<Self, Error> {
        Ok(self)
    }
}

impl Page {
    #[rate_limit(requests = 1, window = 60, limitra = limits)]
    fn create(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
}

trait Store {
    fn load(&self, limits: &Limitra) -> Result<(), Error>;

    #[rate_limit(requests = 1, window = 60, limitra = limits)]
    fn store(&self, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
}

impl Store for Post {
    #[rate_limit(requests = 1, window = 60, limitra = limits)]
    fn load(&self, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
}

impl Store for Page {
    #[rate_limit(requests = 1, window = 60, limitra = limits)]
    fn load(&self, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
}

#[test]
fn a_plain_function_is_limited_without_any_runtime() {
    #[rate_limit(requests = 2, window = 60, key = "user", algorithm = "fixed_window", limitra = limits)]
    fn create_post(user: u64, limits: &Limitra) -> Result<u64, Error> {
        Ok(user)
    }

    let (limits, clock) = limits();
    assert_eq!(create_post(1, &limits).expect("the first of two"), 1);
    create_post(1, &limits).expect("the second of two");
    let Err(Error::RateLimitExceeded(exceeded)) = create_post(1, &limits) else {
        panic!("the third of two was let through");
    };
    assert_eq!((exceeded.requests, exceeded.retry_after), (2, Duration::from_secs(60)));
    assert!(exceeded.function.ends_with("create_post"), "{}", exceeded.function);
    create_post(2, &limits).expect("somebody else's first");
    clock.advance(Duration::from_secs(60));
    create_post(1, &limits).expect("the first of the next window");
}

#[test]
fn a_plain_function_without_a_configuration_counts_in_memory() {
    #[rate_limit("1/hour")]
    fn create_post() -> Result<(), Error> {
        Ok(())
    }

    create_post().expect("the first");
    create_post().expect_err("the second");
}

#[test]
fn plain_methods_have_counters_like_async_ones() {
    let (limits, _clock) = limits();
    Post::create(&limits).expect("the first post");
    Page::create(&limits).expect("the first page");
    Post::create(&limits).expect_err("the second post");
    assert_eq!(Post.read(7, &limits).expect("the first"), 7);
    Post.read(7, &limits).expect_err("the second");
    assert_eq!(Post.write(7, &limits).expect("the first"), 7);
    Post.write(7, &limits).expect_err("the second");
    Post.burn(&limits).map(drop).expect("the first");
    assert!(Post.burn(&limits).is_err());
    Post.load(&limits).expect("the first post");
    Page.load(&limits).expect("the first page");
    Page.load(&limits).expect_err("the second page");
    Post.store(&limits).expect("the first post by the default method");
    Page.store(&limits).expect("the first page by the default method");
    Post.store(&limits).expect_err("the second post by the default method");
}

#[test]
fn all_instances_of_a_generic_plain_function_share_a_counter() {
    #[rate_limit(requests = 2, window = 60, limitra = limits)]
    fn show<T: Display, const N: usize>(shown: &[T; N], limits: &Limitra) -> Result<String, Error> {
        Ok(shown.iter().map(ToString::to_string).collect())
    }

    let (limits, _clock) = limits();
    assert_eq!(show(&[1, 2], &limits).expect("the first of two"), "12");
    assert_eq!(show(&["a"], &limits).expect("the second of two"), "a");
    show(&[1], &limits).expect_err("the third of two");
}

#[test]
fn every_parameter_works_on_a_plain_function() {
    #[rate_limit(
        requests = |user: &u64, _, _| user * 10,
        window = 60,
        key = |user, _, _| *user,
        cost = |_, pages, _| *pages,
        exempt_when = |user, _, _| *user == 9,
        algorithm = Algorithm::TokenBucket,
        scope = "reader",
        name = "print",
        project = "library",
        limitra = limits,
    )]
    fn print(user: u64, pages: u64, limits: &Limitra) -> Result<u64, Error> {
        Ok(user + pages)
    }

    let (limits, _clock) = limits();
    assert_eq!(print(1, 10, &limits).expect("ten of ten"), 11);
    let Err(Error::RateLimitExceeded(exceeded)) = print(1, 1, &limits) else {
        panic!("the eleventh of ten was let through");
    };
    assert_eq!((&*exceeded.scope, &*exceeded.function), ("reader", "print"));
    assert!(matches!(print(1, 11, &limits), Err(Error::CostAboveLimit { cost: 11, .. })));
    print(2, 20, &limits).expect("twenty of twenty");
    for _ in 0..3 {
        print(9, 90, &limits).expect("exempt");
    }
    print(0, 1, &limits).expect_err("one of none");
}

#[test]
fn stacked_attributes_on_a_plain_function_are_one_decision() {
    #[rate_limit(requests = 3, window = 60, key = "user", limitra = limits)]
    #[rate_limit(requests = 4, window = 60, scope = "tenant")]
    fn search(user: u64, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (limits, _clock) = limits();
    for _ in 0..3 {
        search(1, &limits).expect("one of three");
    }
    search(1, &limits).expect_err("the fourth of three");
    search(2, &limits).expect("the fourth of four: the refused one cost the tenant nothing");
    search(2, &limits).expect_err("the fifth of four");
}

#[test]
fn a_handler_answers_for_a_plain_function() {
    fn too_many(exceeded: RateLimitExceeded) -> Option<u64> {
        (exceeded.remaining > 0).then_some(exceeded.requests)
    }
    #[rate_limit(requests = 1, window = 60, limitra = limits, on_exceeded = too_many, backend = "memory")]
    fn find(limits: &Limitra) -> Option<u64> {
        Some(0)
    }
    #[rate_limit(requests = 1, window = 60, limitra = limits, on_exceeded = |_| 429, on_error = |_| 503)]
    fn status(limits: &Limitra) -> u16 {
        200
    }
    #[rate_limit(requests = |quota, _| *quota, window = 60, limitra = limits, on_error = |error| Err(error.to_string()), on_exceeded = |_| Ok(0))]
    fn with_a_mistake(quota: i64, limits: &Limitra) -> Result<i64, String> {
        Ok(quota)
    }

    let (limits, _clock) = limits();
    assert_eq!((find(&limits), find(&limits)), (Some(0), None));
    assert_eq!((status(&limits), status(&limits)), (200, 429));
    let mistake = with_a_mistake(-1, &limits).expect_err("a negative number");
    assert!(mistake.contains("requests must be a whole number"), "{mistake}");
}

#[test]
fn a_plain_body_sees_its_decision_and_runs_where_nothing_blocks() {
    static TOLD: AtomicU64 = AtomicU64::new(0);
    #[rate_limit(requests = 1, window = 60, limitra = limits, block = false, decision = seen, on_exceeded = |exceeded| {
        TOLD.fetch_add(exceeded.requests, Ordering::SeqCst);
    })]
    fn create_post(limits: &Limitra) -> bool {
        seen.is_allowed()
    }

    let (limits, _clock) = limits();
    assert!(create_post(&limits));
    assert!(!create_post(&limits));
    assert!(!create_post(&limits));
    assert_eq!(TOLD.load(Ordering::SeqCst), 2);
}

#[test]
fn a_plain_function_returns_whatever_carries_the_error() {
    #[derive(Debug, PartialEq)]
    struct Reply(u16);
    impl FromError for Reply {
        fn from_error(error: Error) -> Self {
            Self(if matches!(error, Error::RateLimitExceeded(_)) { 429 } else { 503 })
        }
    }
    #[rate_limit(requests = 1, window = 60, limitra = limits)]
    fn reply(limits: &Limitra) -> Reply {
        Reply(200)
    }
    #[rate_limit(requests = 1, window = 60, limitra = limits)]
    fn opaque(limits: &Limitra) -> impl std::fmt::Debug + PartialEq<Reply> {
        Reply(200)
    }
    #[rate_limit(requests = 1, window = 60, limitra = limits)]
    fn numbers(limits: &Limitra) -> Result<impl Iterator<Item = u64>, Error> {
        Ok(0..3)
    }

    let (limits, _clock) = limits();
    assert_eq!((reply(&limits), reply(&limits)), (Reply(200), Reply(429)));
    assert_eq!(opaque(&limits), Reply(200));
    assert_eq!(opaque(&limits), Reply(429));
    let first = numbers(&limits).expect("the first");
    assert!(numbers(&limits).is_err(), "it is limited when it is called");
    assert_eq!(first.sum::<u64>(), 3);
}

#[test]
fn an_argument_of_a_plain_function_may_be_taken_apart_and_consumed() {
    #[rate_limit(requests = 1, window = 60, key = ("first", |pair, _, _| pair.1), limitra = limits)]
    fn take((mut first, second): (String, u64), list: Vec<u64>, limits: &Limitra) -> Result<String, Error> {
        first.push('!');
        Ok(format!("{first}{second}{list:?}"))
    }

    let (limits, _clock) = limits();
    let taken = take(("ada".to_owned(), 7), vec![1], &limits).expect("the first");
    assert_eq!(taken, "ada!7[1]");
    take(("ada".to_owned(), 7), vec![2], &limits).expect_err("the second");
    take(("ada".to_owned(), 8), vec![3], &limits).expect("another pair");
}

#[test]
fn racing_threads_admit_exactly_the_limit_of_a_plain_function() {
    #[rate_limit(requests = 100, window = 3600, limitra = limits)]
    fn create_post(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (limits, _clock) = limits();
    let allowed = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    allowed.fetch_add(u64::from(create_post(&limits).is_ok()), Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!(allowed.into_inner(), 100);
}

#[test]
fn an_instrumented_plain_function_is_limited_whichever_attribute_is_above() {
    #[instrument(skip_all)]
    #[rate_limit(requests = 1, window = 60, key = "id", limitra = limits)]
    fn above(id: u64, limits: &Limitra) -> Result<u64, Error> {
        Ok(id)
    }
    #[rate_limit(requests = 1, window = 60, key = "id", limitra = limits)]
    #[instrument(skip_all, err, ret)]
    fn below(id: u64, limits: &Limitra) -> Result<u64, Error> {
        Ok(id)
    }
    #[instrument(skip_all, ret)]
    #[rate_limit(requests = 1, window = 60, on_exceeded = |_| None, backend = "memory", limitra = limits)]
    fn above_with_ret(id: u64, limits: &Limitra) -> Option<u64> {
        Some(id)
    }

    let (limits, _clock) = limits();
    above(7, &limits).expect("the first");
    above(7, &limits).expect_err("the second");
    below(7, &limits).expect("the first");
    below(7, &limits).expect_err("the second");
    assert_eq!((above_with_ret(7, &limits), above_with_ret(7, &limits)), (Some(7), None));
}

#[test]
fn the_storage_of_a_plain_function_may_be_its_own() {
    static MEMORY: std::sync::LazyLock<MemoryStorage> = std::sync::LazyLock::new(MemoryStorage::new);
    #[rate_limit(requests = 1, window = 60, storage = &*MEMORY)]
    fn create_post() -> Result<(), Error> {
        Ok(())
    }

    create_post().expect("the first");
    create_post().expect_err("the second");
    assert_eq!(MEMORY.len(), 1);
}

/// What a function that is not async, and returns a future, is: the future is limited, when it is awaited.
mod futures {
    use std::pin::Pin;

    use super::{Error, Limitra, limits, rate_limit};
    use crate::witness::Witness;

    #[rate_limit(requests = 1, window = 60, key = "id", limitra = limits)]
    fn block(id: u64, limits: &Limitra) -> impl Future<Output = Result<u64, Error>> + Send {
        async move { Ok(id) }
    }

    #[rate_limit(requests = 1, window = 60, limitra = limits)]
    fn without_move(limits: Limitra) -> impl Future<Output = Result<(), Error>> {
        async { Ok(()) }
    }

    #[rate_limit(requests = 1, window = 60, limitra = limits, on_exceeded = |_| 429, on_error = |_| 503)]
    fn boxed(limits: &Limitra) -> Pin<Box<dyn Future<Output = u16> + '_>> {
        let status = 200;
        Box::pin(async move { status })
    }

    #[tokio::test]
    async fn a_function_that_returns_an_async_block_is_limited_when_it_is_awaited() {
        let (witness, limits) = Witness::with_handle();
        let first = block(7, &limits);
        drop(block(7, &limits));
        assert!(witness.attempts().is_empty(), "nothing was awaited yet");
        assert_eq!(first.await.expect("the first"), 7);
        block(7, &limits).await.expect_err("the second");
        without_move(limits.clone()).await.expect("the first");
        without_move(limits.clone()).await.expect_err("the second");
        assert_eq!((boxed(&limits).await, boxed(&limits).await), (200, 429));
    }

    #[tokio::test]
    async fn on_memory_too() {
        let (limits, _clock) = limits();
        block(7, &limits).await.expect("the first");
        block(7, &limits).await.expect_err("the second");
    }
}

#[test]
fn limits_may_be_text_from_anywhere_and_lists_of_limits() {
    const TEXT: &str = "1/minute; 5/hour";
    fn of_settings() -> String {
        TEXT.to_owned()
    }
    #[rate_limit(limits = TEXT, limitra = limits)]
    fn constant(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
    #[rate_limit(limits = of_settings(), algorithm = "fixed_window", limitra = limits)]
    fn owned(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
    #[rate_limit(limits = [RateLimit::per_minute(1).expect("a limit")], limitra = limits)]
    fn list(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
    #[rate_limit(limits = "1 minute".to_owned(), limitra = limits)]
    fn mistaken(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (limits, clock) = limits();
    for function in [constant, owned, list] {
        function(&limits).expect("the first");
        function(&limits).expect_err("the second");
    }
    for _ in 1..5 {
        clock.advance(Duration::from_secs(60));
        owned(&limits).expect("the next minute's");
    }
    clock.advance(Duration::from_secs(60));
    owned(&limits).expect_err("the sixth of five an hour");
    let Err(Error::Function { function, source }) = mistaken(&limits) else {
        panic!("limits that cannot be read were let through");
    };
    assert!(function.ends_with("mistaken") && source.to_string().contains("column"), "{source}");
}

/// Without the feature `blocking` a plain function on another storage than memory is never let through in silence.
#[cfg(not(feature = "blocking"))]
#[test]
fn without_the_feature_a_plain_function_on_a_remote_storage_names_it_at_every_call() {
    use limitra::ConfigurationError;

    use crate::witness::Witness;

    #[rate_limit(requests = 1, window = 60, limitra = limits, fail_open = true)]
    fn create_post(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (witness, limits) = Witness::with_handle();
    for _ in 0..2 {
        let Err(error) = create_post(&limits) else {
            panic!("it was let through");
        };
        let text = error.to_string();
        assert!(text.contains("create_post`: ") && text.contains("needs the feature `blocking`"), "{text}");
        assert!(matches!(
            error,
            Error::Function { source: ConfigurationError::FeatureOff { feature: "blocking", .. }, .. }
        ));
    }
    assert!(witness.attempts().is_empty(), "nothing was asked");
}
