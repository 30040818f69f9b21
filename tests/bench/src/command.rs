//! What the command line asks for.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::curves;
use crate::http;
use crate::instructions;
use crate::memory;
use crate::page;
use crate::program::Program;
use crate::redis;
use crate::report;
use crate::row::Row;
use crate::rows::Rows;
use crate::scale::Scale;

const USAGE: &str = "cargo run --release -p limitra-bench -- GROUP .. [--quick] [--out FOLDER]
       cargo run -p limitra-bench -- draw
  draw        writes the tables and pictures in docs/ anew, from docs/performance/rows.jsonl
  GROUP       memory, redis, http, curves, instructions, or all of them
  --quick     fewer repetitions of less
  --out       where rows.jsonl is kept (default: docs/performance); what other groups left there stays";

/// What measures a group.
type Measure = fn(Scale, &Program) -> Vec<Row>;

const GROUPS: &[(&str, Measure)] = &[
    (memory::GROUP, memory::measure),
    (redis::GROUP, redis::measure),
    (http::GROUP, http::measure),
    (curves::GROUP, curves::measure),
    (instructions::GROUP, instructions::measure),
];

/// Does what the command line asks for.
pub fn run() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let Some((first, rest)) = arguments.split_first()
        && let Some(part) = part(first)
    {
        return part(rest).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    if arguments == ["draw"] {
        for file in page::write().unwrap() {
            println!("written: {}", file.canonicalize().unwrap().display());
        }
        return ExitCode::SUCCESS;
    }
    let Some(wish) = Wish::of(&arguments) else {
        eprintln!("{USAGE}");
        return ExitCode::FAILURE;
    };
    wish.fulfil();
    ExitCode::SUCCESS
}

/// Takes the rest of the arguments, and says nothing where it does not understand them.
type Part = fn(&[String]) -> Option<()>;

/// What this program does for itself in a process of its own.
fn part(name: &str) -> Option<Part> {
    match name {
        memory::BYTES_ARGUMENT => Some(memory::print_bytes),
        http::ARGUMENT => Some(http::print_one),
        instructions::ARGUMENT => Some(instructions::run),
        _ => None,
    }
}

struct Wish {
    groups: Vec<(&'static str, Measure)>,
    scale: Scale,
    folder: PathBuf,
    command: String,
}

impl Wish {
    fn of(arguments: &[String]) -> Option<Self> {
        let command = arguments.join(" ");
        let mut wish = Self { groups: Vec::new(), scale: Scale::FULL, folder: published(), command };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => wish.scale = Scale::QUICK,
                "--tiny" => wish.scale = Scale::TINY,
                "--out" => wish.folder = arguments.next()?.into(),
                "all" => wish.groups.extend(GROUPS),
                name => wish.groups.push(*GROUPS.iter().find(|(group, _)| *group == name)?),
            }
        }
        (!wish.groups.is_empty()).then_some(wish)
    }

    fn fulfil(&self) {
        if cfg!(debug_assertions) || self.scale.is_tiny() {
            eprintln!("these figures mean nothing: cargo run --release -p limitra-bench");
        }
        let file = self.folder.join("rows.jsonl");
        let program = Program::this();
        let mut rows = Rows::read(&file).unwrap_or_default();
        for (group, measure) in &self.groups {
            rows.replace(group, self.about(), measure(self.scale, &program));
            rows.write(&file).unwrap();
            println!("\n{group}: {}\n", self.about());
            println!("{}", report::table(rows.of_group(group)));
        }
        println!("rows: {}", file.display());
    }

    /// On what, when and how these rows are measured.
    fn about(&self) -> String {
        let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model =
            cpu.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split(": ").nth(1));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        format!(
            "{cores} x {}, {}, {}, commit {}; {}: `cargo run --release -p limitra-bench -- {}`",
            model.unwrap_or("an unknown processor"),
            said("uname", &["-sr"]),
            said("rustc", &["--version"]),
            said("git", &["describe", "--always", "--dirty"]),
            said("date", &["-u", "+%Y-%m-%d"]),
            self.command,
        )
    }
}

/// Where the published rows are.
pub(crate) fn published() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/performance")
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    output.map_or_else(
        |_| format!("no {program}"),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
