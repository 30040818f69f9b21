//! An etcd that says nothing any more, or has no room.

use limitra_tests::EtcdServer;

use crate::load::Load;
use crate::seen::hold;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_etcd_killed_under_load_is_found_again_and_forgets_nothing() {
    let mut server = EtcdServer::start();
    let load = Load::start_easy(&server.url());
    let sides = load.survives(&mut server, EtcdServer::kill, EtcdServer::restart).await;
    hold("kill -9, restart", "etcd", &sides, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_etcd_that_stands_still_under_load_costs_a_deadline_and_admits_nothing() {
    let mut server = EtcdServer::start();
    let load = Load::start_easy(&server.url());
    let sides = load.survives(&mut server, |server| server.pause(), |server| server.resume()).await;
    hold("SIGSTOP, SIGCONT", "etcd", &sides, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_etcd_without_room_answers_by_the_policy_where_it_must_write_until_there_is_room() {
    let server = EtcdServer::start_with(&["--quota-backend-bytes", "4000000"]);
    let load = Load::start_patient_easy(&server.url());
    load.is_felt().await;
    load.strike();
    let filling = "x".repeat(100_000);
    // Until it raises its alarm.
    while server.cli(&["alarm", "list"]).is_empty() {
        server.try_cli(&["put", "filling", &filling]).ok();
    }
    load.is_an_outage().await;
    // Neither a refusal nor a peek writes.
    for side in load.sides() {
        let refused = side.scarce.check("ada").await.unwrap();
        assert!(!refused.is_allowed() && !refused.is_degraded(), "{}", side.policy);
        let peek = side.plenty.test("ada").await.unwrap();
        assert!(peek.is_allowed() && !peek.is_degraded(), "{}", side.policy);
    }
    server.cli(&["del", "filling"]);
    let status = server.cli(&["endpoint", "status", "--write-out", "json"]);
    let revision = status.split("\"revision\":").nth(1).unwrap();
    let revision: String = revision.chars().take_while(char::is_ascii_digit).collect();
    server.cli(&["compact", &revision]);
    server.cli(&["defrag"]);
    server.cli(&["alarm", "disarm"]);
    load.heal();
    load.is_over().await;
    hold("quota reached (NOSPACE)", "etcd", &load.end().await, 0).await;
}
