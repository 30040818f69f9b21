//! Several subjects of one decision, by several processes as far as PostgreSQL can see.

use limitra::{Algorithm, Limit, RateLimiter, check_all};
use limitra_tests::{PostgresServer, fresh_prefix};
use tokio::task::JoinSet;

use crate::stage::{HOUR, storage_at};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn storages_that_race_for_subjects_in_different_orders_charge_all_or_none() {
    let server = PostgresServer::start();
    let storages = [(); 8].map(|()| storage_at(&server.url()));
    for algorithm in [Algorithm::FixedWindow, Algorithm::MovingWindow, Algorithm::Gcra] {
        let prefix = fresh_prefix();
        let clock = limitra::ManualClock::new();
        let limiters = storages.each_ref().map(|storage| {
            [(40, "user"), (55, "tenant"), (1000, "all")].map(|(amount, scope)| {
                RateLimiter::builder()
                    .storage(storage)
                    .prefix(&prefix)
                    .scope(scope)
                    .clock(clock.clone())
                    .algorithm(algorithm)
                    .limits([Limit::new(amount, HOUR).unwrap(), Limit::new(amount * 2, HOUR * 2).unwrap()])
                    .build()
                    .unwrap()
            })
        });
        let mut running = JoinSet::new();
        for task in 0..160_usize {
            let [user, tenant, all] = limiters[task % 8].clone();
            running.spawn(async move {
                let who = if task % 16 < 8 { "ada" } else { "bob" };
                let mut charges = vec![user.of(who), tenant.of("acme"), all.of("all")];
                charges.rotate_left(task % 3);
                check_all(charges).await.unwrap().is_allowed()
            });
        }
        let admitted = running.join_all().await.into_iter().filter(|allowed| *allowed).count();
        assert_eq!(admitted, 55, "{algorithm}");
        let [user, tenant, all] = &limiters[0];
        for (limiter, who) in [(tenant, "acme"), (all, "all")] {
            for rule in limiter.test(who).await.unwrap().rules() {
                assert_eq!(rule.limit().amount() - rule.remaining(), 55, "{algorithm}");
            }
        }
        let left = async |who| user.test(who).await.unwrap().rules()[0].remaining();
        assert_eq!(80 - left("ada").await - left("bob").await, 55, "{algorithm}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn storages_that_race_for_subjects_that_are_new_in_part_charge_all_or_none() {
    let server = PostgresServer::start();
    let storages = [(); 8].map(|()| storage_at(&server.url()));
    let prefix = fresh_prefix();
    let limiters = storages.each_ref().map(|storage| {
        [(100_000, "tenant"), (1, "request")].map(|(amount, scope)| {
            let limit = Limit::new(amount, HOUR).unwrap();
            RateLimiter::builder().storage(storage).prefix(&prefix).scope(scope).limit(limit).build().unwrap()
        })
    });
    let mut running = JoinSet::new();
    // Each of 40 requests comes to all eight at once, and is to be counted once.
    for task in 0..320_usize {
        let [tenant, request] = limiters[task % 8].clone();
        let (one, other) = ((task / 8).to_string(), (task / 8 + 1000).to_string());
        running.spawn(async move {
            let mut charges = vec![request.of(&*one), tenant.of("acme"), request.of(&*other)];
            charges.rotate_left(task % 3);
            check_all(charges).await.unwrap().is_allowed()
        });
    }
    let admitted = running.join_all().await.into_iter().filter(|allowed| *allowed).count();
    assert_eq!(admitted, 40);
    let [tenant, request] = &limiters[0];
    assert_eq!(tenant.usage("acme").await.unwrap().count, 40);
    for who in 0..40 {
        assert_eq!(request.usage(who).await.unwrap().count, 1);
        assert_eq!(request.usage(who + 1000).await.unwrap().count, 1);
    }
}

#[tokio::test]
async fn as_many_subjects_as_it_says_are_decided_at_once() {
    let server = PostgresServer::start();
    let storage = storage_at(&server.url());
    let limiter = crate::stage::limiter(&storage, Algorithm::FixedWindow, 2);
    let most = storage.bounds().subjects;
    for expected in [true, true, false] {
        let charges = (0..most).map(|who| limiter.of(who));
        assert_eq!(check_all(charges).await.unwrap().is_allowed(), expected);
    }
    assert_eq!(server.sql("SELECT count(*) FROM limitra_records"), most.to_string());
    let too_many = check_all((0..=most).map(|who| limiter.of(who))).await;
    assert!(matches!(too_many, Err(limitra::Error::Configuration(_))));
}
