//! A Memcached server that says nothing any more.

use limitra_tests::MemcachedServer;

use crate::load::Load;
use crate::seen::hold;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_memcached_killed_under_load_is_found_again_and_admits_one_more_limit_at_most() {
    let mut server = MemcachedServer::start();
    let load = Load::start(&server.url());
    let sides = load.survives(&mut server, MemcachedServer::kill, MemcachedServer::restart).await;
    hold("kill -9, restart without its data", "Memcached", &sides, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_memcached_that_stands_still_under_load_costs_a_deadline_and_admits_nothing() {
    let mut server = MemcachedServer::start();
    let load = Load::start(&server.url());
    let sides = load.survives(&mut server, |server| server.pause(), |server| server.resume()).await;
    hold("SIGSTOP, SIGCONT", "Memcached", &sides, 0).await;
}
