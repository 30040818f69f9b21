//! A line chart of one curve, as SVG.

use std::fmt::Write as _;

use crate::report::figure;
use crate::row::Row;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 36.0;
const TOP: f64 = 92.0;
const BOTTOM: f64 = 56.0;

const STYLE: &str = "
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .small { font-size: 12px; fill: #59636e }
  .page { fill: #ffffff; stroke: #d1d9e0 }
  .grid { stroke: #d1d9e0 }
  .curve { fill: none; stroke-width: 2 }
  .c0 { stroke: #0969da } .c1 { stroke: #1a7f37 } .c2 { stroke: #bc4c00 } .c3 { stroke: #8250df }
  .d0 { fill: #0969da } .d1 { fill: #1a7f37 } .d2 { fill: #bc4c00 } .d3 { fill: #8250df }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .small { fill: #9198a1 }
    .page { fill: #0d1117; stroke: #3d444d }
    .grid { stroke: #3d444d }
    .c0 { stroke: #58a6ff } .c1 { stroke: #3fb950 } .c2 { stroke: #f0883e } .c3 { stroke: #bc8cff }
    .d0 { fill: #58a6ff } .d1 { fill: #3fb950 } .d2 { fill: #f0883e } .d3 { fill: #bc8cff }
  }
";
const COLOURS: usize = 4;

/// From the least to the greatest of what is shown, by powers of ten or evenly.
struct Axis {
    from: f64,
    to: f64,
    is_even: bool,
}

impl Axis {
    fn of(values: impl Iterator<Item = f64> + Clone, is_even: bool) -> Self {
        let least = values.clone().fold(f64::INFINITY, f64::min);
        let greatest = values.fold(f64::NEG_INFINITY, f64::max);
        Self { from: least, to: greatest, is_even }
    }

    /// The axis that ends at full steps.
    fn rounded(self) -> Self {
        let floor = |value: f64| steps().rev().find(|step| *step <= value * 1.0001).unwrap_or(value);
        let ceiling = |value: f64| steps().find(|step| *step >= value * 0.9999).unwrap_or(value);
        Self { from: floor(self.from), to: ceiling(self.to), ..self }
    }

    /// Where a value is between 0 and 1.
    fn share(&self, value: f64) -> f64 {
        let (from, to, value) = if self.is_even {
            (self.from, self.to, value)
        } else {
            (self.from.log10(), self.to.log10(), value.log10())
        };
        if to > from { (value - from) / (to - from) } else { 0.5 }
    }
}

/// 1, 2, 5, 10 and so on, in ascending order.
fn steps() -> impl DoubleEndedIterator<Item = f64> {
    (-2..10).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)))
}

/// Draws the rows of one case and metric: a line for each subject, from the least point to the greatest.
pub(crate) fn draw(title: &str, across: &str, rows: &[&Row]) -> String {
    let points = || rows.iter().filter_map(|row| row.at.map(|at| (at, row.value)));
    let is_even = points().all(|(at, _)| at <= 10.0);
    let x = Axis::of(points().map(|(at, _)| at), is_even);
    let y = Axis::of(points().map(|(_, value)| value), false).rounded();
    let at_x = |value: f64| LEFT + x.share(value) * (WIDTH - LEFT - RIGHT);
    let at_y = |value: f64| HEIGHT - BOTTOM - y.share(value) * (HEIGHT - BOTTOM - TOP);

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
         height=\"{HEIGHT}\" role=\"img\" aria-labelledby=\"title\">\n<style>{STYLE}</style>\n\
         <rect class=\"page\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"6\"/>\n\
         <text class=\"title\" id=\"title\" x=\"16\" y=\"30\">{title}</text>\n",
        WIDTH - 1.0,
        HEIGHT - 1.0,
    );
    let unit = rows.first().map_or("", |row| row.unit.as_str());
    for value in steps().filter(|step| (y.from * 0.9999..=y.to * 1.0001).contains(step)) {
        let height = at_y(value);
        line(&mut svg, (LEFT, height), (WIDTH - RIGHT, height));
        text(&mut svg, "end", LEFT - 8.0, height + 4.0, &figure(value, unit));
    }
    let mut shown: Vec<f64> = points().map(|(at, _)| at).collect();
    shown.sort_by(f64::total_cmp);
    shown.dedup();
    for value in shown {
        line(&mut svg, (at_x(value), TOP), (at_x(value), HEIGHT - BOTTOM));
        text(&mut svg, "middle", at_x(value), HEIGHT - BOTTOM + 18.0, &count(value));
    }
    text(&mut svg, "middle", (LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 12.0, across);

    let mut subjects: Vec<&str> = Vec::new();
    for row in rows {
        if !subjects.contains(&row.subject.as_str()) {
            subjects.push(&row.subject);
        }
    }
    for (index, subject) in subjects.iter().enumerate() {
        let colour = index % COLOURS;
        // Two names in a row.
        let (left, top) = (LEFT + 330.0 * (index % 2) as f64, 52.0 + 18.0 * (index / 2) as f64);
        writeln!(svg, "<circle class=\"d{colour}\" cx=\"{left:.1}\" cy=\"{:.1}\" r=\"4\"/>", top - 4.0)
            .unwrap();
        text(&mut svg, "start", left + 10.0, top, subject);
        let mut path = String::new();
        for (at, value) in
            rows.iter().filter(|row| row.subject == *subject).filter_map(|row| Some((row.at?, row.value)))
        {
            let (left, top) = (at_x(at), at_y(value));
            let stroke = if path.is_empty() { 'M' } else { 'L' };
            write!(path, "{stroke}{left:.1} {top:.1}").unwrap();
            writeln!(svg, "<circle class=\"d{colour}\" cx=\"{left:.1}\" cy=\"{top:.1}\" r=\"3\"/>").unwrap();
        }
        writeln!(svg, "<path class=\"curve c{colour}\" d=\"{path}\"/>").unwrap();
    }
    svg + "</svg>\n"
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    writeln!(svg, "<line class=\"grid\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>")
        .unwrap();
}

fn text(svg: &mut String, anchor: &str, x: f64, y: f64, text: &str) {
    writeln!(svg, "<text class=\"small\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>")
        .unwrap();
}

/// 1,000 as 1 k, 1,000,000 as 1 M.
pub(crate) fn count(value: f64) -> String {
    match value {
        _ if value % 1e6 == 0.0 => format!("{} M", value / 1e6),
        _ if value % 1e3 == 0.0 => format!("{} k", value / 1e3),
        _ => value.to_string(),
    }
}
