//! The same services over loopback, asked by `wrk` where it is installed.

use std::net::SocketAddr;
use std::process::Command;
use std::thread;

use axum::Router;
use axum::serve::ListenerExt as _;
use limitra::web::{Headers, key};
use limitra_tests::TemporaryFolder;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::routers::{GOVERNOR, bare_with_layer, governed, limited};
use crate::limiters::Allowance;
use crate::rounds::Rounds;
use crate::row::{Metric, Name};
use crate::scale::Scale;

const RATE: &[Metric] = &[Metric { name: "requests a second", unit: "/s" }];

pub(super) fn add(rounds: &mut Rounds<'_>, scale: Scale) {
    if Command::new("wrk").arg("-v").output().is_err() {
        eprintln!("http: services over loopback are left out: they are asked by wrk, which is not installed");
        return;
    }
    let seconds = if scale.is_tiny() { 1 } else { 3 };
    let allowed = || limited(Allowance::Ample, key::peer_ip(), Headers::default());
    let refused = || limited(Allowance::One, key::peer_ip(), Headers::default());
    let services: Vec<(&str, &str, Router)> = vec![
        ("allowed", "limitra", allowed()),
        ("allowed", GOVERNOR, governed(true)),
        ("allowed", "no limit", bare_with_layer()),
        ("refused", "limitra", refused()),
        ("refused", GOVERNOR, governed(false)),
    ];
    for (answer, subject, router) in services {
        for (load, depth) in [("over loopback", 1), ("over loopback, 16 at once on each connection", 16)] {
            let (name, router) = (Name::new(format!("{load}, {answer}"), subject), router.clone());
            rounds.add(name, RATE, move || vec![requests_a_second(router.clone(), seconds, depth)]);
        }
    }
}

/// Puts several requests on a connection at once: what `wrk` sends instead of one.
fn pipeline(depth: usize) -> String {
    format!(
        "local requests\n\
         init = function() local all = {{}} for i = 1, {depth} do all[i] = wrk.format() end requests = table.concat(all) end\n\
         request = function() return requests end\n"
    )
}

/// How many requests a second a server with one thread answers to 32 connections, on each of which so many are under way.
fn requests_a_second(router: Router, seconds: u64, depth: usize) -> f64 {
    let folder = TemporaryFolder::new("wrk");
    let script = folder.path().join("pipeline.lua");
    std::fs::write(&script, pipeline(depth)).unwrap();
    let (address, bound) = std::sync::mpsc::channel();
    let (end, ended) = oneshot::channel::<()>();
    let server = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            address.send(listener.local_addr().unwrap()).unwrap();
            // Else answers to several requests at once wait for each other's acknowledgement.
            let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
            let service = router.into_make_service_with_connect_info::<SocketAddr>();
            tokio::select! {
                served = async { axum::serve(listener, service).await } => served.unwrap(),
                _ = ended => {}
            }
        });
    });
    let address = bound.recv().unwrap();
    let wrk = Command::new("wrk")
        .args(["-t1", "-c32", &format!("-d{seconds}s"), "-s"])
        .arg(&script)
        .arg(format!("http://{address}/"))
        .output()
        .unwrap();
    end.send(()).unwrap();
    server.join().unwrap();
    let text = String::from_utf8(wrk.stdout).unwrap();
    let rate = text.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:"));
    rate.unwrap_or_else(|| panic!("wrk said: {text}")).trim().parse().unwrap()
}
