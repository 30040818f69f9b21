//! Each fuzzer for a moment: over all examples that are kept, and over changes of them. `cargo fuzz` does it for hours.
//!
//! `LIMITRA_FUZZ_SECONDS` (default: 1) is how long each takes, `LIMITRA_FUZZ_SEED` (default: 1) which changes are made.
#![allow(missing_docs, clippy::unwrap_used)]

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use limitra_tests::fuzz::{Mutator, TARGETS, Target};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

fn target(name: &str) -> &'static Target {
    TARGETS.iter().find(|target| target.name == name).unwrap()
}

/// The examples that are kept for a target, each with its name.
fn examples(target: &Target) -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(folder().join(target.name)).unwrap().map(|file| file.unwrap().path());
    let mut examples: Vec<_> =
        files.map(|path| (path.display().to_string(), std::fs::read(path).unwrap())).collect();
    examples.sort();
    examples
}

fn from_environment(name: &str) -> u64 {
    std::env::var(name).map_or(1, |number| number.parse().unwrap())
}

/// Runs a target on bytes; where it panics, says what they were.
fn run(target: &Target, bytes: &[u8], place: &str) {
    let outcome = catch_unwind(|| (target.run)(bytes));
    assert!(outcome.is_ok(), "{} breaks on {place}: b\"{}\"", target.name, bytes.escape_ascii());
}

fn fuzz(name: &str) {
    let target = target(name);
    let examples = examples(target);
    assert!(!examples.is_empty(), "no example is kept for {name}");
    for (place, bytes) in &examples {
        run(target, bytes, place);
    }
    let examples: Vec<Vec<u8>> = examples.into_iter().map(|(_, bytes)| bytes).collect();
    let mut mutator = Mutator::from_seed(from_environment("LIMITRA_FUZZ_SEED"));
    let end = Instant::now() + Duration::from_secs(from_environment("LIMITRA_FUZZ_SECONDS"));
    let mut runs = 0_u64;
    while Instant::now() < end {
        run(target, &mutator.next(&examples, target), "a change of its examples");
        runs += 1;
    }
    println!("{name}: {runs} runs");
}

#[test]
fn a_notation_of_any_text_is_read_and_shown_alike_or_its_mistake_is_told_in_short() {
    fuzz("notation");
}

#[test]
fn a_url_of_any_text_opens_a_storage_or_is_a_mistake_and_its_password_is_never_told() {
    fuzz("url");
}

#[test]
fn a_record_of_any_bytes_is_an_error_or_grants_no_more_than_one_that_has_just_ended() {
    fuzz("record");
}

#[test]
fn callers_whose_fields_differ_anywhere_share_neither_key_nor_counter() {
    fuzz("key");
}

#[cfg(feature = "web")]
#[test]
fn headers_of_any_bytes_move_nobodys_address_and_no_key_panics() {
    fuzz("client_ip");
}

#[cfg(all(unix, feature = "memcached"))]
#[test]
fn a_server_that_is_no_memcached_may_say_anything() {
    fuzz("memcached_reply");
}

#[cfg(all(unix, feature = "memcached"))]
#[test]
fn whatever_a_memcached_lists_only_records_of_ours_are_asked_for_and_removed() {
    fuzz("memcached_list");
}

#[cfg(all(unix, feature = "redis-cluster"))]
#[test]
fn wherever_nodes_of_a_cluster_send_a_command_it_is_sent_so_often_at_most_and_run_once() {
    fuzz("redis_cluster");
}

#[cfg(all(unix, feature = "redis-sentinel"))]
#[test]
fn whoever_sentinels_name_is_asked_only_if_it_says_that_it_is_a_master() {
    fuzz("redis_sentinel");
}

#[cfg(unix)]
#[test]
fn a_server_that_is_no_redis_may_say_anything() {
    fuzz("redis_reply");
}

#[test]
fn every_fuzzer_has_a_program_for_cargo_fuzz_and_examples() {
    let manifest = std::fs::read_to_string(folder().join("../Cargo.toml")).unwrap();
    for Target { name, .. } in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"targets/{name}.rs\"")), "{name}");
        let program = std::fs::read_to_string(folder().join(format!("../targets/{name}.rs"))).unwrap();
        assert!(program.contains(&format!("fuzz::run(\"{name}\", bytes)")), "{name}");
        assert!(!examples(target(name)).is_empty(), "{name}");
    }
}

#[test]
#[should_panic(expected = "record breaks on an example")]
fn a_broken_promise_is_told_with_the_bytes_that_broke_it() {
    let broken = Target { name: "record", run: |bytes| assert!(bytes.is_empty()), words: &[] };
    run(&broken, b"x", "an example");
}
