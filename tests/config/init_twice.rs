//! The process-wide configuration is set once.
#![allow(missing_docs, clippy::unwrap_used)]

use limitra::{ConfigurationError, Error, LimitraConfig, rate_limit};

#[rate_limit(requests = 1, window = 60)]
async fn create_post() -> Result<(), Error> {
    Ok(())
}

#[tokio::test]
async fn a_second_init_is_an_error_with_its_remedy_and_changes_nothing() {
    // One that fails does not count as the first.
    assert!(LimitraConfig::new().redis_url("nowhere").init().is_err());
    LimitraConfig::new().enabled(false).init().unwrap();

    for _ in 0..2 {
        let error = LimitraConfig::new().init().unwrap_err();
        assert_eq!(error, ConfigurationError::AlreadyInitialised);
        let message = error.to_string();
        assert!(message.contains("called twice") && message.contains("`build()`"), "{message}");
        create_post().await.unwrap();
    }
    // A mistake of its own is told first.
    let error = LimitraConfig::new().redis_url("nowhere").init().unwrap_err();
    assert!(matches!(error, ConfigurationError::Url { .. }), "{error:?}");
    // Handles can be had at any time.
    assert!(LimitraConfig::new().build().is_ok());

    create_post().await.unwrap();
    assert_eq!(LimitraConfig::new().init().unwrap_err(), ConfigurationError::AlreadyInitialised);
}
