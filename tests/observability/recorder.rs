//! A recorder that keeps everything.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, LocalRecorderGuard, Metadata, Recorder,
    SharedString, Unit,
};

/// By name and labels: `limitra_outage{of="api",storage="redis"}`.
#[derive(Default)]
pub(crate) struct Kept {
    counters: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    gauges: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    histograms: Mutex<BTreeMap<String, Arc<Values>>>,
    described: Mutex<BTreeMap<String, (&'static str, Option<Unit>)>>,
}

#[derive(Default)]
struct Values(Mutex<Vec<f64>>);

impl HistogramFn for Values {
    fn record(&self, value: f64) {
        self.0.lock().unwrap().push(value);
    }
}

impl Kept {
    /// One for what this thread does, as long as it lives.
    pub(crate) fn here() -> (&'static Self, LocalRecorderGuard<'static>) {
        let kept: &'static Self = Box::leak(Box::default());
        (kept, metrics::set_default_local_recorder(kept))
    }

    pub(crate) fn counter(&self, key: &str) -> u64 {
        self.counters.lock().unwrap().get(key).map_or(0, |value| value.load(Ordering::SeqCst))
    }

    /// What a gauge shows, if it was ever set.
    pub(crate) fn gauge(&self, key: &str) -> Option<f64> {
        self.gauges.lock().unwrap().get(key).map(|value| f64::from_bits(value.load(Ordering::SeqCst)))
    }

    pub(crate) fn histogram(&self, key: &str) -> Vec<f64> {
        let histograms = self.histograms.lock().unwrap();
        histograms.get(key).map(|values| values.0.lock().unwrap().clone()).unwrap_or_default()
    }

    /// The counters above zero whose key begins so, without the name.
    pub(crate) fn counters(&self, name: &str) -> Vec<(String, u64)> {
        let counters = self.counters.lock().unwrap();
        let counted = counters.iter().filter_map(|(key, value)| {
            let labels = key.strip_prefix(name)?;
            Some((labels.to_owned(), value.load(Ordering::SeqCst)))
        });
        counted.filter(|(_, value)| *value > 0).collect()
    }

    /// Every name with its labels.
    pub(crate) fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.counters.lock().unwrap().keys().cloned().collect();
        keys.extend(self.gauges.lock().unwrap().keys().cloned());
        keys.extend(self.histograms.lock().unwrap().keys().cloned());
        keys
    }

    /// Name, kind and unit of all that was described.
    pub(crate) fn described(&self) -> BTreeMap<String, (&'static str, Option<Unit>)> {
        self.described.lock().unwrap().clone()
    }

    fn describe(&self, name: &KeyName, kind: &'static str, unit: Option<Unit>) {
        self.described.lock().unwrap().insert(name.as_str().to_owned(), (kind, unit));
    }
}

fn text(key: &Key) -> String {
    let mut labels: Vec<String> =
        key.labels().map(|label| format!("{}={:?}", label.key(), label.value())).collect();
    labels.sort();
    format!("{}{{{}}}", key.name(), labels.join(","))
}

impl Recorder for Kept {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&name, "counter", unit);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&name, "gauge", unit);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&name, "histogram", unit);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Arc::clone(self.counters.lock().unwrap().entry(text(key)).or_default()))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(Arc::clone(self.gauges.lock().unwrap().entry(text(key)).or_default()))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::clone(self.histograms.lock().unwrap().entry(text(key)).or_default()))
    }
}
