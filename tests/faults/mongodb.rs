//! A MongoDB server that says nothing any more.

use limitra_tests::MongoDbServer;

use crate::load::Load;
use crate::seen::hold;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mongodb_killed_under_load_is_found_again_and_forgets_nothing() {
    let mut server = MongoDbServer::builder().durable().start();
    let load = Load::start_slow(&server.url(), &["error", "local:4"]);
    let sides = load.survives(&mut server, MongoDbServer::kill, MongoDbServer::restart).await;
    hold("kill -9, restart", "MongoDB", &sides, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mongodb_that_stands_still_under_load_costs_a_deadline_and_admits_nothing() {
    let mut server = MongoDbServer::builder().durable().start();
    let load = Load::start_slow(&server.url(), &["error", "local:4"]);
    let sides = load.survives(&mut server, |server| server.pause(), |server| server.resume()).await;
    hold("SIGSTOP, SIGCONT", "MongoDB", &sides, 0).await;
}
