//! What is told of an outage: each change of state, and not each request.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use limitra::{
    Breaker, CircuitBreaker, CircuitState, Event, InFlight, Limitra, LimitraConfig, LocalShare,
    MemoryStorage, OnOutage, RateLimiter, StorageErrorKind,
};

use crate::stage::{LOST, Mood, Shaky};

type Told = Arc<Mutex<Vec<Event>>>;

fn watched(storage: Arc<Shaky>, breaker: impl Into<Option<Breaker>>) -> (Limitra, Told) {
    let told = Told::default();
    let kept = Arc::clone(&told);
    let config = LimitraConfig::new().storage(storage).breaker(breaker);
    let limits = config.on_event(move |event| kept.lock().unwrap().push(event.clone())).build().unwrap();
    (limits, told)
}

fn taken(told: &Told) -> Vec<String> {
    told.lock().unwrap().drain(..).map(|event| event.to_string()).collect()
}

#[tokio::test]
async fn an_outage_is_told_when_it_begins_and_when_it_ends() {
    let storage = Shaky::new(LOST);
    let (limits, told) = watched(storage.clone(), None);
    let limiter = limits.limiter().requests(1000).window(60).on_outage("open").scope("api").build().unwrap();
    for who in 0..100 {
        assert!(limiter.check(who).await.unwrap().is_degraded());
    }
    assert_eq!(
        taken(&told),
        [
            "shaky: no decision for `api` (Unavailable), the policy is open: shaky: cannot be reached while trying to decide"
        ]
    );
    storage.set(Mood::Works);
    for who in 0..100 {
        assert!(!limiter.check(who).await.unwrap().is_degraded());
    }
    let event = told.lock().unwrap().pop().unwrap();
    assert!(told.lock().unwrap().is_empty());
    let Event::OutageEnded { decisions: 100, policy: OnOutage::FailOpen, lasted, .. } = event else {
        panic!("{event:?}");
    };
    assert!(lasted < Duration::from_secs(3600));
    // The next one begins anew.
    storage.set(LOST);
    limiter.check("ada").await.unwrap();
    assert_eq!(told.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_local_share_is_an_outage_too_and_its_charges_are_told() {
    let storage = Shaky::new(LOST);
    let (limits, told) = watched(storage.clone(), None);
    let limiter = limits.limiter().requests(1000).window(60).on_outage("local:2").build().unwrap();
    for _ in 0..3 {
        limiter.check("ada").await.unwrap();
    }
    assert_eq!((limiter.outages(), limits.outages()), (3, 3));
    assert_eq!(
        taken(&told),
        [
            "shaky: no decision for `user` (Unavailable), the policy is local:2: shaky: cannot be reached while trying to decide"
        ]
    );
    storage.set(Mood::Works);
    limiter.check("ada").await.unwrap();
    let told = taken(&told);
    assert_eq!(told[0], "shaky: 3 units of 1 keys that were admitted locally are charged");
    assert!(told[1].starts_with("shaky: it decides for `user` again; local:2 answered 3 in "), "{told:?}");
    assert_eq!(told.len(), 2);
}

#[tokio::test]
async fn a_share_that_is_the_storage_itself_is_an_outage_too() {
    let share = LocalShare::over(Shaky::new(LOST), MemoryStorage::new(), 2).unwrap();
    let limiter = RateLimiter::builder().requests(10).window(60).storage(&share).build().unwrap();
    assert!(limiter.check("ada").await.unwrap().is_degraded());
    assert_eq!(limiter.outages(), 1);
}

#[tokio::test]
async fn a_breaker_tells_that_it_opens_probes_and_closes() {
    let storage = Shaky::new(LOST);
    let breaker = Breaker::new().failures(2).pause(Duration::from_millis(5));
    let (limits, told) = watched(storage.clone(), breaker);
    let limiter = limits.limiter().requests(1000).window(60).build().unwrap();
    for _ in 0..2 {
        limiter.check("ada").await.unwrap_err();
    }
    let first = taken(&told);
    assert_eq!(first[1], "shaky: it failed (Unavailable), the circuit breaker is open for 5ms");
    storage.set(Mood::Works);
    while limiter.check("ada").await.is_err() {
        tokio::task::yield_now().await;
    }
    let then = taken(&told);
    assert_eq!(
        then[..2],
        [
            "shaky: the circuit breaker lets a probe through",
            "shaky: it answers again, the circuit breaker is closed"
        ]
    );
    assert!(then[2].starts_with("shaky: it decides for `user` again; "), "{then:?}");
    assert_eq!((first.len(), then.len()), (2, 3));
}

#[tokio::test]
async fn no_event_names_an_identifier() {
    let storage = Shaky::new(LOST);
    let (limits, told) = watched(storage.clone(), Breaker::new());
    let limiter = limits.limiter().requests(10).window(60).on_outage("local:2").build().unwrap();
    for _ in 0..20 {
        limiter.check("s3cret").await.unwrap();
    }
    storage.set(Mood::Works);
    limiter.check("s3cret").await.unwrap();
    let events = format!("{:?}", told.lock().unwrap());
    assert!(events.len() > 50 && !events.contains("s3cret"), "{events}");
}

#[tokio::test]
async fn a_hook_may_ask_a_limiter() {
    let storage = Shaky::new(LOST);
    let inner = limitra::RateLimiter::builder().requests(1).window(60).build().unwrap().blocking_check();
    let config = LimitraConfig::new().storage(storage).on_event(move |_| inner());
    let limits = config.build().unwrap();
    let limiter = limits.limiter().requests(10).window(60).build().unwrap();
    limiter.check("ada").await.unwrap_err();
}

/// Asks without a runtime.
trait BlockingCheck {
    fn blocking_check(self) -> Box<dyn Fn() + Send + Sync>;
}

impl BlockingCheck for limitra::RateLimiter {
    fn blocking_check(self) -> Box<dyn Fn() + Send + Sync> {
        Box::new(move || {
            let mut asked = Box::pin(self.check("hook"));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(asked.as_mut().poll(&mut context).is_ready());
        })
    }
}

#[tokio::test]
async fn health_says_how_the_storage_fares() {
    let storage = Shaky::new(Mood::Works);
    let (limits, _told) = watched(storage.clone(), Breaker::new().failures(2));
    let health = limits.health();
    assert_eq!(
        (health.storage, health.breaker, health.in_flight),
        ("shaky", Some(CircuitState::Closed), Some(0))
    );
    assert_eq!((health.outages, health.last_outage), (0, None));
    storage.set(LOST);
    let limiter = limits.limiter().requests(10).window(60).build().unwrap();
    for _ in 0..3 {
        limiter.check("ada").await.unwrap_err();
    }
    let health = limits.health();
    assert!(!health.is_well());
    assert_eq!((health.breaker, health.outages), (Some(CircuitState::Open), 3));
    assert_eq!(health.last_outage.unwrap().0, StorageErrorKind::CircuitOpen);
}

#[tokio::test]
async fn memory_has_no_layers_to_tell_of() {
    let health = LimitraConfig::new().build().unwrap().health();
    assert_eq!((health.storage, health.breaker, health.in_flight), ("memory", None, None));
    assert!(health.is_well());
}

#[tokio::test]
async fn layers_by_hand_have_a_hook_of_their_own_whichever_clone_meets_it() {
    let storage = Shaky::new(LOST);
    let told = Told::default();
    let hook = || {
        let kept = Arc::clone(&told);
        move |event: &Event| kept.lock().unwrap().push(event.clone())
    };
    let breaker = CircuitBreaker::over(storage.clone(), Breaker::new().failures(1)).unwrap();
    let in_flight = InFlight::over(&breaker, 1).unwrap();
    let share = LocalShare::over(&in_flight, MemoryStorage::new(), 2).unwrap();
    let limiter = RateLimiter::builder().requests(10).window(60).storage(&share).build().unwrap();
    // Said after the limiter was built: the layers are the same ones.
    let _layers = (breaker.on_event(hook()), in_flight.on_event(hook()), share.clone().on_event(hook()));
    limiter.check("ada").await.unwrap();
    let opened = "shaky: it failed (Unavailable), the circuit breaker is open for 1s";
    assert_eq!(taken(&told), [opened]);
    limiter.check_many(["bob", "cyd"]).await;
    assert_eq!(taken(&told), ["shaky: 1 decisions wait for it, more are not sent"]);
}

#[tokio::test]
async fn a_share_by_hand_tells_its_charges() {
    let storage = Shaky::new(LOST);
    let told = Told::default();
    let kept = Arc::clone(&told);
    let share = LocalShare::over(storage.clone(), MemoryStorage::new(), 2).unwrap();
    let share = share.on_event(move |event| kept.lock().unwrap().push(event.clone()));
    let limiter = RateLimiter::builder().requests(1000).window(60).storage(&share).build().unwrap();
    for who in 0..500 {
        limiter.check(who).await.unwrap();
    }
    storage.set(Mood::Works);
    assert_eq!(share.reconcile().await, 0);
    let charged: Vec<(u64, u64)> = told
        .lock()
        .unwrap()
        .iter()
        .map(|event| match event {
            Event::Reconciled { keys, units, .. } => (*keys, *units),
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(charged.iter().map(|(keys, _)| keys).sum::<u64>(), 500);
    assert_eq!((charged.iter().map(|(_, units)| units).sum::<u64>(), share.reconciled()), (500, 500));
}
