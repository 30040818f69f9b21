//! A clock that is wrong, for one process.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Stands before the C library: the same calls, with the wall clock shifted. Monotonic time is as it was.
const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long long shift(void) {
    const char *seconds = getenv("LIMITRA_TESTS_CLOCK_SHIFT");
    return seconds ? atoll(seconds) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += shift();
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &exact) != 0) return -1;
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (result) *result = exact.tv_sec;
    return exact.tv_sec;
}
"#;

/// Makes programs see another wall clock (`LD_PRELOAD`, so on Linux only); built by the C compiler.
#[derive(Clone, Debug)]
pub struct ShiftedClock {
    library: PathBuf,
}

impl ShiftedClock {
    /// Builds what is to be loaded, in this folder.
    pub fn in_folder(folder: &Path) -> Self {
        let (source, library) = (folder.join("shifted_clock.c"), folder.join("shifted_clock.so"));
        std::fs::write(&source, SOURCE).expect("a file cannot be written");
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let status = Command::new(compiler)
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &source])
            .status()
            .expect("the C compiler cannot be run: ./tests/run installs it, CC names another");
        assert!(status.success(), "the shifted clock cannot be compiled");
        Self { library }
    }

    /// The environment of a program whose clock is ahead by so many seconds (behind, if negative).
    pub fn environment(&self, seconds: i64) -> [(&'static str, OsString); 2] {
        [
            ("LD_PRELOAD", self.library.clone().into()),
            ("LIMITRA_TESTS_CLOCK_SHIFT", seconds.to_string().into()),
        ]
    }

    /// The environment of a server with this folder whose clock is ahead by this much, if by anything.
    pub(crate) fn ahead(
        folder: &Path,
        by: Option<Duration>,
    ) -> impl Iterator<Item = (&'static str, OsString)> {
        let seconds = |by: Duration| {
            i64::try_from(by.as_secs()).expect("a clock that is ahead by less than an eternity")
        };
        by.into_iter().flat_map(move |by| Self::in_folder(folder).environment(seconds(by)))
    }
}
