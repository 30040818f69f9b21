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
    alone: Algorithm::ALL.iter().map(|algorithm| compose_each(&[*algorithm])).collect(),
    each: compose_each(Algorithm::ALL),
    atomic: compose(Algorithm::ALL, include_str!("script/atomic.lua")),
    give_back: compose(&[], include_str!("script/give_back.lua")),
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

/// What decides each for itself: a moving window alone has a short way of its own, all others have one in common.
fn compose_each(algorithms: &[Algorithm]) -> Script {
    let way = match algorithms {
        [algorithm] if algorithm.keeps_log() => include_str!("script/log.lua"),
        _ => include_str!("script/few.lua"),
    };
    compose(algorithms, &include_str!("script/each.lua").replace("--> short way\n", way))
}

/// The prelude, the twins, and what is done with them.
fn compose(algorithms: &[Algorithm], body: &str) -> Script {
    let mut parts: Vec<&str> = vec![include_str!("script/prelude.lua")];
    for part in algorithms.iter().flat_map(|algorithm| algorithm.twins()) {
        if !parts.contains(part) {
            parts.push(part);
        }
    }
    let step = |algorithm: &Algorithm| format!("[{}] = {}", algorithm.number(), algorithm.twin());
    let steps: Vec<String> = algorithms.iter().map(step).collect();
    let steps = format!("local steps = {{{}}}", steps.join(", "));
    let body = body.replace("--> general.lua\n", include_str!("script/general.lua"));
    parts.extend([steps.as_str(), &body]);
    Script::new(parts.join("\n"))
}
