//! Cases that take turns.

use crate::row::{Metric, Name, Row, TIME};

/// What runs one case once: a value for each of its metrics.
type Run<'a> = Box<dyn FnMut() -> Vec<f64> + 'a>;

struct Case<'a> {
    name: Name,
    metrics: &'static [Metric],
    run: Run<'a>,
    values: Vec<Vec<f64>>,
}

/// The cases of a group: each repetition runs every case once, so that what disturbs the machine disturbs them alike.
pub(crate) struct Rounds<'a> {
    group: &'static str,
    cases: Vec<Case<'a>>,
}

impl<'a> Rounds<'a> {
    pub(crate) fn new(group: &'static str) -> Self {
        Self { group, cases: Vec::new() }
    }

    /// Adds a case that is measured in nanoseconds per decision.
    pub(crate) fn time(&mut self, name: Name, mut run: impl FnMut() -> f64 + 'a) {
        self.add(name, &[TIME], move || vec![run()]);
    }

    /// Adds a case with a value for each of these metrics.
    pub(crate) fn add(&mut self, name: Name, metrics: &'static [Metric], run: impl FnMut() -> Vec<f64> + 'a) {
        self.cases.push(Case { name, metrics, run: Box::new(run), values: Vec::new() });
    }

    /// Runs every case `repetitions` times, every second time from the last to the first.
    pub(crate) fn run(mut self, repetitions: usize) -> Vec<Row> {
        for repetition in 0..repetitions {
            eprintln!("{}: repetition {} of {repetitions}", self.group, repetition + 1);
            if repetition % 2 == 0 {
                self.cases.iter_mut().for_each(Case::once);
            } else {
                self.cases.iter_mut().rev().for_each(Case::once);
            }
        }
        self.cases.iter().flat_map(|case| case.rows(self.group)).collect()
    }
}

impl Case<'_> {
    fn once(&mut self) {
        self.values.push((self.run)());
    }

    fn rows(&self, group: &str) -> Vec<Row> {
        let row = |(index, metric): (usize, &Metric)| {
            let values = self.values.iter().map(|values| values[index]).collect();
            Row::of(group, &self.name, *metric, values)
        };
        self.metrics.iter().enumerate().map(row).collect()
    }
}
