//! What breaks on real servers while callers go on calling: they get their answers in time, no more is admitted than is
//! promised, and once it is mended the same limiter decides again.
//!
//! `LIMITRA_FAULTS_TABLE=path` appends what was measured to a file, a row for each fault and policy.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod load;
mod names;
mod redis_answers;
mod redis_silence;
mod seen;
