//! What a local share admitted is charged to the storage when that is back, and never twice.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use limitra::{Algorithm, LocalShare, ManualClock, MemoryStorage, RateLimiter, StorageErrorKind};

use crate::stage::{HOUR, LOST, Mood, Shaky, builder, limit};

struct Node {
    storage: Arc<Shaky>,
    share: LocalShare,
    limiter: RateLimiter,
}

/// What all nodes meet: a server, and the time.
struct World {
    server: MemoryStorage,
    clock: ManualClock,
    algorithm: Algorithm,
    amount: u64,
}

impl World {
    fn new(algorithm: Algorithm, amount: u64) -> Self {
        Self { server: MemoryStorage::new(), clock: ManualClock::new(), algorithm, amount }
    }

    fn node(&self, replicas: u32) -> Node {
        let storage = Shaky::over(&self.server, LOST);
        let share = LocalShare::over(storage.clone(), MemoryStorage::new(), replicas).unwrap();
        Node { limiter: self.limiter().storage(&share).build().unwrap(), storage, share }
    }

    fn limiter(&self) -> limitra::RateLimiterBuilder {
        builder().algorithm(self.algorithm).limit(limit(self.amount)).clock(self.clock.clone())
    }

    /// What stands against somebody on the server itself.
    async fn used(&self, who: &str) -> u64 {
        self.limiter().storage(&self.server).build().unwrap().usage(who).await.unwrap().count
    }
}

async fn hit(node: &Node, who: &str, times: u64) {
    for _ in 0..times {
        assert!(node.limiter.allow_request(who).await.unwrap());
    }
}

#[tokio::test]
async fn what_four_nodes_admitted_stands_on_the_server_afterwards() {
    for algorithm in Algorithm::ALL {
        let world = World::new(*algorithm, 100);
        let nodes: Vec<Node> = (0..4).map(|_| world.node(4)).collect();
        for (place, node) in (1..).zip(&nodes) {
            hit(node, "ada", 5 * place).await;
        }
        for node in &nodes {
            assert_eq!(node.share.owing(), 1);
            node.storage.set(Mood::Works);
            assert_eq!(node.share.reconcile().await, 0);
        }
        assert_eq!(world.used("ada").await, 5 + 10 + 15 + 20, "{algorithm}");
        let reconciled: u64 = nodes.iter().map(|node| node.share.reconciled()).sum();
        assert_eq!(reconciled, 50);
    }
}

#[tokio::test]
async fn a_decision_on_a_key_that_owes_charges_first() {
    let world = World::new(Algorithm::FixedWindow, 10);
    let node = world.node(1);
    hit(&node, "ada", 9).await;
    node.storage.set(Mood::Works);
    let decision = node.limiter.check("ada").await.unwrap();
    assert!(decision.is_allowed() && !decision.is_degraded());
    assert_eq!(decision.remaining(), 0);
    assert!(!node.limiter.allow_request("ada").await.unwrap());
    assert_eq!(world.used("ada").await, 10);
}

#[tokio::test]
async fn a_decision_takes_others_along_that_nobody_asks_about_any_more() {
    let world = World::new(Algorithm::FixedWindow, 10);
    let node = world.node(1);
    for who in 0..100 {
        hit(&node, &format!("user {who}"), 2).await;
    }
    assert_eq!(node.share.owing(), 100);
    node.storage.set(Mood::Works);
    for asked in 1..=7 {
        node.limiter.check("ada").await.unwrap();
        assert_eq!(node.share.owing(), 100_usize.saturating_sub(16 * asked));
    }
    for who in 0..100 {
        assert_eq!(world.used(&format!("user {who}")).await, 2);
    }
}

#[tokio::test]
async fn no_more_is_charged_than_the_storage_has_left() {
    for algorithm in Algorithm::ALL {
        let world = World::new(*algorithm, 10);
        let node = world.node(1);
        hit(&node, "ada", 8).await;
        let other = world.limiter().storage(&world.server).build().unwrap();
        for _ in 0..7 {
            assert!(other.allow_request("ada").await.unwrap());
        }
        node.storage.set(Mood::Works);
        assert_eq!(node.share.reconcile().await, 0);
        assert_eq!((world.used("ada").await, node.share.reconciled()), (10, 3), "{algorithm}");
    }
}

