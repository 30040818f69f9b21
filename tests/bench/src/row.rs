//! What was measured, as lines that a program can read.

use serde_json::{Value, json};

/// One figure: the median of its repetitions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) group: String,
    pub(crate) case: String,
    /// Who was measured: `limitra ..` or a peer.
    pub(crate) subject: String,
    pub(crate) metric: String,
    /// Where on a curve, if it is a point of one.
    pub(crate) at: Option<f64>,
    pub(crate) value: f64,
    pub(crate) unit: String,
    pub(crate) repetitions: usize,
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// Those of each repetition, in their order.
    values: Vec<f64>,
}

impl Row {
    /// The median of these values, of which there is at least one.
    pub(crate) fn of(group: &str, name: &Name, metric: Metric, values: Vec<f64>) -> Self {
        let (min, max) = values
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), value| (value.min(min), value.max(max)));
        Self {
            group: group.to_owned(),
            case: name.case.clone(),
            subject: name.subject.clone(),
            metric: metric.name.to_owned(),
            at: name.at,
            value: median(values.clone()),
            unit: metric.unit.to_owned(),
            repetitions: values.len(),
            min,
            max,
            values,
        }
    }

    /// Of the same case and metric, at the same point.
    pub(crate) fn is_comparable(&self, other: &Self) -> bool {
        self.group == other.group
            && self.case == other.case
            && self.metric == other.metric
            && self.at == other.at
    }

    /// How many times better this is than another of its kind: the median of what it was in each repetition, for a machine that
    /// was slow for a while was so for both.
    pub(crate) fn times_better(&self, other: &Self) -> f64 {
        let times = |own: f64, others: f64| if self.is_rate() { own / others } else { others / own };
        if self.values.is_empty() || self.values.len() != other.values.len() {
            return times(self.value, other.value);
        }
        median(self.values.iter().zip(&other.values).map(|(own, others)| times(*own, *others)).collect())
    }

    /// More is better.
    pub(crate) fn is_rate(&self) -> bool {
        self.unit.ends_with("/s")
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut line = json!({
            "group": self.group, "case": self.case, "subject": self.subject, "metric": self.metric,
            "value": rounded(self.value), "unit": self.unit, "repetitions": self.repetitions,
            "min": rounded(self.min), "max": rounded(self.max),
            "values": self.values.iter().copied().map(rounded).collect::<Vec<f64>>(),
        });
        if let Some(at) = self.at {
            line["at"] = json!(at);
        }
        line
    }

    pub(crate) fn from_json(line: &Value) -> Option<Self> {
        let text = |name: &str| line[name].as_str().map(str::to_owned);
        let number = |name: &str| line[name].as_f64();
        Some(Self {
            group: text("group")?,
            case: text("case")?,
            subject: text("subject")?,
            metric: text("metric")?,
            at: number("at"),
            value: number("value")?,
            unit: text("unit")?,
            repetitions: usize::try_from(line["repetitions"].as_u64()?).ok()?,
            min: number("min")?,
            max: number("max")?,
            // Older ones do not say them.
            values: line["values"].as_array().into_iter().flatten().filter_map(Value::as_f64).collect(),
        })
    }
}

/// The middle one of these values, of which there is at least one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Four digits say more than was measured.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let digits = 10_f64.powf(3.0 - value.abs().log10().floor());
    (value * digits).round() / digits
}

/// Whose figure it is, and of what.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    case: String,
    subject: String,
    at: Option<f64>,
}

impl Name {
    pub(crate) fn new(case: impl Into<String>, subject: impl Into<String>) -> Self {
        Self { case: case.into(), subject: subject.into(), at: None }
    }

    pub(crate) fn at(self, at: f64) -> Self {
        Self { at: Some(at), ..self }
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
}

pub(crate) const TIME: Metric = Metric { name: "time per decision", unit: "ns" };
pub(crate) const RATE: Metric = Metric { name: "decisions a second", unit: "/s" };
pub(crate) const P50: Metric = Metric { name: "p50", unit: "us" };
pub(crate) const P99: Metric = Metric { name: "p99", unit: "us" };
pub(crate) const SERVER_TIME: Metric = Metric { name: "server time per decision", unit: "us" };
pub(crate) const BYTES: Metric = Metric { name: "bytes per key", unit: "bytes" };
pub(crate) const PAUSES: &[Metric] = &[
    Metric { name: "longest call while keys are inserted", unit: "us" },
    Metric { name: "longest call while keys expire", unit: "us" },
];
pub(crate) const ALLOCATIONS: Metric = Metric { name: "allocations per decision", unit: "allocations" };
pub(crate) const ALLOCATIONS_OF_REQUEST: Metric =
    Metric { name: "allocations per request", unit: "allocations" };
pub(crate) const INSTRUCTIONS: Metric = Metric { name: "instructions per decision", unit: "instructions" };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_as_it_was_written() {
        for name in [Name::new("case", "limitra"), Name::new("case", "peer").at(1000.0)] {
            let row = Row::of("memory", &name, TIME, vec![3.0, 1.0, 2.5]);
            assert_eq!((row.value, row.min, row.max, row.repetitions), (2.5, 1.0, 3.0, 3));
            assert_eq!(Row::from_json(&row.to_json()), Some(row));
        }
    }

    #[test]
    fn who_was_slow_at_the_same_time_is_compared_then() {
        let row = |values| Row::of("group", &Name::new("case", "subject"), TIME, values);
        let (ours, peer) = (row(vec![10.0, 40.0, 10.0]), row(vec![20.0, 80.0, 80.0]));
        assert!((ours.times_better(&peer) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn better_is_less_time_or_a_higher_rate() {
        let row = |metric, value| Row::of("group", &Name::new("case", "subject"), metric, vec![value]);
        assert!((row(TIME, 10.0).times_better(&row(TIME, 30.0)) - 3.0).abs() < 1e-9);
        assert!((row(RATE, 30.0).times_better(&row(RATE, 10.0)) - 3.0).abs() < 1e-9);
    }
}
