//! What `LimitraConfig::from_env` makes of this process's environment, one `name=value` a line.

use limitra::{ConfigurationError, Limitra, LimitraConfig};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Record};
use tracing::{Event, Id, Level, Metadata, Subscriber};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    tracing::subscriber::set_global_default(Printed).expect("nobody else listens");
    match LimitraConfig::from_env() {
        Err(error) => println!("from_env={error}"),
        Ok(config) => match config.build() {
            Err(error) => println!("build={error}"),
            Ok(limits) => tell(&limits).await.expect("one per minute is all right"),
        },
    }
}

async fn tell(limits: &Limitra) -> Result<(), ConfigurationError> {
    let limiter = limits.limiter().requests(1).window(60).build()?;
    let config = limiter.config();
    println!("algorithm={}", config.algorithm);
    println!("backend={}", config.backend);
    println!("fail_open={}", config.fail_open);
    println!("on_outage={}", config.on_outage);
    println!("key={}", limiter.key("ada"));
    println!("storage={:?}", limits.storage());
    if config.backend == "memory" {
        let mut allowed = 0;
        for _ in 0..3 {
            allowed += u8::from(limiter.allow_request("ada").await.expect("memory answers"));
        }
        println!("allowed={allowed}");
    }
    Ok(())
}

/// What is warned of, printed like everything else.
struct Printed;

impl Subscriber for Printed {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "limitra" && *metadata.level() <= Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Self);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Visit for Printed {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        println!("{field}={value:?}");
    }
}
