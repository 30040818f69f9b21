//! The process-wide configuration is set before the first attributed function decides.
#![allow(missing_docs, clippy::unwrap_used)]

use limitra::{ConfigurationError, Error, Limitra, LimitraConfig, rate_limit};

mod blog {
    use super::{Error, Limitra, rate_limit};

    #[rate_limit(requests = 1, window = 60, algorithm = "fixed_window")]
    pub(crate) async fn create_post() -> Result<(), Error> {
        Ok(())
    }

    #[rate_limit(requests = 1, window = 60, limitra = limits)]
    pub(crate) async fn delete_post(limits: &Limitra) -> Result<(), Error> {
        Ok(())
    }
}

#[tokio::test]
async fn an_init_after_an_attributed_function_has_decided_names_that_function() {
    // Neither a limiter by hand nor a function with a handle of its own settles anything.
    let limits = LimitraConfig::new().build().unwrap();
    blog::delete_post(&limits).await.unwrap();
    assert!(limits.limiter().requests(1).window(60).build().unwrap().allow_request("ada").await.unwrap());

    blog::create_post().await.unwrap();
    let error = LimitraConfig::new().enabled(false).init().unwrap_err();
    assert!(
        matches!(&error, ConfigurationError::InitTooLate { function } if function.ends_with("blog.create_post")),
        "{error:?}"
    );
    let message = error.to_string();
    assert!(message.contains("blog.create_post") && message.contains("at startup"), "{message}");

    assert!(matches!(blog::create_post().await, Err(Error::RateLimitExceeded(_))));
}
