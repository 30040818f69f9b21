//! Under `#[async_trait]`, which expands first, with and without `#[instrument]`.
#![deny(warnings)]

use async_trait::async_trait;
use limitra::{Error, rate_limit};
use tracing::instrument;

struct Path<T>(T);

struct Service {
    tenant: String,
}

#[async_trait]
trait Api: Sync {
    #[rate_limit(requests = 10, window = 60, key = "self")]
    async fn default_method(&self) -> Result<(), Error>
    where
        Self: std::fmt::Display,
    {
        println!("{self}");
        Ok(())
    }

    async fn plain(&self, id: u64) -> Result<u64, Error>;
    async fn patterns(&self, path: Path<u64>, mut_name: String, pair: (u8, u8)) -> Result<u64, Error>;
    async fn borrowed<'a>(&'a self, name: &'a str, pair: &(u8, u8)) -> Result<&'a str, Error>;
    async fn by_value(self, id: u64) -> Result<Self, Error>
    where
        Self: Sized;
    async fn nothing(&mut self, id: u64);
    async fn instrumented_above(&self, id: u64, pair: (u8, u8)) -> Result<u64, Error>;
    async fn instrumented_below(&self, id: u64) -> Result<u64, Error>;
    async fn instrumented_with_err_and_ret(&self, id: u64) -> Result<u64, Error>;
    async fn instrumented_with_err(&self, id: u64) -> Result<u64, Error>;
    async fn generic<T: std::fmt::Display + Send + Sync>(&self, id: T) -> Result<T, Error>;
    async fn associated(id: u64) -> Result<u64, Error>;
}

#[async_trait]
impl Api for Service {
    #[rate_limit(requests = 10, window = 60, key = ("id", "self.tenant"))]
    async fn plain(&self, id: u64) -> Result<u64, Error> {
        Ok(id)
    }

    #[rate_limit(requests = 10, window = 60, key = ("id", |_, path: &Path<u64>, _, pair| path.0 + u64::from(pair.0)))]
    async fn patterns(
        &self,
        Path(id): Path<u64>,
        mut mut_name: String,
        (_, mut second): (u8, u8),
    ) -> Result<u64, Error> {
        mut_name.push('x');
        second += 1;
        Ok(id + u64::from(second))
    }

    #[rate_limit(requests = 10, window = 60, key = ("name", "first", |this, _, pair| this.tenant.len() + usize::from(pair.1)))]
    async fn borrowed<'a>(&'a self, name: &'a str, (first, _second): &(u8, u8)) -> Result<&'a str, Error> {
        println!("{first}");
        Ok(name)
    }

    #[rate_limit(requests = 10, window = 60, key = |this, id| format!("{} {id}", this.tenant))]
    async fn by_value(mut self, id: u64) -> Result<Self, Error> {
        self.tenant = id.to_string();
        Ok(self)
    }

    #[rate_limit(requests = 10, window = 60, key = "id", on_exceeded = |_| (), fail_open = true)]
    async fn nothing(&mut self, id: u64) {
        self.tenant = id.to_string();
    }

    #[instrument(skip(self))]
    #[rate_limit(requests = 10, window = 60, key = ("id", "second", |_, _, pair| pair.0))]
    async fn instrumented_above(&self, id: u64, (_first, second): (u8, u8)) -> Result<u64, Error> {
        Ok(id + u64::from(second))
    }

    #[rate_limit(requests = 10, window = 60, key = "id")]
    #[instrument(skip(self))]
    async fn instrumented_below(&self, id: u64) -> Result<u64, Error> {
        Ok(id)
    }

    #[instrument(skip_all, err, ret)]
    #[rate_limit(requests = 10, window = 60, key = "id")]
    async fn instrumented_with_err_and_ret(&self, id: u64) -> Result<u64, Error> {
        Ok(id)
    }

    #[instrument(skip_all, err)]
    #[rate_limit(requests = 10, window = 60, key = "id", decision = seen)]
    async fn instrumented_with_err(&self, id: u64) -> Result<u64, Error> {
        println!("{}", seen.is_allowed());
        Ok(id)
    }

    #[rate_limit(requests = 10, window = 60, key = "id")]
    async fn generic<T: std::fmt::Display + Send + Sync>(&self, id: T) -> Result<T, Error> {
        Ok(id)
    }

    #[rate_limit(requests = 10, window = 60, key = "id")]
    #[rate_limit(requests = 100, window = 60)]
    async fn associated(id: u64) -> Result<u64, Error> {
        Ok(id)
    }
}

#[async_trait(?Send)]
trait Local {
    #[rate_limit(requests = 10, window = 60, key = "name")]
    async fn local(&self, name: std::rc::Rc<String>) -> Result<(), Error> {
        println!("{name}");
        Ok(())
    }
}

impl Local for Service {}

impl std::fmt::Display for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.tenant.fmt(f)
    }
}

pub fn main() {
    let mut service = Service { tenant: String::new() };
    drop(service.plain(1));
    drop(service.patterns(Path(1), String::new(), (1, 2)));
    drop(service.borrowed("ada", &(1, 2)));
    drop(service.instrumented_above(1, (1, 2)));
    drop(service.instrumented_below(1));
    drop(service.instrumented_with_err(1));
    drop(service.instrumented_with_err_and_ret(1));
    drop(service.generic("ada"));
    drop(service.local(std::rc::Rc::default()));
    drop(service.default_method());
    drop(service.nothing(1));
    drop(service.by_value(1));
    drop(Service::associated(1));
}
