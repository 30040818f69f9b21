//! This program once more, in a process of its own.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::row::Name;

/// Where this program is.
pub(crate) struct Program {
    path: PathBuf,
}

impl Program {
    pub(crate) fn this() -> Self {
        Self { path: env::current_exe().unwrap() }
    }

    pub(crate) fn path(&self) -> &PathBuf {
        &self.path
    }

    /// The number that it prints.
    pub(crate) fn number(&self, arguments: &[String]) -> f64 {
        let output = Command::new(&self.path).args(arguments).stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", output.status);
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    }

    /// How often each subject of a group allocates, as the program beside this one counts it; it is built if it is not
    /// there. The others' allocator must not count: that would slow who allocates.
    pub(crate) fn allocations(&self, group: &str) -> Option<Vec<(Name, f64)>> {
        const NAME: &str = "limitra-bench-allocations";
        let path = self.path.with_file_name(format!("{NAME}{}", env::consts::EXE_SUFFIX));
        // Cargo sets this for what it runs; `cargo run` builds only what it is told to run.
        if let Some(cargo) = env::var_os("CARGO") {
            let mut build = Command::new(cargo);
            build.args(["build", "-q", "-p", "limitra-bench", "--bin", NAME]);
            if !cfg!(debug_assertions) {
                build.arg("--release");
            }
            build.current_dir(env!("CARGO_MANIFEST_DIR")).status().ok()?;
        }
        let output = Command::new(path).stderr(Stdio::inherit()).output();
        let Some(output) = output.ok().filter(|output| output.status.success()) else {
            eprintln!("{group}: allocations are left out: {NAME} could not be built");
            return None;
        };
        let line = |line: &str| {
            let cells: Vec<&str> = line.split('\t').collect();
            let &[of, case, subject, count] = cells.as_slice() else { panic!("{line}") };
            (of == group).then(|| (Name::new(case, subject), count.parse().unwrap()))
        };
        Some(String::from_utf8(output.stdout).unwrap().lines().filter_map(line).collect())
    }
}

/// Prints what [`Program::allocations`] reads: how often a call allocates, the first one left out.
pub(crate) fn say(
    group: &str,
    case: &str,
    subject: &str,
    count: fn(&mut dyn FnMut()) -> u64,
    call: &mut dyn FnMut(),
) {
    const TIMES: u32 = 100;
    call();
    let allocations = count(&mut || (0..TIMES).for_each(|_| call()));
    println!("{group}\t{case}\t{subject}\t{}", allocations as f64 / f64::from(TIMES));
}
