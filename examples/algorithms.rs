//! Draws `docs/algorithms.svg`: how each algorithm admits the same traffic, by a clock that is set by hand.
//!
//! ```text
//! cargo run --example algorithms
//! ```

use std::fmt::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use limitra::{Algorithm, Error, ManualClock, Micros, RateLimiter};

const REQUESTS: u64 = 10;
const WINDOW: Duration = Duration::from_secs(10);
/// How long each traffic is watched.
const WATCHED: Duration = Duration::from_secs(20);
/// A full ten seconds of the clock: where the slots of the aligned windows begin.
const START: Micros = Micros::new(1_700_000_000_000_000);

/// When somebody asks, counted from the start.
struct Traffic {
    name: &'static str,
    asked: Vec<Duration>,
}

fn traffics() -> [Traffic; 3] {
    let every = |step: u64, from: u64, count: u64| {
        (0..count).map(move |number| Duration::from_millis(from + number * step))
    };
    [
        Traffic {
            name: "Two bursts of 25",
            asked: every(100, 2000, 25).chain(every(100, 13_000, 25)).collect(),
        },
        Traffic { name: "Steady, twice the limit", asked: every(500, 0, 40).collect() },
        Traffic {
            name: "One early, then a burst across 10 s",
            asked: every(0, 500, 1).chain(every(100, 8000, 40)).collect(),
        },
    ]
}

/// What an algorithm is in a few words.
fn words(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::SlidingWindow => "the default",
        Algorithm::FixedWindow => "opens at the first hit",
        Algorithm::FixedWindowAligned => "slots of the clock",
        Algorithm::FixedWindowElasticExpiry => "ends 10 s after any hit",
        Algorithm::MovingWindow => "the exact log",
        Algorithm::TokenBucket => "refills 1 per s",
        Algorithm::LeakyBucket => "drains 1 per s",
        Algorithm::Gcra => "1 per s, 10 ahead",
        _ => "",
    }
}

/// What came of each request of a traffic.
async fn admit(algorithm: Algorithm, traffic: &Traffic) -> Result<Vec<bool>, Error> {
    let clock = ManualClock::at(START);
    let limiter = RateLimiter::builder()
        .algorithm(algorithm)
        .requests(REQUESTS)
        .window(WINDOW)
        .clock(clock.clone())
        .build()?;
    let mut admitted = Vec::new();
    for at in &traffic.asked {
        clock.set(START.plus(Micros::from_duration(*at)));
        admitted.push(limiter.allow_request("ada").await?);
    }
    Ok(admitted)
}

/// The most that passed in any interval of a window's length.
fn most_in_a_window(passed: &[Duration]) -> usize {
    let within = |from: &Duration| passed.iter().filter(|at| *at >= from && **at < *from + WINDOW).count();
    passed.iter().map(within).max().unwrap_or_default()
}

const WIDTH: u32 = 960;
const LEFT: u32 = 180;
const PANEL: u32 = 246;
const GAP: u32 = 14;
const TOP: u32 = 112;
const ROW: u32 = 52;
/// What is marked on the time line.
const SECONDS: [u64; 5] = [0, 5, 10, 15, 20];

