//! The scripts, composed from the algorithms' Lua twins.

use once_cell::sync::Lazy;

use crate::algorithm::Algorithm;
use crate::attempt::Attempt;

/// A script and the SHA-1 by which a server that has seen it knows it.
pub(super) struct Script {
    text: String,
    hash: String,
}

impl Script {
    pub(super) fn new(text: String) -> Self {
        let hash = ::redis::Script::new(&text).get_hash().to_owned();
        Self { text, hash }
    }

    pub(super) fn hash(&self) -> &str {
        &self.hash
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// One script for every algorithm alone, by its place in [`Algorithm::ALL`], and one for all of them.
static SCRIPTS: Lazy<(Vec<Script>, Script)> = Lazy::new(|| {
    let alone = Algorithm::ALL.iter().map(|algorithm| alone(*algorithm)).collect();
    (alone, general(Algorithm::ALL))
});

/// The script for an attempt: a lean one for one rule of one subject, the general one for more.
pub(super) fn for_attempt(attempt: &Attempt<'_>) -> &'static Script {
    let (alone, general) = &*SCRIPTS;
    let [subject] = attempt.subjects else {
        return general;
    };
    let [rule] = &*subject.rules else {
        return general;
    };
    let place = Algorithm::ALL.iter().position(|algorithm| *algorithm == rule.algorithm());
    place.and_then(|place| alone.get(place)).unwrap_or(general)
}

/// One algorithm, with a short way for a record of one rule; a moving window's log is never read whole.
fn alone(algorithm: Algorithm) -> Script {
    let lean = if algorithm == Algorithm::MovingWindow { "" } else { include_str!("script/lean.lua") };
    compose(&[algorithm], lean)
}

fn general(algorithms: &[Algorithm]) -> Script {
    compose(algorithms, "")
}

fn compose(algorithms: &[Algorithm], lean: &'static str) -> Script {
    let mut parts: Vec<&'static str> = vec![include_str!("script/prelude.lua")];
    for part in algorithms.iter().flat_map(|algorithm| algorithm.twins()) {
        if !parts.contains(part) {
            parts.push(part);
        }
    }
    parts.push(lean);
    parts.push(include_str!("script/general.lua"));
    Script::new(parts.join("\n"))
}
