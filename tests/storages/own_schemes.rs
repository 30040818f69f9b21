//! Storages that a user registers.

use limitra::storage::{self, StorageUrl};
use limitra::{ConfigurationError, LimitraConfig, MemoryStorage, UrlProblem};

#[tokio::test]
async fn an_own_scheme_reaches_urls_and_configurations() {
    storage::register("Shelf+2", |url: &StorageUrl, options| {
        assert_eq!(url.scheme(), "shelf+2");
        if url.hosts().is_empty() {
            return Err(url.problem(UrlProblem::NoHost));
        }
        let max_keys = options.take_parsed("max_keys", "a number of keys")?.unwrap_or(7);
        Ok(MemoryStorage::with_max_keys(max_keys)?.into())
    })
    .unwrap();
    for url in ["shelf+2://h", "async+shelf+2://h", "SHELF+2://h?max_keys=3"] {
        assert_eq!(storage::from_url(url, ()).unwrap().name(), "memory");
        let limitra = LimitraConfig::new().storage_url(url).build().unwrap();
        assert!(
            limitra.limiter().requests(1).window(60).build().unwrap().allow_request("ada").await.unwrap()
        );
    }
    let message = |url: &str| storage::from_url(url, ()).unwrap_err().to_string();
    assert!(message("shelf+2://u:secret@").contains("it names no host"));
    assert!(!message("shelf+2://u:secret@").contains("secret"));
    assert!(message("shelf+2://h?max_keys=x").contains("`max_keys` is `x`; give a number of keys"));
    assert!(message("shelf+2://h?shelf=1").contains("`shelf+2` has no option `shelf`; known are max_keys"));
    assert!(message("nothing://").ends_with(", shelf+2"), "{}", message("nothing://"));

    let again = storage::register("shelf+2", |_, _| Ok(MemoryStorage::new().into())).unwrap_err();
    assert_eq!(again, ConfigurationError::SchemeTaken { scheme: "shelf+2".to_owned() });
}

#[test]
fn a_scheme_cannot_be_taken_or_misspelt() {
    let register = |scheme: &str| storage::register(scheme, |_, _| Ok(MemoryStorage::new().into()));
    for scheme in ["memory", "REDIS", "redis+cluster", "mongodb+srv", "postgresql", "memcached"] {
        assert!(matches!(register(scheme), Err(ConfigurationError::SchemeTaken { .. })), "{scheme}");
    }
    for scheme in ["", "1a", "a b", "a:", "async+mine", "ASYNC+mine", "ä", "a/"] {
        assert!(matches!(register(scheme), Err(ConfigurationError::SchemeName { .. })), "{scheme}");
    }
}
