//! What a decision of limitra costs, beside its peers: see `docs/performance.md`.

use std::process::ExitCode;

fn main() -> ExitCode {
    limitra_bench::run()
}
