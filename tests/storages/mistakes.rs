//! URLs that cannot be used: what is wrong is named, and no password is.

use limitra::{ConfigurationError, LimitraConfig, storage};

#[test]
fn an_unknown_scheme_lists_the_known_ones() {
    for url in ["disk://", "async+disk://x", "http://u:secret@h", "redis+disk://h"] {
        let error = storage::from_url(url, ()).unwrap_err();
        assert!(matches!(error, ConfigurationError::UnknownScheme { .. }), "{error}");
        let message = error.to_string();
        for known in
            ["memory", "rediss", "valkey+sentinel", "redis+cluster", "mongodb+srv", "etcd", "postgresql"]
        {
            assert!(message.contains(known), "{message}");
        }
        assert!(!message.contains("secret"), "{message}");
    }
    for url in ["", "redis", "redis:/h", "://h", "127.0.0.1:6379"] {
        assert!(storage::from_url(url, ()).is_err(), "{url:?}");
    }
}

#[test]
fn memory_is_nowhere_and_takes_no_option_twice() {
    for url in ["memory://h:1", "memory:///x", "memory://u:p@", "memory://h"] {
        let error = storage::from_url(url, ()).unwrap_err().to_string();
        assert!(error.contains("its address is of no use"), "{url}: {error}");
    }
    let error = storage::from_url("memory://?max_keys=1&max_keys=2", ()).unwrap_err().to_string();
    assert!(error.contains("its query names an option twice"), "{error}");
    storage::from_url("memory:///?max_keys=1", [("max_keys", 2)]).unwrap();
}

/// Where several servers may be named, each needs its port.
#[test]
fn a_mistake_in_the_servers_names_it() {
    let mut schemes: Vec<(&str, &str)> = Vec::new();
    if cfg!(feature = "memcached") {
        schemes.push(("memcached", ""));
    }
    if cfg!(feature = "etcd") {
        schemes.push(("etcd", ""));
    }
    if cfg!(feature = "redis-cluster") {
        schemes.push(("redis+cluster", ""));
    }
    if cfg!(feature = "redis-sentinel") {
        schemes.push(("valkey+sentinel", "/mymaster"));
    }
    for (scheme, path) in schemes {
        for (servers, complaint) in [
            ("", "names no host"),
            ("localhost", "`localhost` has no port"),
            ("a:1,b", "`b` has no port"),
            ("[::1]", "`[::1]` has no port"),
            ("h:port", "port `port` is not a number"),
            ("h:0", "port `0`"),
            ("h:65536", "port `65536`"),
            ("h:", "port ``"),
            ("h:1,", "empty"),
            (",h:1", "empty"),
            ("h:1,,g:1", "empty"),
            (":1", "empty"),
            ("h g:1", "`h g` cannot be one"),
            ("[::1:1", "cannot be one"),
            ("[nine]:1", "cannot be one"),
        ] {
            for credentials in ["", "ann:secret@", "ann:se%63ret@"] {
                let url = format!("{scheme}://{credentials}{servers}{path}");
                let error = storage::from_url(&url, ()).map(|_| ()).unwrap_err().to_string();
                assert!(error.contains(complaint), "{url}: {error}");
                assert!(!error.contains("secret") && !error.contains("se%63ret"), "{error}");
                assert!(error.contains("write it like "), "{error}");
            }
        }
        let error = storage::from_url(&format!("{scheme}://u:%zz@h:1{path}"), ()).unwrap_err().to_string();
        assert!(error.contains("its password is not percent-encoded"), "{error}");
    }
}

#[test]
fn a_mistake_in_a_redis_url_names_the_part() {
    for (url, complaint) in [
        ("redis://ann:secret@h:port", "port"),
        ("redis://ann:secret@h:99999", "port"),
        ("redis://ann:secret@h/x", "database"),
        ("redis://ann:secret@/0", "host"),
        ("redis://ann:secret@h:1,g:2", ""),
        ("redis://ann:secret@h g", ""),
        ("redis://ann:%zz@h", ""),
        ("redis://ann:secret@h?colour=red", "colour"),
    ] {
        for error in [
            storage::from_url(url, ()).map(|_| ()).unwrap_err(),
            LimitraConfig::new().storage_url(url).build().map(|_| ()).unwrap_err(),
        ] {
            let message = error.to_string();
            assert!(message.contains(complaint), "{url}: {message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }
}

#[test]
fn no_password_is_shown_by_debug() {
    for url in [
        "redis://ann:secret@h:1",
        "rediss://ann:secret@h:1",
        #[cfg(feature = "redis-cluster")]
        "redis+cluster://ann:secret@h:1,g:1",
        #[cfg(feature = "redis-sentinel")]
        "redis+sentinel://ann:secret@h:1,g:1/mymaster",
        #[cfg(feature = "memcached")]
        "memcached://ann:secret@h:1",
        #[cfg(feature = "mongodb")]
        "mongodb://ann:secret@h:1",
        #[cfg(feature = "etcd")]
        "etcd://ann:secret@h:1",
        #[cfg(feature = "postgres")]
        "postgres://ann:secret@h:1/d",
    ] {
        let storage = storage::from_url(url, ()).unwrap_or_else(|error| panic!("{url}: {error}"));
        let config = LimitraConfig::new().storage_url(url);
        let shown = format!("{storage:?} {config:?} {:?}", config.clone().build().unwrap());
        assert!(!shown.contains("secret"), "{shown}");
    }
}
