//! Functions of every kind, and which of them share a counter.

use std::cell::Cell;
use std::fmt::Display;
use std::sync::Arc;

use async_trait::async_trait;
use limitra::{Error, Limitra, rate_limit};
use tracing::instrument;

use crate::witness::{Witness, limits};

struct Post;
struct Page;

impl Post {
    #[rate_limit(requests = 1, window = 60, limitra = limits)]
    async fn create(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    #[rate_limit(requests = 1, window = 60, limitra = limits)]
    async fn read(&self, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
}

impl Page {
    #[rate_limit(requests = 1, window = 60, limitra = limits)]
    async fn create(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    #[rate_limit(requests = 1, window = 60, limitra = limits)]
    async fn read(&self, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
}

#[tokio::test]
async fn two_methods_of_one_name_on_two_types_have_counters_of_their_own() {
    let (witness, limits) = Witness::with_handle();
    Post::create(&limits).await.expect("the first post");
    Page::create(&limits).await.expect("the first page");
    Post.read(&limits).await.expect("the first post");
    Page.read(&limits).await.expect("the first page");
    Post::create(&limits).await.expect_err("the second post");
    Page.read(&limits).await.expect_err("the second page");
    let keys = witness.keys().concat();
    assert!(keys[0].contains("Post") && keys[0].contains("create"), "{keys:?}");
    assert!(keys[3].contains("Page") && keys[3].contains("read"), "{keys:?}");
}

trait Store {
    async fn load(&self, limits: &Limitra) -> Result<(), Error>;

    #[rate_limit(requests = 1, window = 60, limitra = limits)]
    async fn store(&self, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
}

impl Store for Post {
    #[rate_limit(requests = 1, window = 60, limitra = limits)]
    async fn load(&self, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
}

impl Store for Page {
    #[rate_limit(requests = 1, window = 60, limitra = limits)]
    async fn load(&self, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
}

#[tokio::test]
async fn every_implementation_of_a_trait_has_a_counter_of_its_own() {
    let (_, limits) = Witness::with_handle();
    Post.load(&limits).await.expect("the first post");
    Page.load(&limits).await.expect("the first page");
    Post.load(&limits).await.expect_err("the second post");
    Page.load(&limits).await.expect_err("the second page");
}

#[tokio::test]
async fn a_default_method_has_a_counter_for_every_type_that_has_it() {
    let (_, limits) = Witness::with_handle();
    Post.store(&limits).await.expect("the first post");
    Page.store(&limits).await.expect("the first page");
    Post.store(&limits).await.expect_err("the second post");
    Page.store(&limits).await.expect_err("the second page");
}

#[tokio::test]
async fn all_instances_of_a_generic_function_share_a_counter() {
    #[rate_limit(requests = 2, window = 60, limitra = limits)]
    async fn show<T: Display, const N: usize>(shown: [T; N], limits: &Limitra) -> Result<String, Error> {
        Ok(shown.iter().map(ToString::to_string).collect())
    }

    let (_, limits) = Witness::with_handle();
    assert_eq!(show([1, 2], &limits).await.expect("the first of two"), "12");
    assert_eq!(show(["a"], &limits).await.expect("the second of two"), "a");
    show([1], &limits).await.expect_err("the third of two");
}

#[tokio::test]
async fn functions_of_one_name_in_two_modules_have_counters_of_their_own() {
    mod one {
        use limitra::{Error, Limitra, rate_limit};
        #[rate_limit(requests = 1, window = 60, limitra = limits)]
        pub(super) async fn create(limits: &Limitra) -> Result<(), Error> {
            Ok(())
        }
    }
    mod other {
        use limitra::{Error, Limitra, rate_limit};
        #[rate_limit(requests = 1, window = 60, limitra = limits)]
        pub(super) async fn create(limits: &Limitra) -> Result<(), Error> {
            Ok(())
        }
    }

    let (_, limits) = Witness::with_handle();
    one::create(&limits).await.expect("the first");
    other::create(&limits).await.expect("the first");
    one::create(&limits).await.expect_err("the second");
}

#[async_trait]
trait Api: Sync {
    async fn plain(&self, id: u64, limits: &Limitra) -> Result<u64, Error>;
    async fn above(&self, id: u64, limits: &Limitra) -> Result<u64, Error>;
    async fn below(&self, id: u64, limits: &Limitra) -> Result<u64, Error>;
    async fn by_value(self, pair: (u64, u64), limits: &Limitra) -> Result<u64, Error>;

    #[rate_limit(requests = 1, window = 60, key = "id", limitra = limits)]
    async fn default_method(&self, id: u64, limits: &Limitra) -> Result<u64, Error> {
        Ok(id)
    }
}

#[async_trait]
impl Api for Post {
    #[rate_limit(requests = 1, window = 60, key = "id", limitra = limits)]
    async fn plain(&self, id: u64, limits: &Limitra) -> Result<u64, Error> {
        Ok(id)
    }

    #[instrument(skip_all, err)]
    #[rate_limit(requests = 1, window = 60, key = "id", limitra = limits)]
    async fn above(&self, id: u64, limits: &Limitra) -> Result<u64, Error> {
        Ok(id)
    }

    #[rate_limit(requests = 1, window = 60, key = "id", limitra = limits)]
    #[instrument(skip_all, ret)]
    async fn below(&self, id: u64, limits: &Limitra) -> Result<u64, Error> {
        Ok(id)
    }

    #[rate_limit(requests = 1, window = 60, key = ("first", |_, pair, _| pair.1), limitra = limits)]
    async fn by_value(self, (mut first, second): (u64, u64), limits: &Limitra) -> Result<u64, Error> {
        first += second;
        Ok(first)
    }
}

#[async_trait]
impl Api for Page {
    async fn plain(&self, id: u64, _limits: &Limitra) -> Result<u64, Error> {
        Ok(id)
    }

    async fn above(&self, id: u64, _limits: &Limitra) -> Result<u64, Error> {
        Ok(id)
    }

    async fn below(&self, id: u64, _limits: &Limitra) -> Result<u64, Error> {
        Ok(id)
    }

    async fn by_value(self, pair: (u64, u64), _limits: &Limitra) -> Result<u64, Error> {
        Ok(pair.0)
    }
}

#[tokio::test]
async fn methods_under_async_trait_are_limited_with_and_without_instrument() {
    let (witness, limits) = Witness::with_handle();
    assert_eq!(Post.plain(7, &limits).await.expect("the first"), 7);
    assert_eq!(witness.identifier(), "7");
    Post.plain(7, &limits).await.expect_err("the second");
    Post.plain(8, &limits).await.expect("somebody else's first");
    Post.above(7, &limits).await.expect("the first");
    Post.above(7, &limits).await.expect_err("the second");
    Post.below(7, &limits).await.expect("the first");
    Post.below(7, &limits).await.expect_err("the second");
    assert_eq!(Post.by_value((1, 2), &limits).await.expect("the first"), 3);
    assert_eq!(witness.identifier(), "1,2");
    Post.by_value((1, 2), &limits).await.expect_err("the second");
}

#[tokio::test]
async fn a_default_method_under_async_trait_has_a_counter_for_every_type() {
    let (_, limits) = Witness::with_handle();
    Post.default_method(7, &limits).await.expect("the first post");
    Page.default_method(7, &limits).await.expect("the first page");
    Post.default_method(7, &limits).await.expect_err("the second post");
}

#[tokio::test]
async fn instrumented_functions_are_limited_whichever_attribute_is_above() {
    #[instrument(skip_all, err)]
    #[rate_limit(requests = 1, window = 60, key = "id", limitra = limits)]
    async fn above(id: u64, limits: &Limitra) -> Result<u64, Error> {
        Ok(id)
    }
    #[rate_limit(requests = 1, window = 60, key = "id", limitra = limits)]
    #[instrument(skip_all)]
    async fn below(id: u64, limits: &Limitra) -> Result<u64, Error> {
        Ok(id)
    }

    let (witness, limits) = Witness::with_handle();
    above(7, &limits).await.expect("the first");
    above(7, &limits).await.expect_err("the second");
    below(7, &limits).await.expect("the first");
    below(7, &limits).await.expect_err("the second");
    let keys = witness.keys().concat();
    assert!(keys[0].contains("above") && keys[2].contains("below"), "{keys:?}");
}

#[tokio::test]
async fn a_future_stays_send_with_a_cell_as_an_argument() {
    #[rate_limit(requests = 1, window = 60, key = |cell, _| cell.get(), limitra = limits)]
    async fn count(cell: Cell<u64>, limits: Arc<Limitra>) -> Result<u64, Error> {
        Ok(cell.take())
    }
    #[rate_limit(requests = 1, window = 60, key = ("pair", |_, cell, _| cell.get()), limitra = limits)]
    async fn count_by_name(pair: u64, cell: Cell<u64>, limits: Arc<Limitra>) -> Result<u64, Error> {
        Ok(cell.take() + pair)
    }

    let (witness, limits) = Witness::with_handle();
    let limits = Arc::new(limits);
    let counted = tokio::spawn(count(Cell::new(7), Arc::clone(&limits)));
    assert_eq!(counted.await.expect("no panic").expect("the first"), 7);
    assert_eq!(witness.identifier(), "7");
    let counted = tokio::spawn(count_by_name(1, Cell::new(7), limits));
    assert_eq!(counted.await.expect("no panic").expect("the first"), 8);
}

#[tokio::test]
async fn a_future_that_was_not_send_still_works() {
    #[rate_limit(requests = 1, window = 60, key = "name", limitra = limits)]
    async fn count(name: std::rc::Rc<str>, limits: &Limitra) -> Result<usize, Error> {
        tokio::task::yield_now().await;
        Ok(name.len())
    }

    let (_, limits) = Witness::with_handle();
    assert_eq!(count("ada".into(), &limits).await.expect("the first"), 3);
}

#[tokio::test]
async fn nothing_happens_before_a_future_is_polled() {
    #[rate_limit(requests = 1, window = 60, limitra = limits)]
    async fn create_post(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }

    let (witness, limits) = Witness::with_handle();
    drop(create_post(&limits));
    assert!(witness.attempts().is_empty());
}

#[tokio::test]
async fn arguments_that_a_body_consumes_are_still_its_own() {
    #[rate_limit(requests = 2, window = 60, key = "name", limitra = limits)]
    async fn take(mut name: String, list: Vec<String>, limits: &Limitra) -> Result<Vec<String>, Error> {
        name.push('!');
        let mut list = list;
        list.push(name);
        Ok(list)
    }

    let (limits, _) = limits();
    let list = take("ada".to_owned(), vec!["x".to_owned()], &limits).await.expect("the first");
    assert_eq!(list, ["x", "ada!"]);
}

#[tokio::test]
async fn racing_calls_admit_exactly_the_limit() {
    #[rate_limit(requests = 10, window = 60, key = "user", limitra = limits)]
    async fn create_post(user: u64, limits: Arc<Limitra>) -> Result<(), Error> {
        Ok(())
    }

    let limits = Arc::new(limits().0);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..100 {
        calls.spawn(create_post(1, Arc::clone(&limits)));
    }
    let answers = calls.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 10);
}
