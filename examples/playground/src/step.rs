//! What a page asks for next, and what it is told.

use serde::{Deserialize, Serialize};

use crate::pane::{Mark, Mistake, PaneState};
use crate::traffic::{Instant, SECOND, Traffic};

/// What happens next.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    pub(crate) traffic: Traffic,
    /// How many requests each client sends right now.
    #[serde(default)]
    pub(crate) at_once: u32,
    /// How far the clock goes on, in microseconds.
    #[serde(default)]
    pub(crate) advance: u64,
}

impl Step {
    /// The farthest that one step goes: two days.
    pub(crate) const FARTHEST: u64 = 2 * 86_400 * SECOND;

    /// What is wrong with it, if anything is.
    pub(crate) fn mistake(&self) -> Option<Mistake> {
        if let Some(message) = self.traffic.mistake() {
            return Some(Mistake::new("traffic", &message));
        }
        if self.at_once > Traffic::LARGEST {
            let message = format!("at most {} at once, not {}", Traffic::LARGEST, self.at_once);
            return Some(Mistake::new("at_once", &message));
        }
        (self.advance > Self::FARTHEST)
            .then(|| Mistake::new("advance", &format!("at most {} microseconds at once", Self::FARTHEST)))
    }
}

/// What came of a step.
#[derive(Debug, Serialize)]
pub(crate) struct Frame {
    /// The clock: earlier than asked for if too many requests were due.
    pub(crate) now: Instant,
    pub(crate) panes: Vec<PaneFrame>,
}

/// What came of a step on one side.
#[derive(Debug, Serialize)]
pub(crate) struct PaneFrame {
    #[serde(flatten)]
    pub(crate) seen: PaneSeen,
    pub(crate) state: PaneState,
}

/// What happened on one side.
#[derive(Debug, Default, Serialize)]
pub(crate) struct PaneSeen {
    pub(crate) marks: Vec<Mark>,
    /// What each client had left at some instants.
    pub(crate) levels: Vec<(Instant, Vec<f64>)>,
}
