//! A replica that is promoted by sentinels.

use limitra_tests::RedisSentinels;

use crate::load::Load;
use crate::seen::hold;

async fn promoted(fault: &str, replace: impl FnOnce(&mut RedisSentinels)) {
    let mut sentinels = RedisSentinels::start();
    let load = Load::start(&sentinels.url());
    load.is_felt().await;
    load.strike();
    replace(&mut sentinels);
    // Nobody does anything more.
    load.heal();
    sentinels.wait("no replica takes over", |sentinels| sentinels.master() == 1);
    load.is_over().await;
    let sides = load.end().await;
    for side in &sides {
        assert!(side.seen.lock().unwrap().outages_ever > 0, "{}", side.policy);
    }
    // What had not reached the replica is forgotten.
    hold(fault, "Redis Sentinel", &sides, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_promoted_by_sentinels_under_load_admits_one_more_limit_at_most() {
    promoted("master killed, replica promoted", |sentinels| sentinels.server_mut(0).kill()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_stands_still_is_replaced_by_sentinels_and_admits_one_more_limit_at_most() {
    promoted("master SIGSTOP, replica promoted", |sentinels| sentinels.servers()[0].pause()).await;
}
