//! Refusals as `tracing::instrument` sees them.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use limitra::{Error, Limitra, rate_limit};
use tracing::field::{Field, Visit};
use tracing::instrument;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::witness::limits;

/// Keeps what is recorded as `error`, the way `#[instrument(err)]` does.
#[derive(Clone, Default)]
struct Errors(Arc<Mutex<Vec<String>>>);

impl Visit for Errors {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "error" {
            self.0.lock().expect("no test panics with it").push(format!("{value:?}"));
        }
    }
}

impl Subscriber for Errors {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("attribute")
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

#[instrument(skip_all, err)]
#[rate_limit(requests = 1, window = 60, limitra = limits)]
async fn above(limits: &Limitra) -> Result<(), Error> {
    Ok(())
}

#[instrument(skip_all, err)]
#[rate_limit(requests = 1, window = 60, limitra = limits)]
fn plain_above(limits: &Limitra) -> Result<(), Error> {
    Ok(())
}

#[rate_limit(requests = 1, window = 60, limitra = limits)]
#[instrument(skip_all, err, ret)]
fn plain_below(limits: &Limitra) -> Result<(), Error> {
    Ok(())
}

#[instrument(skip_all, err, ret)]
#[rate_limit(requests = 1, window = 60, limitra = limits)]
async fn above_with_ret(limits: &Limitra) -> Result<(), Error> {
    Ok(())
}

#[rate_limit(requests = 1, window = 60, limitra = limits)]
#[instrument(skip_all, err)]
async fn below(limits: &Limitra) -> Result<(), Error> {
    Ok(())
}

struct Service;

#[async_trait]
trait Api {
    async fn above(&self, limits: &Limitra) -> Result<(), Error>;
}

#[async_trait]
impl Api for Service {
    #[instrument(skip_all, err)]
    #[rate_limit(requests = 1, window = 60, limitra = limits)]
    async fn above(&self, limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_refusal_is_an_error_that_instrument_sees_whichever_attribute_is_above() {
    let errors = Errors::default();
    let guard = tracing::subscriber::set_default(errors.clone());
    let (limits, _) = limits();
    let seen = || errors.0.lock().expect("no test panics with it").len();
    above(&limits).await.expect("the first");
    assert_eq!(seen(), 0);
    above(&limits).await.expect_err("the second");
    assert_eq!(seen(), 1);
    above_with_ret(&limits).await.expect("the first");
    above_with_ret(&limits).await.expect_err("the second");
    assert_eq!(seen(), 2);
    Service.above(&limits).await.expect("the first");
    Service.above(&limits).await.expect_err("the second");
    assert_eq!(seen(), 3);
    below(&limits).await.expect("the first");
    below(&limits).await.expect_err("the second");
    assert_eq!(seen(), 4);
    plain_above(&limits).expect("the first");
    plain_above(&limits).expect_err("the second");
    assert_eq!(seen(), 5);
    plain_below(&limits).expect("the first");
    plain_below(&limits).expect_err("the second");
    assert_eq!(seen(), 6);
    drop(guard);
}
