//! A server that has no memory left.

use limitra::{Algorithm, StorageErrorKind, check_all};
use limitra_tests::RedisServer;

use crate::stage::{HOUR, Look, fresh, kind, limit, limiter, storage_at};

#[tokio::test]
async fn a_full_server_is_a_typed_error_and_nothing_is_half_written() {
    let server = RedisServer::builder().setting("maxmemory-policy", "noeviction").start();
    let mut look = Look::at(&server);
    let storage = storage_at(&server.url());
    for algorithm in Algorithm::ALL {
        let one = limiter(&storage, *algorithm, 2);
        let two = fresh(&storage)
            .algorithm(*algorithm)
            .limits([limit(3, HOUR), limit(9, HOUR * 2)])
            .build()
            .unwrap();
        let open =
            fresh(&storage).algorithm(*algorithm).limit(limit(5, HOUR)).fail_open(true).build().unwrap();
        assert!(check_all([one.of("ada"), two.of("acme")]).await.unwrap().is_allowed());
        open.check("ada").await.unwrap();
        let before = [one.key("ada"), two.key("acme")].map(|key| look.dump(&key));

        look.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
        assert_eq!(kind(one.check("ada").await), StorageErrorKind::Refused, "{algorithm}");
        assert_eq!(kind(one.check("new").await), StorageErrorKind::Refused, "{algorithm}");
        assert_eq!(kind(two.check("acme").await), StorageErrorKind::Refused, "{algorithm}");
        for charges in [[one.of("ada"), two.of("acme")], [two.of("new"), one.of("ada")]] {
            assert_eq!(kind(check_all(charges).await), StorageErrorKind::Refused, "{algorithm}");
        }
        assert!(open.check("ada").await.unwrap().is_degraded());
        // To look takes no room, and to go makes some.
        assert_eq!(one.usage("ada").await.unwrap().count, 1);
        open.reset("ada").await.unwrap();
        assert!(!look.exists(&two.key("new")) && !look.exists(&one.key("new")));
        assert_eq!([one.key("ada"), two.key("acme")].map(|key| look.dump(&key)), before, "{algorithm}");

        look.run::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
        assert!(check_all([one.of("ada"), two.of("acme")]).await.unwrap().is_allowed());
        assert_eq!(one.usage("ada").await.unwrap().count, 2, "{algorithm}");
    }
}

#[tokio::test]
async fn a_large_log_on_a_full_server_stays_as_it_was() {
    let server = RedisServer::start();
    let mut look = Look::at(&server);
    let clock = limitra::ManualClock::new();
    let limiter = fresh(&storage_at(&server.url()))
        .algorithm(Algorithm::MovingWindow)
        .limit(limit(200, HOUR / 9))
        .clock(clock.clone())
        .build()
        .unwrap();
    let key = limiter.key("ada");
    for _ in 0..450 {
        assert!(limiter.allow_request("ada").await.unwrap());
        clock.advance(HOUR / 1800);
    }
    let before = look.dump(&key);
    look.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(kind(limiter.check("ada").await), StorageErrorKind::Refused);
    assert_eq!(look.dump(&key), before);
    look.run::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    assert!(limiter.allow_request("ada").await.unwrap());
    assert_eq!(limiter.usage("ada").await.unwrap().remaining, 0);
}

#[tokio::test]
async fn a_refused_hit_takes_no_room() {
    let server = RedisServer::start();
    let mut look = Look::at(&server);
    let storage = storage_at(&server.url());
    let elastic = Algorithm::FixedWindowElasticExpiry;
    for algorithm in Algorithm::ALL.iter().filter(|algorithm| **algorithm != elastic) {
        let limiter = limiter(&storage, *algorithm, 1);
        assert!(limiter.allow_request("ada").await.unwrap());
        look.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
        assert!(!limiter.allow_request("ada").await.unwrap(), "{algorithm}");
        look.run::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    }
}
