//! A Redis that says nothing any more.

use limitra_tests::{Proxy, ProxyMode, RedisServer};

use crate::load::Load;
use crate::seen::hold;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_killed_under_load_is_found_again_and_admits_one_more_limit_at_most() {
    let mut server = RedisServer::start();
    let load = Load::start(&server.url());
    let sides = load.survives(&mut server, RedisServer::kill, RedisServer::restart).await;
    hold("kill -9, restart without its data", "Redis", &sides, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_stands_still_under_load_costs_a_deadline_and_admits_nothing() {
    let mut server = RedisServer::start();
    let load = Load::start(&server.url());
    let sides = load.survives(&mut server, |server| server.pause(), |server| server.resume()).await;
    hold("SIGSTOP, SIGCONT", "Redis", &sides, 0).await;
}

/// What a proxy does to the callers' connections, once the load is felt.
async fn on_the_way(fault: &str, mode: ProxyMode) {
    let server = RedisServer::start();
    let mut proxy = Proxy::start(server.address());
    let load = Load::start(&proxy.redis_url());
    let sides = load.survives(&mut proxy, |proxy| proxy.set(mode), |proxy| proxy.set(ProxyMode::Pass)).await;
    hold(fault, "Redis", &sides, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blackhole_before_redis_costs_a_deadline_and_admits_nothing() {
    on_the_way("blackhole", ProxyMode::Blackhole).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_to_redis_that_are_cut_and_refused_under_load_come_back_by_themselves() {
    on_the_way("reset and refused", ProxyMode::Refuse).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_to_redis_that_are_cut_under_load_count_nothing() {
    on_the_way("reset at each request", ProxyMode::CutBeforeRequest).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hits_on_redis_whose_replies_are_lost_under_load_are_counted_once_and_admitted_never() {
    let server = RedisServer::start();
    let mut proxy = Proxy::start(server.address());
    // So few at a time that what failed was mostly executed; and a connection can be made: what were sent again would
    // be counted again.
    let load = Load::start_easy(&proxy.redis_url());
    let lost = ProxyMode::DropReplyTo(b"EVALSHA");
    let sides = load.survives(&mut proxy, |proxy| proxy.set(lost), |proxy| proxy.set(ProxyMode::Pass)).await;
    hold("reply dropped after execution", "Redis", &sides, 0).await;
}
