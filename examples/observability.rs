//! What an operator sees: events, health and metrics of a storage that nobody answers for.
//!
//! The recorder is a few lines of its own; a service takes one that exports, such as metrics-exporter-prometheus.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use limitra::{Breaker, Error, LimitraConfig};
use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};

/// Counters, and of a histogram how many values it has.
#[derive(Clone, Default)]
struct Printed {
    counts: Arc<Mutex<BTreeMap<String, Arc<AtomicU64>>>>,
    gauges: Arc<Mutex<BTreeMap<String, Arc<AtomicU64>>>>,
}

/// Counts values.
struct Values(Arc<AtomicU64>);

impl HistogramFn for Values {
    fn record(&self, _value: f64) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn found(map: &Mutex<BTreeMap<String, Arc<AtomicU64>>>, key: &Key) -> Arc<AtomicU64> {
    Arc::clone(map.lock().unwrap_or_else(PoisonError::into_inner).entry(key.to_string()).or_default())
}

impl Recorder for Printed {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(found(&self.counts, key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(found(&self.gauges, key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(Values(found(&self.counts, key))))
    }
}

impl Printed {
    fn print(&self) {
        let show = |map: &Mutex<BTreeMap<String, Arc<AtomicU64>>>, read: fn(u64) -> f64| {
            for (name, value) in map.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                let value = read(value.load(Ordering::Relaxed));
                if value != 0.0 {
                    println!("  {value:>4}  {name}");
                }
            }
        };
        #[allow(clippy::cast_precision_loss)] // To be looked at.
        show(&self.counts, |count| count as f64);
        show(&self.gauges, f64::from_bits);
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let recorder = Printed::default();
    if metrics::set_global_recorder(recorder.clone()).is_err() {
        println!("there is a recorder already");
    }
    limitra::describe_metrics();

    // Nobody listens on this port.
    let limits = LimitraConfig::new()
        .redis_url("redis://127.0.0.1:1")
        .breaker(Breaker::new().failures(3))
        .on_event(|event| println!("event: {event}"))
        .build()?;
    let limiter = limits.limiter().requests(6).window(60).on_outage("local:2").scope("login").build()?;
    for _ in 0..10 {
        let decision = limiter.check("ada").await?;
        println!("allowed: {}, degraded: {}", decision.is_allowed(), decision.is_degraded());
    }
    println!("{:#?}", limits.health());
    println!("metrics:");
    recorder.print();
    Ok(())
}
