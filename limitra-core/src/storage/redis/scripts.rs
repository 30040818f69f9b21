//! The scripts, composed from the algorithms' Lua twins.

use once_cell::sync::Lazy;

use crate::algorithm::Algorithm;
use crate::attempt::Subject;

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

struct Scripts {
    /// One for every algorithm alone, by its place in [`Algorithm::ALL`].
    alone: Vec<Script>,
    each: Script,
    atomic: Script,
    give_back: Script,
}

static SCRIPTS: Lazy<Scripts> = Lazy::new(|| Scripts {
    alone: Algorithm::ALL.iter().map(|algorithm| compose_alone(*algorithm)).collect(),
    each: compose(&[
        &steps(Algorithm::ALL),
        &each(include_str!("script/few.lua"), include_str!("script/step.lua")),
    ]),
    atomic: compose(&[&steps(Algorithm::ALL), include_str!("script/atomic.lua")]),
    give_back: compose(&[include_str!("script/give_back.lua")]),
});

/// The script for subjects that are decided together: all of them or none.
pub(super) fn for_subjects(subjects: &[Subject<'_>]) -> &'static Script {
    let [subject] = subjects else {
        return &SCRIPTS.atomic;
    };
    let [rule] = &*subject.rules else {
        return &SCRIPTS.each;
    };
    let place = Algorithm::ALL.iter().position(|algorithm| *algorithm == rule.algorithm());
    place.and_then(|place| SCRIPTS.alone.get(place)).unwrap_or(&SCRIPTS.each)
}

/// The script for subjects that are decided each for itself.
pub(super) fn for_each() -> &'static Script {
    &SCRIPTS.each
}

/// The script that gives back.
pub(super) fn for_refunds() -> &'static Script {
    &SCRIPTS.give_back
}

/// What decides each for itself by one algorithm: its twin stands where it is needed, and is called by the general way alone,
/// for to make a function takes a server longer than to decide. A moving window has a short way of its own.
fn compose_alone(algorithm: Algorithm) -> Script {
    let way =
        if algorithm.keeps_log() { include_str!("script/log.lua") } else { include_str!("script/few.lua") };
    let general = steps(&[algorithm]) + GENERAL;
    compose(&[&each(way, algorithm.twin()).replace(GENERAL, &general)])
}

/// What decides each for itself, by this short way and this step.
fn each(way: &str, step: &str) -> String {
    include_str!("script/each.lua").replace("--> short way\n", way).replace("--> step\n", step)
}

/// A table of functions, one for each algorithm by its number.
fn steps(algorithms: &[Algorithm]) -> String {
    let step = |algorithm: &Algorithm| {
        let function = include_str!("script/function.lua").replace("--> step\n", algorithm.twin());
        format!("[{}] = {function}", algorithm.number())
    };
    let steps: Vec<String> = algorithms.iter().map(step).collect();
    format!("local steps = {{\n{}}}\n", steps.join(",\n"))
}

const GENERAL: &str = "--> general.lua\n";

/// The prelude, these parts, and what they name.
fn compose(parts: &[&str]) -> Script {
    let text = [include_str!("script/prelude.lua")].iter().chain(parts).copied().collect::<String>();
    let text = text.replace(GENERAL, include_str!("script/general.lua"));
    let text = text.replace("--> span.lua\n", include_str!("script/span.lua"));
    Script::new(text.replace("--> lifetime.lua\n", include_str!("script/lifetime.lua")))
}
