//! What each environment variable sets: a process for each environment, since one's own cannot be changed in safety.
#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::process::Command;

/// The variables that are read.
const VARIABLES: [&str; 16] = [
    "LIMITRA_REDIS_URL",
    "LIMITRA_STORAGE_URL",
    "LIMITRA_REDIS_DB",
    "LIMITRA_DENY_CACHE",
    "LIMITRA_PROJECT",
    "LIMITRA_PREFIX",
    "LIMITRA_SUFFIX",
    "LIMITRA_DEFAULT_ALGORITHM",
    "LIMITRA_DEFAULT_BACKEND",
    "LIMITRA_DEADLINE",
    "LIMITRA_BREAKER",
    "LIMITRA_MAX_IN_FLIGHT",
    "LIMITRA_ON_OUTAGE",
    "LIMITRA_FAIL_OPEN",
    "LIMITRA_ENABLED",
    "LIMITRA_HASH_IDENTIFIERS",
];

/// What a process with these variables, and no others of ours, says of its configuration.
fn told<V: AsRef<OsStr>>(variables: &[(&str, V)]) -> BTreeMap<String, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_environment"));
    // The variables of this run of the tests, too.
    for (variable, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("LIMITRA_")) {
        command.env_remove(variable);
    }
    for (variable, value) in variables {
        command.env(variable, value);
    }
    let output = command.output().expect("the program was built with this test");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("it prints text");
    let lines = text.lines().filter_map(|line| line.split_once('='));
    lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[track_caller]
fn assert_told(variables: &[(&str, &str)], name: &str, value: &str) {
    let told = told(variables);
    assert_eq!(told.get(name).map(String::as_str), Some(value), "{variables:?} {told:?}");
}

/// Checks that these variables are an error with all of these words, which says no password.
#[track_caller]
fn assert_refused(variables: &[(&str, &str)], place: &str, words: &[&str]) {
    let told = told(variables);
    let message = told.get(place).unwrap_or_else(|| panic!("{variables:?} {told:?}"));
    for word in words {
        assert!(message.contains(word), "`{word}` is missing in: {message}");
    }
    assert!(!message.contains("s3cret"), "{message}");
}