const STYLE: &str = "
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .name { font: 600 12px ui-monospace, monospace }
  .head { font-weight: 600 }
  .small { font-size: 11px; fill: #59636e }
  .page { fill: #ffffff; stroke: #d0d7de }
  .line { stroke: #d0d7de }
  .slot { stroke: #8c959f; stroke-dasharray: 3 3 }
  .asked { stroke: #59636e }
  .allowed { stroke: #0969da }
  .refused { stroke: #bc4c00 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .small { fill: #9198a1 }
    .page { fill: #0d1117; stroke: #3d444d }
    .line { stroke: #3d444d }
    .slot { stroke: #656c76 }
    .asked { stroke: #9198a1 }
    .allowed { stroke: #58a6ff }
    .refused { stroke: #f0883e }
  }
";

/// The picture, from top to bottom.
struct Picture(String);

impl Picture {
    fn new(height: u32) -> Result<Self, fmt::Error> {
        let mut picture = Self(String::new());
        writeln!(
            picture.0,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
             height=\"{height}\" role=\"img\" aria-labelledby=\"title\">\n<style>{STYLE}</style>\n\
             <rect class=\"page\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"6\"/>",
            WIDTH - 1,
            height - 1,
        )?;
        Ok(picture)
    }

    fn text(&mut self, class: &str, x: u32, y: u32, text: &str) -> fmt::Result {
        writeln!(self.0, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>")
    }

    fn text_at(&mut self, anchor: &str, x: f64, y: u32, text: &str) -> fmt::Result {
        writeln!(
            self.0,
            "<text class=\"small\" x=\"{x:.1}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>"
        )
    }

    /// The base line of a row in one column, and where the seconds are on it.
    fn grid(&mut self, column: u32, base: u32) -> fmt::Result {
        for seconds in SECONDS {
            let x = across(column, Duration::from_secs(seconds));
            let class = if seconds == 10 { "slot" } else { "line" };
            self.line(class, (x, base - 16), (x, base + 9))?;
        }
        self.line("line", (across(column, Duration::ZERO), base), (across(column, WATCHED), base))
    }

    fn line(&mut self, class: &str, from: (f64, u32), to: (f64, u32)) -> fmt::Result {
        let ((x1, y1), (x2, y2)) = (from, to);
        writeln!(self.0, "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1}\" x2=\"{x2:.1}\" y2=\"{y2}\"/>")
    }

    /// A stroke for each instant, up (or, if negative, down) from a base line.
    fn strokes<'a>(
        &mut self,
        class: &str,
        base: u32,
        up: i32,
        column: u32,
        instants: impl Iterator<Item = &'a Duration>,
    ) -> fmt::Result {
        let mut path = String::new();
        for at in instants {
            write!(path, "M{:.1} {base}v{}", across(column, *at), -up)?;
        }
        if path.is_empty() {
            return Ok(());
        }
        writeln!(self.0, "<path class=\"{class}\" d=\"{path}\"/>")
    }
}

fn start_of(column: u32) -> u32 {
    LEFT + column * (PANEL + GAP)
}

/// Where an instant is in a column.
fn across(column: u32, at: Duration) -> f64 {
    f64::from(start_of(column)) + f64::from(PANEL) * at.as_secs_f64() / WATCHED.as_secs_f64()
}

async fn picture() -> Result<String, Box<dyn std::error::Error>> {
    let traffics = traffics();
    let rows = u32::try_from(Algorithm::ALL.len())? + 1;
    let bottom = TOP + rows * ROW;
    let mut picture = Picture::new(bottom + 40)?;
    writeln!(
        picture.0,
        "<text class=\"title\" id=\"title\" x=\"16\" y=\"30\">{REQUESTS} requests per {} s: how each algorithm \
         admits the same traffic</text>",
        WINDOW.as_secs(),
    )?;
    picture.strokes("allowed", 58, 14, 0, [Duration::ZERO].iter())?;
    picture.text("small", LEFT + 8, 56, "allowed")?;
    let second = Duration::from_secs(5);
    picture.strokes("refused", 49, -7, 0, [second].iter())?;
    picture.text("small", LEFT + 70, 56, "refused")?;
    picture.text("small", LEFT + 130, 56, "dashed: a full ten seconds of the clock")?;

    for (column, traffic) in (0..).zip(&traffics) {
        picture.text("head", start_of(column), 88, traffic.name)?;
        for seconds in SECONDS {
            let anchor = match seconds {
                0 => "start",
                20 => "end",
                _ => "middle",
            };
            let x = across(column, Duration::from_secs(seconds));
            picture.text_at(anchor, x, bottom + 12, &format!("{seconds} s"))?;
        }
        let base = TOP + 24;
        picture.text("small", start_of(column) + 4, TOP + 2, &format!("{} asked", traffic.asked.len()))?;
        picture.grid(column, base)?;
        picture.strokes("asked", base, 14, column, traffic.asked.iter())?;
    }
    picture.text("small", 16, TOP + 22, "the traffic")?;

    for (row, algorithm) in (1..).zip(Algorithm::ALL) {
        let top = TOP + row * ROW;
        let base = top + 24;
        // The longest name is as wide as the column only in two lines.
        let name = algorithm.name();
        let (first, second) =
            name.split_once("_elastic").map_or((name, None), |(first, rest)| (first, Some(rest)));
        picture.text("name", 16, if second.is_some() { top + 2 } else { top + 12 }, first)?;
        if let Some(second) = second {
            picture.text("name", 24, top + 16, &format!("_elastic{second}"))?;
        }
        picture.text("small", 16, if second.is_some() { top + 31 } else { top + 27 }, words(*algorithm))?;
        for (column, traffic) in (0..).zip(&traffics) {
            let admitted = admit(*algorithm, traffic).await?;
            let that_were = |wanted: bool| {
                let pairs = traffic.asked.iter().zip(&admitted);
                pairs.filter(move |(_, allowed)| **allowed == wanted).map(|(at, _)| at)
            };
            let passed: Vec<Duration> = that_were(true).copied().collect();
            let most = most_in_a_window(&passed);
            let text = format!("{} allowed, at most {most} in any 10 s", passed.len());
            picture.text("small", start_of(column) + 4, top + 2, &text)?;
            picture.grid(column, base)?;
            picture.strokes("allowed", base, 14, column, that_were(true))?;
            picture.strokes("refused", base, -7, column, that_were(false))?;
        }
    }
    picture.0.push_str("</svg>\n");
    Ok(picture.0)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/algorithms.svg");
    std::fs::write(&file, picture().await?)?;
    println!("drawn: {}", file.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_picture_in_the_guide_is_what_the_algorithms_do() {
        let drawn = picture().await.expect("it can be drawn");
        let kept = include_str!("../docs/algorithms.svg");
        assert!(drawn == kept, "docs/algorithms.svg is not what this draws: cargo run --example algorithms");
    }
}
