//! Methods of every receiver, associated functions, traits and default methods.
#![deny(warnings, clippy::pedantic)]
#![allow(clippy::needless_pass_by_value, clippy::trivially_copy_pass_by_ref)]

use limitra::{Error, rate_limit};
use std::pin::Pin;
use std::sync::Arc;

#[derive(Default)]
struct Service {
    tenant: String,
    quota: u64,
}

impl Service {
    #[rate_limit(requests = 10, window = 60, key = "self.tenant")]
    async fn by_reference(&self) -> Result<u64, Error> {
        Ok(self.quota)
    }

    #[rate_limit(requests = |this, _| this.quota, window = 60, key = "id")]
    async fn by_mutable_reference(&mut self, id: u64) -> Result<u64, Error> {
        self.quota += 1;
        Ok(id)
    }

    #[rate_limit(requests = 10, window = 60, key = |this| this.tenant.clone())]
    async fn by_value(self) -> Result<Self, Error> {
        Ok(self)
    }

    #[rate_limit(requests = 10, window = 60, key = |this: &Service| &this.tenant)]
    async fn by_mutable_value(mut self) -> Result<Self, Error> {
        self.quota += 1;
        Ok(self)
    }

    #[rate_limit(requests = 10, window = 60, key = Self::tenant_of)]
    async fn by_arc(self: Arc<Self>) -> Result<u64, Error> {
        Ok(self.quota)
    }

    #[rate_limit(requests = 10, window = 60, key = |this| this.tenant.clone())]
    async fn by_pin(self: Pin<&mut Self>) -> Result<u64, Error> {
        Ok(self.quota)
    }

    #[rate_limit(requests = 10, window = 60, key = 0, exempt_when = Self::is_free)]
    async fn indexed(&self, id: u64) -> Result<u64, Error> {
        Ok(id + self.quota)
    }

    #[rate_limit(requests = 10, window = 60)]
    async fn associated() -> Result<Self, Error> {
        Ok(Self::default())
    }

    fn tenant_of(&self) -> &str {
        &self.tenant
    }

    fn is_free(&self, id: &u64) -> bool {
        self.quota > *id
    }
}

#[allow(async_fn_in_trait)]
trait Store {
    const QUOTA: u64 = 5;

    async fn load(&self, id: u64) -> Result<u64, Error>;

    #[rate_limit(requests = Self::QUOTA, window = 60, key = "id")]
    async fn load_twice(&self, id: u64) -> Result<u64, Error> {
        Ok(self.load(id).await? + self.load(id).await?)
    }
}

impl Store for Service {
    #[rate_limit(requests = 10, window = 60, key = "id")]
    async fn load(&self, id: u64) -> Result<u64, Error> {
        Ok(self.quota + id)
    }
}

struct Generic<'a, T: ?Sized, const N: usize>(&'a T);

impl<T: AsRef<str> + ?Sized, const N: usize> Generic<'_, T, N> {
    #[rate_limit(requests = N, window = 60, key = |this| this.0.as_ref())]
    async fn name(&self) -> Result<&str, Error> {
        Ok(self.0.as_ref())
    }
}

pub fn main() {
    let mut service = Service::default();
    drop(service.by_mutable_reference(1));
    drop(service.by_reference());
    drop(service.indexed(1));
    drop(service.load_twice(1));
    drop(Pin::new(&mut service).by_pin());
    drop(service.by_value());
    drop(Service::default().by_mutable_value());
    drop(Arc::new(Service::default()).by_arc());
    drop(Service::associated());
    drop(Generic::<str, 3>("ada").name());
}
