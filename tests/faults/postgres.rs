//! A PostgreSQL server that says nothing any more.

use limitra_tests::PostgresServer;

use crate::load::Load;
use crate::seen::hold;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_killed_under_load_is_found_again_and_forgets_nothing() {
    let mut server = PostgresServer::start();
    let load = Load::start_easy(&server.url());
    let sides = load.survives(&mut server, PostgresServer::crash, PostgresServer::restart).await;
    hold("crash, restart", "PostgreSQL", &sides, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_stands_still_under_load_costs_a_deadline_and_admits_nothing() {
    let mut server = PostgresServer::start();
    let load = Load::start_easy(&server.url());
    let sides = load.survives(&mut server, |server| server.pause(), |server| server.resume()).await;
    hold("SIGSTOP, SIGCONT", "PostgreSQL", &sides, 0).await;
}
