//! Names that lead nowhere.

#[cfg(target_os = "linux")]
use std::process::Command;

#[cfg(target_os = "linux")]
use limitra_tests::{RedisServer, TemporaryFolder};

use crate::load::{Load, SHARE};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_does_not_resolve_costs_a_deadline_until_it_is_left_alone() {
    let load = Load::start("redis://limitra.invalid:6379");
    load.strike();
    load.is_left_alone().await;
    for side in load.end().await {
        let seen = side.seen.lock().unwrap();
        assert_eq!((seen.admitted, seen.scarce_admitted), (0, 0), "{}", side.policy);
        assert!(seen.scarce_by_policy <= if side.policy == "open" { u64::MAX } else { SHARE });
        seen.write_row("a name that does not resolve", "Redis", side.policy, None);
    }
}

/// The process has an `/etc/hosts` of its own, and no other does: that takes a namespace, which a container may forbid to make
/// (`--security-opt seccomp=unconfined` allows it).
#[cfg(target_os = "linux")]
#[test]
fn a_name_that_stops_resolving_is_found_again_once_it_resolves() {
    let (server, folder) = (RedisServer::start(), TemporaryFolder::new("hosts"));
    let hosts = folder.path().join("hosts");
    std::fs::write(&hosts, "127.0.0.1 moves.limitra.invalid\n").unwrap();
    let mut process = Command::new("unshare");
    process.args([
        "--mount",
        "--map-root-user",
        "sh",
        "-c",
        "mount --bind \"$1\" /etc/hosts && exec \"$0\" \"$@\"",
    ]);
    process.arg(env!("CARGO_BIN_EXE_moved_name")).arg(&hosts);
    process.args(["moves.limitra.invalid", &server.address().port().to_string()]);
    let told = process.output().unwrap();
    let words = String::from_utf8_lossy(&told.stdout);
    assert!(
        told.status.success() && words.ends_with("it decides again\n"),
        "{words}{}",
        String::from_utf8_lossy(&told.stderr)
    );
}