#[tokio::test]
async fn what_no_longer_counts_is_not_charged() {
    for algorithm in Algorithm::ALL {
        let world = World::new(*algorithm, 10);
        let node = world.node(1);
        hit(&node, "ada", 5).await;
        // A sliding window counts for up to two of its windows.
        world.clock.advance(3 * HOUR);
        node.storage.set(Mood::Works);
        assert!(node.limiter.test("ada").await.unwrap().is_allowed());
        assert_eq!(node.share.owing(), 0);
        assert_eq!((world.used("ada").await, node.share.reconciled()), (0, 0), "{algorithm}");
    }
}

#[tokio::test]
async fn each_limit_of_a_key_is_charged_what_counts_by_it() {
    let clock = ManualClock::new();
    let server = MemoryStorage::new();
    let storage = Shaky::over(&server, LOST);
    let share = LocalShare::over(storage.clone(), MemoryStorage::new(), 1).unwrap();
    let limiter = || {
        RateLimiter::builder().algorithm("fixed_window").notation("10/minute; 100/hour").clock(clock.clone())
    };
    let node = limiter().storage(&share).build().unwrap();
    for _ in 0..6 {
        assert!(node.allow_request("ada").await.unwrap());
    }
    clock.advance(Duration::from_secs(61));
    for _ in 0..2 {
        assert!(node.allow_request("ada").await.unwrap());
    }
    storage.set(Mood::Works);
    share.reconcile().await;
    let seen = limiter().storage(&server).build().unwrap().test("ada").await.unwrap();
    let left: Vec<u64> = seen.rules().iter().map(limitra::RuleDecision::remaining).collect();
    assert_eq!(left, [8, 92]);
}

#[tokio::test]
async fn a_charge_whose_outcome_is_unknown_is_never_sent_again() {
    let world = World::new(Algorithm::FixedWindow, 100);
    let node = world.node(1);
    hit(&node, "ada", 5).await;
    // Charged, and the answer is lost.
    node.storage.set(Mood::ForgetsAnswersToHits);
    assert_eq!(node.share.reconcile().await, 0);
    assert_eq!((world.used("ada").await, node.share.dropped()), (5, 1));
    node.storage.set(Mood::Works);
    assert_eq!(node.share.reconcile().await, 0);
    assert_eq!(node.limiter.usage("ada").await.unwrap().count, 5);
}

#[tokio::test]
async fn a_reconciliation_that_is_dropped_charges_once_or_not_at_all() {
    let world = World::new(Algorithm::FixedWindow, 100);
    let node = world.node(1);
    hit(&node, "ada", 5).await;
    // Nothing but a look was sent: what is owed stays.
    node.storage.set(Mood::Hangs);
    let mut looking = Box::pin(node.share.reconcile());
    assert!(poll_fn(|context| Poll::Ready(looking.as_mut().poll(context))).await.is_pending());
    drop(looking);
    assert_eq!(node.share.owing(), 1);
    // The charge was sent: whether it was taken is unknown.
    node.storage.set(Mood::HangsOnHits);
    let mut charging = Box::pin(node.share.reconcile());
    assert!(poll_fn(|context| Poll::Ready(charging.as_mut().poll(context))).await.is_pending());
    drop(charging);
    assert_eq!(node.share.owing(), 0);
    node.storage.set(Mood::Works);
    assert_eq!(node.limiter.usage("ada").await.unwrap().count, 0);
}

#[tokio::test]
async fn while_the_storage_is_out_what_is_owed_stays_and_costs_no_second_command() {
    let world = World::new(Algorithm::FixedWindow, 100);
    let node = world.node(1);
    hit(&node, "ada", 5).await;
    assert_eq!((node.share.owing(), node.share.dropped(), node.storage.asked()), (1, 0, 5));
    assert_eq!(node.share.reconcile().await, 1);
}

#[tokio::test]
async fn who_has_waited_for_one_answer_in_vain_does_not_wait_for_another() {
    let world = World::new(Algorithm::FixedWindow, 100);
    let node = world.node(4);
    hit(&node, "ada", 5).await;
    node.storage.set(Mood::Fails(StorageErrorKind::Timeout));
    for who in ["ada", "bob"] {
        let before = node.storage.asked();
        assert!(node.limiter.check(who).await.unwrap().is_degraded());
        // The look at what Ada owes.
        assert_eq!(node.storage.asked() - before, 1, "{who}");
    }
    // Two looks are answered, two charges are not.
    node.storage.set(Mood::ForgetsAnswersToHits);
    let before = node.storage.asked();
    assert!(node.limiter.check("eve").await.unwrap().is_degraded());
    assert_eq!(node.storage.asked() - before, 4);
}

