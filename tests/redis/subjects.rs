//! Several subjects of one decision.

use limitra::{Algorithm, check_all};
use limitra_tests::shared;
use tokio::task::JoinSet;

use crate::stage::{HOUR, Look, fresh, limit, limiter, storage_at};

#[tokio::test]
async fn a_refusal_by_one_subject_leaves_every_other_byte_for_byte() {
    let storage = storage_at(&shared().url());
    let mut look = Look::at(shared());
    let elastic = Algorithm::FixedWindowElasticExpiry;
    for algorithm in Algorithm::ALL.iter().filter(|algorithm| **algorithm != elastic) {
        let user = fresh(&storage)
            .algorithm(*algorithm)
            .limits([limit(5, HOUR), limit(8, HOUR * 2)])
            .build()
            .unwrap();
        let tenant = limiter(&storage, Algorithm::MovingWindow, 2);
        let everyone = limiter(&storage, Algorithm::Gcra, 1000);
        let charges = || [user.of("ada"), tenant.of("acme").cost(2), everyone.of("all").cost(7)];
        assert!(check_all(charges()).await.unwrap().is_allowed());
        let keys = [user.key("ada"), tenant.key("acme"), everyone.key("all")];
        let before = keys.each_ref().map(|key| look.dump(key));
        let refused = check_all(charges()).await.unwrap();
        assert!(!refused.is_allowed());
        assert_eq!(refused.limit(), Some(limit(2, HOUR)));
        assert_eq!(keys.each_ref().map(|key| look.dump(key)), before, "{algorithm}");
        assert_eq!(user.test("ada").await.unwrap().remaining(), 4);
        assert_eq!(everyone.usage("all").await.unwrap().count, 7);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_decisions_of_three_subjects_charge_all_or_none() {
    for algorithm in Algorithm::ALL {
        // Two storages: two processes, as far as Redis can see.
        let storages = [storage_at(&shared().url()), storage_at(&shared().url())];
        let prefix = limitra_tests::fresh_prefix();
        let clock = limitra::ManualClock::new();
        let limiters = storages.map(|storage| {
            [(40, "user"), (55, "tenant"), (1000, "all")].map(|(amount, scope)| {
                limitra::RateLimiter::builder()
                    .storage(&storage)
                    .prefix(&prefix)
                    .scope(scope)
                    .clock(clock.clone())
                    .algorithm(*algorithm)
                    .limits([limit(amount, HOUR), limit(amount * 2, HOUR * 2)])
                    .build()
                    .unwrap()
            })
        });
        let mut running = JoinSet::new();
        for task in 0..200_usize {
            let [user, tenant, all] = limiters[task % 2].clone();
            running.spawn(async move {
                let who = if task % 4 < 2 { "ada" } else { "bob" };
                let mut charges = vec![user.of(who), tenant.of("acme"), all.of("all")];
                charges.rotate_left(task % 3);
                check_all(charges).await.unwrap().is_allowed()
            });
        }
        let admitted = running.join_all().await.into_iter().filter(|allowed| *allowed).count() as u64;
        assert_eq!(admitted, 55, "{algorithm}");
        let [user, tenant, all] = &limiters[0];
        for (limiter, who) in [(tenant, "acme"), (all, "all")] {
            let left = limiter.test(who).await.unwrap();
            for rule in left.rules() {
                assert_eq!(rule.limit().amount() - rule.remaining(), 55, "{algorithm}");
            }
        }
        let of = async |who| user.test(who).await.unwrap().rules()[0].remaining();
        assert_eq!(80 - of("ada").await - of("bob").await, 55, "{algorithm}");
    }
}