#[test]
fn an_empty_environment_means_the_defaults() {
    let expected = [
        ("algorithm", "sliding_window"),
        ("allowed", "1"),
        ("backend", "memory"),
        ("fail_open", "false"),
        ("key", "limitra:::user:ada:"),
        ("on_outage", "error"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let settings = |mut told: BTreeMap<String, String>| {
        assert!(told.remove("storage").is_some_and(|storage| storage.starts_with("MemoryStorage")));
        told
    };
    assert_eq!(settings(told::<&str>(&[])), BTreeMap::from(expected.clone()));
    assert_eq!(settings(told(&VARIABLES.map(|variable| (variable, "")))), BTreeMap::from(expected));
}

#[test]
fn a_storage_url_is_that_of_any_storage() {
    let variable = "LIMITRA_STORAGE_URL";
    assert_told(&[(variable, "memory://?max_keys=10")], "backend", "memory");
    assert_told(
        &[(variable, "valkey://ada:s3cret@127.0.0.1:1/3?response_timeout=100ms")],
        "backend",
        "redis",
    );
    assert_refused(
        &[(variable, "disk://ada:s3cret@h")],
        "build",
        &["unknown storage scheme `disk`", "memory"],
    );
    assert_refused(&[(variable, "memory://?keys=s3cret")], "build", &["no option `keys`", "max_keys"]);
    let both = [(variable, "memory://"), ("LIMITRA_REDIS_URL", "redis://:s3cret@127.0.0.1:1")];
    assert_refused(&both, "build", &["storage_url", "redis_url"]);
}

#[test]
fn a_deny_cache_is_an_age_in_seconds_and_stands_over_what_is_no_memory() {
    let redis = ("LIMITRA_REDIS_URL", "redis://127.0.0.1:1");
    for (age, shown) in [("1", "max_age: 1s"), ("0.25", "max_age: 250ms"), ("100ms", "max_age: 100ms")] {
        let told = told(&[redis, ("LIMITRA_DENY_CACHE", age)]);
        assert!(told["storage"].starts_with("DenyCache {") && told["storage"].contains(shown), "{told:?}");
        assert_eq!(told["backend"], "redis");
    }
    let told = told(&[("LIMITRA_DENY_CACHE", "1")]);
    assert!(told["storage"].starts_with("MemoryStorage"), "{told:?}");
    for age in ["0", "-1", "soon", "1m", "NaN", "inf"] {
        let words = ["LIMITRA_DENY_CACHE", age, "a number of seconds above 0"];
        assert_refused(&[redis, ("LIMITRA_DENY_CACHE", age)], "from_env", &words);
    }
}

#[test]
fn a_redis_url_makes_redis_the_backend_without_asking_it() {
    for url in ["redis://127.0.0.1:1", "redis://ada:s3cret@127.0.0.1:1/3", "valkey://127.0.0.1:1"] {
        assert_told(&[("LIMITRA_REDIS_URL", url)], "backend", "redis");
    }
    assert_told(
        &[("LIMITRA_REDIS_URL", "redis://127.0.0.1:1"), ("LIMITRA_DEFAULT_BACKEND", "memory")],
        "backend",
        "memory",
    );
}

#[test]
fn a_redis_url_that_cannot_be_used_is_told_without_its_password() {
    for url in
        ["redis:s3cret@127.0.0.1", "redis://ada:s3cret@127.0.0.1:port", "postgres://ada:s3cret@127.0.0.1/"]
    {
        assert_refused(&[("LIMITRA_REDIS_URL", url)], "build", &["storage url", "write it like redis://"]);
    }
}

#[test]
fn a_redis_db_is_the_database_that_the_url_does_not_name() {
    let url = |path| ("LIMITRA_REDIS_URL", path);
    let redis_db = |number| ("LIMITRA_REDIS_DB", number);
    assert_told(&[url("redis://127.0.0.1:1"), redis_db("3")], "backend", "redis");
    assert_told(&[url("redis://127.0.0.1:1/3"), redis_db("3")], "backend", "redis");
    assert_refused(
        &[url("redis://127.0.0.1:1/2"), redis_db("3")],
        "build",
        &["`redis_db` 3", "another database"],
    );
    assert_refused(&[redis_db("3")], "build", &["`redis_db` 3", "no `redis_url`"]);
    for value in ["three", "3.0", "0x3", " 3", "99999999999999999999"] {
        let variables = [url("redis://127.0.0.1:1"), redis_db(value)];
        assert_refused(&variables, "from_env", &["LIMITRA_REDIS_DB", value, "the number of a database"]);
    }
    assert_refused(&[url("redis://127.0.0.1:1"), redis_db("-3")], "build", &["`redis_db` -3", "from 0"]);
}

#[test]
fn a_prefix_a_project_and_a_suffix_stand_in_the_key() {
    assert_told(&[("LIMITRA_PREFIX", "rl")], "key", "rl:::user:ada:");
    assert_told(&[("LIMITRA_PROJECT", "blog")], "key", "limitra:blog::user:ada:");
    assert_told(&[("LIMITRA_SUFFIX", "v2")], "key", "limitra:::user:ada:v2");
    assert_told(&[("LIMITRA_PROJECT", "a:b c")], "key", "limitra:a%3Ab%20c::user:ada:");
}

#[test]
fn a_default_algorithm_is_one_of_the_known_names() {
    assert_told(&[("LIMITRA_DEFAULT_ALGORITHM", "gcra")], "algorithm", "gcra");
    assert_told(&[("LIMITRA_DEFAULT_ALGORITHM", "token-bucket")], "algorithm", "token_bucket");
    for name in ["tokenbucket", "GCRA", "gcra "] {
        let words = ["LIMITRA_DEFAULT_ALGORITHM", name, "sliding_window", "gcra"];
        assert_refused(&[("LIMITRA_DEFAULT_ALGORITHM", name)], "from_env", &words);
    }
}

#[test]
fn a_default_backend_is_one_of_the_known_kinds() {
    assert_told(&[("LIMITRA_DEFAULT_BACKEND", "memory")], "backend", "memory");
    assert_refused(&[("LIMITRA_DEFAULT_BACKEND", "redis")], "build", &["backend is redis", "`redis_url`"]);
    for name in ["disk", "Redis"] {
        let words = ["LIMITRA_DEFAULT_BACKEND", name, "memory, redis, memcached, mongodb, etcd or postgres"];
        assert_refused(&[("LIMITRA_DEFAULT_BACKEND", name)], "from_env", &words);
    }
}

#[test]
fn a_switch_is_on_or_off_in_any_usual_word() {
    for (value, on) in [
        ("true", true),
        ("1", true),
        ("yes", true),
        ("on", true),
        ("TRUE", true),
        ("false", false),
        ("0", false),
        ("no", false),
        ("off", false),
        ("False", false),
    ] {
        assert_told(&[("LIMITRA_FAIL_OPEN", value)], "fail_open", &on.to_string());
        assert_told(&[("LIMITRA_ENABLED", value)], "allowed", if on { "1" } else { "3" });
        let told = told(&[("LIMITRA_HASH_IDENTIFIERS", value)]);
        assert_eq!(told["key"].contains("ada"), !on, "{told:?}");
    }
}

#[test]
fn a_switch_in_any_other_word_is_told() {
    for variable in ["LIMITRA_FAIL_OPEN", "LIMITRA_ENABLED", "LIMITRA_HASH_IDENTIFIERS"] {
        for value in ["2", "-1", "maybe", " true", "truefalse"] {
            assert_refused(&[(variable, value)], "from_env", &[variable, value, "true, false, 1 or 0"]);
        }
    }
}

#[test]
fn an_outage_policy_is_read_as_it_is_written() {
    for (value, policy) in [
        ("error", "error"),
        ("open", "open"),
        ("closed", "closed:1s"),
        ("closed:500ms", "closed:0.5s"),
        ("local:4", "local:4"),
    ] {
        assert_told(&[("LIMITRA_ON_OUTAGE", value)], "on_outage", policy);
    }
    for value in ["ajar", "closed:0", "local", "local:0"] {
        let words = ["LIMITRA_ON_OUTAGE", value, "error, open, closed, closed:5s or local:4"];
        assert_refused(&[("LIMITRA_ON_OUTAGE", value)], "from_env", &words);
    }
    let both = [("LIMITRA_ON_OUTAGE", "closed"), ("LIMITRA_FAIL_OPEN", "true")];
    assert_refused(&both, "build", &["fail_open = true", "contradict"]);
}

#[test]
fn each_layer_for_outages_is_set_or_off() {
    let url = ("LIMITRA_REDIS_URL", "redis://127.0.0.1:1");
    let storage = |variables: &[(&str, &str)]| told(variables)["storage"].clone();
    for layer in ["InFlight", "CircuitBreaker", "within: 250ms"] {
        assert!(storage(&[url]).contains(layer), "{layer}");
    }
    assert!(storage(&[url, ("LIMITRA_DEADLINE", "100ms")]).contains("within: 100ms"));
    assert!(!storage(&[url, ("LIMITRA_DEADLINE", "off")]).contains("Deadline"));
    assert!(storage(&[url, ("LIMITRA_MAX_IN_FLIGHT", "7")]).contains("most: 7"));
    assert!(!storage(&[url, ("LIMITRA_MAX_IN_FLIGHT", "OFF")]).contains("InFlight"));
    assert!(storage(&[url, ("LIMITRA_BREAKER", "3:500ms")]).contains("CircuitBreaker"));
    assert!(!storage(&[url, ("LIMITRA_BREAKER", "off")]).contains("CircuitBreaker"));
    for (variable, values) in [
        ("LIMITRA_DEADLINE", ["0", "soon", "-1s"]),
        ("LIMITRA_MAX_IN_FLIGHT", ["many", "-1", "1.5"]),
        ("LIMITRA_BREAKER", ["often", "3:", "3:0"]),
    ] {
        for value in values {
            assert_refused(&[(variable, value)], "from_env", &[variable, value, "or off"]);
        }
    }
    assert_refused(&[("LIMITRA_BREAKER", "0")], "build", &["not 0"]);
    assert_refused(&[("LIMITRA_MAX_IN_FLIGHT", "0")], "build", &["max_in_flight"]);
}

#[cfg(unix)]
#[test]
fn a_value_that_is_no_text_is_told_without_a_password() {
    use std::os::unix::ffi::OsStrExt as _;

    for variable in VARIABLES {
        let told = told(&[(variable, OsStr::from_bytes(b"redis://:s3cret\xff@127.0.0.1"))]);
        let message = told.get("from_env").unwrap_or_else(|| panic!("{variable}: {told:?}"));
        assert!(message.contains(variable) && message.contains("UTF-8"), "{message}");
        assert!(variable != "LIMITRA_REDIS_URL" || !message.contains("s3cret"), "{message}");
    }
}

#[test]
fn a_variable_that_sets_nothing_is_logged() {
    let misspelt = told(&[("LIMITRA_REDIS_URI", "redis://:s3cret@h"), ("LIMITRA_PROJEKT", "blog")]);
    let named = misspelt.get("variables").map(String::as_str);
    assert_eq!(named, Some("LIMITRA_PROJEKT, LIMITRA_REDIS_URI"));
    let message = &misspelt["message"];
    assert!(VARIABLES.iter().all(|variable| message.contains(variable)), "{message}");
    assert!(!format!("{misspelt:?}").contains("s3cret"));
    let right = told(&VARIABLES.map(|variable| (variable, "")));
    assert_eq!(right.get("variables"), None);
}
