//! Slots that move while decisions are made.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use limitra::{Algorithm, AnyStorage, RateLimiter, RedisClusterStorage, StorageErrorKind, check_all};
use limitra_tests::{RedisCluster, fresh_prefix};
use tokio::task::JoinSet;

use crate::stage::{kind, limiter, patient, storage_at};

/// The slot of what a limiter knows of `who`, its master, and another one.
fn slot_of(cluster: &RedisCluster, limiter: &RateLimiter, who: &str) -> (u16, usize, usize) {
    slot_of_key(cluster, &limiter.key(who))
}

fn slot_of_key(cluster: &RedisCluster, key: &str) -> (u16, usize, usize) {
    let slot = cluster.slot(key);
    let from = cluster.master_of(slot);
    let to = cluster.masters_seen_by(0).into_iter().find(|master| *master != from).unwrap();
    (slot, from, to)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_under_load_admits_exactly_the_limit() {
    let cluster = RedisCluster::start();
    let cluster = Arc::new(cluster);
    for algorithm in [Algorithm::SlidingWindow, Algorithm::MovingWindow] {
        let storages = [storage_at(&cluster.url()), storage_at(&cluster.url())];
        let prefix = fresh_prefix();
        let limiters = storages.each_ref().map(|storage| {
            let limiter = RateLimiter::builder().storage(storage).prefix(&prefix).algorithm(algorithm);
            limiter.requests(400).window(3600).build().unwrap()
        });
        let (slot, mut from, mut to) = slot_of(&cluster, &limiters[0], "ada");
        let over = Arc::new(AtomicBool::new(false));
        let mut running = JoinSet::new();
        for task in 0..8 {
            let (limiter, over) = (limiters[task % 2].clone(), Arc::clone(&over));
            running.spawn(async move {
                let (mut admitted, mut left) = (0_u64, 100);
                while left > 0 {
                    admitted += u64::from(limiter.allow_request("ada").await.unwrap());
                    left -= i32::from(over.load(Ordering::Relaxed));
                }
                admitted
            });
        }
        let mover = Arc::clone(&cluster);
        let work = tokio::task::spawn_blocking(move || {
            for _ in 0..4 {
                mover.begin_move(slot, from, to);
                mover.move_keys(slot, from, to);
                mover.end_move(slot, from, to);
                std::mem::swap(&mut from, &mut to);
            }
        });
        work.await.unwrap();
        over.store(true, Ordering::Relaxed);
        assert_eq!(running.join_all().await.into_iter().sum::<u64>(), 400, "{algorithm}");
        assert_eq!(limiters[0].usage("ada").await.unwrap().remaining, 0, "{algorithm}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_given_back_while_its_slot_moves_is_neither_lost_nor_given_back_twice() {
    let cluster = Arc::new(RedisCluster::start());
    let storage = storage_at(&cluster.url());
    for algorithm in [Algorithm::FixedWindow, Algorithm::SlidingWindow, Algorithm::MovingWindow] {
        let limiter = limiter(&storage, algorithm, 1_000_000);
        let (slot, mut from, mut to) = slot_of(&cluster, &limiter, "ada");
        let over = Arc::new(AtomicBool::new(false));
        let mut running = JoinSet::new();
        for task in 0..8 {
            let (limiter, over) = (limiter.clone(), Arc::clone(&over));
            running.spawn(async move {
                let (mut kept, mut round) = (0, 0);
                while !over.load(Ordering::Relaxed) {
                    let cost = 1 + task % 3;
                    let decision = limiter.check_cost("ada", cost).await.unwrap();
                    round += 1;
                    if round % 5 == 0 {
                        kept += cost;
                    } else {
                        assert!(limiter.give_back("ada", decision).await.unwrap(), "{algorithm}");
                    }
                }
                kept
            });
        }
        let mover = Arc::clone(&cluster);
        let work = tokio::task::spawn_blocking(move || {
            for _ in 0..4 {
                mover.begin_move(slot, from, to);
                mover.move_keys(slot, from, to);
                mover.end_move(slot, from, to);
                std::mem::swap(&mut from, &mut to);
            }
        });
        work.await.unwrap();
        over.store(true, Ordering::Relaxed);
        let kept = running.join_all().await.into_iter().sum::<u64>();
        assert_eq!(limiter.usage("ada").await.unwrap().count, kept, "{algorithm}");
    }
}

#[tokio::test]
async fn a_slot_that_has_moved_is_followed_and_remembered() {
    let cluster = RedisCluster::start();
    let storage = storage_at(&cluster.url());
    let limiter = limiter(&storage, Algorithm::FixedWindow, 10);
    assert!(limiter.allow_request("ada").await.unwrap());
    let (slot, from, to) = slot_of(&cluster, &limiter, "ada");
    cluster.begin_move(slot, from, to);
    cluster.move_keys(slot, from, to);
    cluster.end_move(slot, from, to);
    for node in cluster.nodes() {
        node.forget_counts();
    }
    for count in 2..=5 {
        assert!(limiter.allow_request("ada").await.unwrap());
        assert_eq!(limiter.usage("ada").await.unwrap().count, count);
    }
    // The old master was asked once, and refused; it ran nothing.
    let [at_from, at_to] = [from, to].map(|index| cluster.nodes()[index].command_counts());
    assert_eq!(at_from.get("evalsha").copied().unwrap_or_default(), 0, "{at_from:?}");
    assert!(at_to["evalsha"] >= 8, "{at_to:?}");
}

#[tokio::test]
async fn a_key_that_is_on_its_way_is_asked_for_where_it_is() {
    let cluster = RedisCluster::start();
    let storage = storage_at(&cluster.url());
    for algorithm in Algorithm::ALL {
        let limiter = limiter(&storage, *algorithm, 3);
        let (slot, from, to) = slot_of(&cluster, &limiter, "ada");
        // Not yet moved: still where it was.
        assert!(limiter.allow_request("ada").await.unwrap());
        cluster.begin_move(slot, from, to);
        assert!(limiter.allow_request("ada").await.unwrap());
        // Moved: the old master says where.
        cluster.move_keys(slot, from, to);
        assert_eq!(limiter.usage("ada").await.unwrap().count, 2, "{algorithm}");
        assert!(limiter.allow_request("ada").await.unwrap());
        assert!(!limiter.allow_request("ada").await.unwrap(), "{algorithm}");
        limiter.reset("ada").await.unwrap();
        // A new record begins where the slot goes.
        assert!(limiter.allow_request("ada").await.unwrap());
        assert_eq!(cluster.nodes()[from].cli(&["CLUSTER", "COUNTKEYSINSLOT", &slot.to_string()]), "0");
        cluster.end_move(slot, from, to);
        assert_eq!(limiter.usage("ada").await.unwrap().count, 1, "{algorithm}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_that_ask_at_once_do_not_mix_up_their_questions() {
    let cluster = RedisCluster::start();
    let storage = storage_at(&cluster.url());
    // Half of them in a slot that is on its way, half in another one of the same node.
    let moving = limiter(&storage, Algorithm::FixedWindow, 50);
    let (slot, from, to) = slot_of(&cluster, &moving, "ada");
    cluster.begin_move(slot, from, to);
    let staying = limiter(&storage, Algorithm::FixedWindow, 50);
    let mut running = JoinSet::new();
    for task in 0..400 {
        let (limiter, who) = if task % 2 == 0 {
            (moving.clone(), "ada".to_owned())
        } else {
            (staying.clone(), task.to_string())
        };
        running.spawn(async move { (task % 2, limiter.allow_request(&*who).await.unwrap()) });
    }
    let answers = running.join_all().await;
    let admitted = |kind| answers.iter().filter(|(other, allowed)| *other == kind && *allowed).count();
    assert_eq!((admitted(0), admitted(1)), (50, 200));
    cluster.end_move(slot, from, to);
    assert_eq!(moving.usage("ada").await.unwrap().count, 50);
}

fn in_one_slot(cluster: &RedisCluster) -> AnyStorage {
    patient().url(cluster.url()).key_prefix("{shop}").build().unwrap().into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subjects_of_which_some_have_moved_wait_for_the_others() {
    let cluster = Arc::new(RedisCluster::start());
    let storage = in_one_slot(&cluster);
    let limiters = [1, 2].map(|_| limiter(&storage, Algorithm::FixedWindow, 5));
    let charges = || [limiters[0].of("ada"), limiters[1].of("acme")];
    assert!(check_all(charges()).await.unwrap().is_allowed());
    let (slot, from, to) = slot_of_key(&cluster, "{shop}:x");
    cluster.begin_move(slot, from, to);
    // One of the two moves.
    let key = format!("{{shop}}:{}", limiters[0].key("ada"));
    let port = cluster.nodes()[to].address().port().to_string();
    cluster.nodes()[from].cli(&["MIGRATE", "127.0.0.1", &port, &key, "0", "5000"]);
    let impatient: AnyStorage = RedisClusterStorage::builder()
        .url(cluster.url())
        .key_prefix("{shop}")
        .connect_timeout(Duration::from_secs(60))
        .max_retries(3)
        .build()
        .unwrap()
        .into();
    let both =
        [limiter(&impatient, Algorithm::FixedWindow, 5), limiter(&impatient, Algorithm::FixedWindow, 5)];
    // Neither is there yet: whoever asks for both is told to try again, and nothing is counted.
    let error = check_all([both[0].of("ada"), both[1].of("acme")]).await.unwrap_err();
    assert!(error.to_string().contains("Multiple keys"), "{error}");
    assert_eq!(kind::<()>(Err(error)), StorageErrorKind::Unavailable);
    assert_eq!(both[0].usage("ada").await.unwrap().count, 0);
    // Those who wait are answered when the slot has arrived.
    let waiting = tokio::spawn({
        let [one, other] = limiters.clone();
        async move { check_all([one.of("ada"), other.of("acme")]).await }
    });
    let mover = Arc::clone(&cluster);
    tokio::task::spawn_blocking(move || {
        mover.move_keys(slot, from, to);
        mover.end_move(slot, from, to);
    })
    .await
    .unwrap();
    let answer = waiting.await.unwrap();
    match answer {
        Ok(decision) => assert!(decision.is_allowed()),
        // So many tries may be over before the slot has arrived.
        Err(error) => assert_eq!(kind::<()>(Err(error)), StorageErrorKind::Unavailable),
    }
    let counted = limiters[0].usage("ada").await.unwrap().count;
    assert_eq!(limiters[1].usage("acme").await.unwrap().count, counted);
}

#[tokio::test]
async fn identifiers_with_braces_have_slots_of_their_own() {
    let cluster = RedisCluster::start();
    let storage = storage_at(&cluster.url());
    let limiter = limiter(&storage, Algorithm::SlidingWindow, 1);
    let mut slots = std::collections::BTreeSet::new();
    for who in ["{", "}", "{}", "{a}", "{a}b", "}{", "{{a}}", "a{b}c{d}", "{\u{e9}}", "{\0}", "%7B", "{}{a}"]
    {
        assert!(limiter.allow_request(who).await.unwrap(), "{who}");
        assert!(!limiter.allow_request(who).await.unwrap(), "{who}");
        let key = limiter.key(who);
        assert!(!key.contains('{'), "{key}");
        slots.insert(cluster.slot(&key));
    }
    assert!(slots.len() > 6, "{slots:?}");
    // The same with a tag of ours before it: one slot, and still a counter each.
    let storage = in_one_slot(&cluster);
    let limiter = crate::stage::limiter(&storage, Algorithm::SlidingWindow, 1);
    for who in ["{", "}", "{}", "{a}", "{a}b", "}{"] {
        assert!(limiter.allow_request(who).await.unwrap(), "{who}");
        assert!(!limiter.allow_request(who).await.unwrap(), "{who}");
    }
    let slot = cluster.slot("{shop}").to_string();
    let master = cluster.master_of(slot.parse().unwrap());
    assert_eq!(cluster.nodes()[master].cli(&["CLUSTER", "COUNTKEYSINSLOT", &slot]), "6");
    assert_eq!(storage.reset().await.unwrap(), 6);
    assert_eq!(cluster.nodes()[master].cli(&["CLUSTER", "COUNTKEYSINSLOT", &slot]), "0");
}