#[tokio::test]
async fn a_charge_that_the_storage_refuses_for_good_is_dropped() {
    let world = World::new(Algorithm::FixedWindow, 100);
    let node = world.node(1);
    hit(&node, "ada", 5).await;
    node.storage.set(Mood::Fails(StorageErrorKind::ForeignValue));
    assert_eq!(node.share.reconcile().await, 0);
    assert_eq!(node.share.dropped(), 1);
}

#[tokio::test]
async fn an_outage_that_comes_again_grants_no_second_share_in_the_same_window() {
    let world = World::new(Algorithm::FixedWindow, 12);
    let node = world.node(4);
    hit(&node, "ada", 3).await;
    for _ in 0..3 {
        node.storage.set(Mood::Works);
        node.share.reconcile().await;
        assert_eq!(world.used("ada").await, 3);
        node.storage.set(LOST);
        assert!(!node.limiter.allow_request("ada").await.unwrap());
    }
    assert_eq!(node.share.reconciled(), 3);
}

#[tokio::test]
async fn a_reset_forgets_what_is_owed() {
    let world = World::new(Algorithm::FixedWindow, 10);
    let node = world.node(1);
    hit(&node, "ada", 5).await;
    node.limiter.reset("ada").await.unwrap();
    assert_eq!(node.share.owing(), 0);
    hit(&node, "ada", 10).await;
    node.storage.set(Mood::Works);
    node.share.reconcile().await;
    assert_eq!(world.used("ada").await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_callers_charge_what_is_owed_once() {
    let world = World::new(Algorithm::FixedWindow, 1_000_000);
    let node = Arc::new(world.node(1));
    for who in 0..50 {
        hit(&node, &format!("user {who}"), 7).await;
    }
    node.storage.set(Mood::Works);
    let callers = (0..8).map(|_| {
        let node = Arc::clone(&node);
        tokio::spawn(async move {
            for who in 0..50 {
                node.limiter.check(&*format!("user {who}")).await.unwrap();
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    node.share.reconcile().await;
    assert_eq!(node.share.reconciled(), 50 * 7);
    for who in 0..50 {
        assert_eq!(world.used(&format!("user {who}")).await, 7 + 8);
    }
}

#[tokio::test]
async fn a_hit_whose_answer_was_lost_is_counted_twice_rather_than_not_at_all() {
    let world = World::new(Algorithm::FixedWindow, 10);
    let node = world.node(2);
    node.storage.set(Mood::ForgetsAnswers);
    hit(&node, "ada", 1).await;
    assert_eq!(world.used("ada").await, 1);
    node.storage.set(Mood::Works);
    assert_eq!(node.share.reconcile().await, 0);
    assert_eq!(world.used("ada").await, 2);
}

#[tokio::test]
async fn a_server_that_says_not_now_is_charged_later() {
    for answer in [StorageErrorKind::Unavailable, StorageErrorKind::Timeout, StorageErrorKind::Refused] {
        let world = World::new(Algorithm::FixedWindow, 10);
        let node = world.node(1);
        hit(&node, "ada", 2).await;
        // It is there again, and loads its data, say, or does not know the password.
        node.storage.set(Mood::Answers(answer));
        hit(&node, "ada", 2).await;
        node.storage.set(Mood::Works);
        assert_eq!(node.share.reconcile().await, 0);
        assert_eq!((world.used("ada").await, node.share.dropped()), (4, 0), "{answer:?}");
    }
}

#[tokio::test]
async fn keys_of_which_a_part_of_the_storage_says_nothing_keep_no_others() {
    let world = World::new(Algorithm::FixedWindow, 10);
    let node = world.node(1);
    // The first ones in any order of keys.
    for who in 0..200 {
        hit(&node, &format!("0 silent {who}"), 1).await;
    }
    hit(&node, "ada", 2).await;
    hit(&node, "bob", 3).await;
    node.storage.set(Mood::SilentAbout("silent"));
    for _ in 0..30 {
        node.limiter.test("nobody").await.unwrap();
    }
    assert_eq!((world.used("ada").await, world.used("bob").await), (2, 3));
    hit(&node, "0 silent 0", 1).await;
    node.storage.set(LOST);
    hit(&node, "ada", 1).await;
    node.storage.set(Mood::SilentAbout("silent"));
    assert_eq!(node.share.reconcile().await, 200);
    assert_eq!(world.used("ada").await, 3);
}
