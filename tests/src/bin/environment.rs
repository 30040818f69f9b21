//! What `LimitraConfig::from_env` makes of this process's environment, one `name=value` a line.

use limitra::{ConfigurationError, Limitra, LimitraConfig};

#[tokio::main(flavor = "current_thread")]
async fn main() {
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
