//! Peers in other languages, where they are installed.

use std::env;
use std::process::{Command, Stdio};

use limitra_tests::RedisServer;

use crate::rounds::Rounds;
use crate::row::{Name, RATE};
use crate::scale::Scale;

/// A language, and a peer in it.
struct Language {
    subject: &'static str,
    /// The variable that names another interpreter.
    variable: &'static str,
    interpreter: &'static str,
    /// How a script is given as an argument.
    evaluate: &'static str,
    script: &'static str,
}

const LANGUAGES: [Language; 2] = [
    Language {
        subject: "Python limits, fixed window",
        variable: "LIMITRA_BENCH_PYTHON",
        interpreter: "python3",
        evaluate: "-c",
        script: include_str!("scripts/limits.py"),
    },
    Language {
        subject: "Node rate-limiter-flexible, fixed window",
        variable: "LIMITRA_BENCH_NODE",
        interpreter: "node",
        evaluate: "-e",
        script: include_str!("scripts/flexible.js"),
    },
];

impl Language {
    fn command(&self) -> Command {
        Command::new(env::var_os(self.variable).unwrap_or_else(|| self.interpreter.into()))
    }

    /// Whether it can be measured: a round of no time tells.
    fn is_there(&self, url: &str) -> bool {
        let is_there = self.rate(&[url, "1", "0", "many"].map(str::to_owned)).is_some();
        if !is_there {
            eprintln!(
                "redis: {} is left out: it does not run with {} ({} names another)",
                self.subject, self.interpreter, self.variable
            );
        }
        is_there
    }

    fn rate(&self, arguments: &[String]) -> Option<f64> {
        let mut run = self.command();
        run.args([self.evaluate, self.script]);
        if self.evaluate == "-e" {
            run.arg("--");
        }
        let output = run.args(arguments).stderr(Stdio::null()).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    }
}

pub(super) fn add(rounds: &mut Rounds<'_>, scale: Scale, server: &RedisServer) {
    let (url, seconds) = (server.url(), scale.round().as_secs_f64().to_string());
    for language in &LANGUAGES {
        if !language.is_there(&url) {
            continue;
        }
        for (case, tasks) in [("1 task, 1 worker thread", "1"), ("64 tasks, 1 worker thread", "64")] {
            let arguments = [&url, tasks, &seconds, "many"].map(str::to_owned);
            rounds.add(Name::new(case, language.subject), &[RATE], move || {
                vec![language.rate(&arguments).unwrap()]
            });
        }
    }
    let node = &LANGUAGES[1];
    if node.is_there(&url) {
        let arguments = [&url, "64", &seconds, "none"].map(str::to_owned);
        let name = Name::new(super::exceeded::CASE, "Node rate-limiter-flexible, blocked in memory");
        rounds.add(name, &[RATE], move || vec![node.rate(&arguments).unwrap()]);
    }
}
