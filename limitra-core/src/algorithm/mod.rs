//! The algorithms: pure arithmetic over integers, with no clock and no I/O.
//!
//! Each is one file with the same five functions, and one line in the table below:
//!
//! * `step(rule, state, now, cost)`: whether a hit is allowed, and what to keep in either case;
//! * `give_back(rule, state, receipt, now, cost)`: what to keep if a charge is undone that left the state `receipt`, or `None`
//!   where nothing of it is left;
//! * `remaining(limit, state, now)`: whole units left;
//! * `allowed_at(limit, state, now, cost)`: the first instant at which that cost is allowed;
//! * `reset_at(limit, state, now)`: the instant from which nothing is used any more.
//!
//! The last three are worked out from the state that a step left, in Rust, for every storage.

mod bucket;
mod fixed_window;
mod fixed_window_aligned;
mod fixed_window_elastic_expiry;
mod moving_window;
mod name;
mod sliding_window;

pub use name::AlgorithmName;

use std::fmt;
use std::str::FromStr;

use crate::error::ConfigurationError;
use crate::limit::Limit;
use crate::rule::Rule;
use crate::state::{State, Step};
use crate::time::Micros;

/// The table of algorithms: variant, stable number (in records), name, module, Lua twin.
macro_rules! algorithms {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal, $module:ident, $twin:literal;)*) => {
        /// How a limit is held; the name is what `algorithm = ".."`, `FromStr` and `Display` use.
        ///
        /// ```
        /// use limitra_core::Algorithm;
        ///
        /// let algorithm: Algorithm = "token-bucket".parse()?;
        /// assert_eq!(algorithm, Algorithm::TokenBucket);
        /// assert_eq!(algorithm.to_string(), "token_bucket");
        /// assert_eq!(Algorithm::default(), Algorithm::SlidingWindow);
        /// # Ok::<(), limitra_core::ConfigurationError>(())
        /// ```
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Algorithm { $($(#[$doc])* $variant,)* }

        impl Algorithm {
            /// Every algorithm, the default first.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name, such as `sliding_window`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The number that stands for it in a stored record.
            pub(crate) const fn number(self) -> u8 {
                match self { $(Self::$variant => $number,)* }
            }

            /// The Lua twin of its step: statements, not a function; see `prelude.lua`.
            #[cfg(feature = "redis")]
            pub(crate) const fn twin(self) -> &'static str {
                match self { $(Self::$variant => include_str!($twin),)* }
            }

            /// Decides one hit or test of `cost` at `now` against `state`.
            pub(crate) fn step(rule: &Rule, state: &State, now: Micros, cost: u64) -> Step {
                match rule.algorithm() { $(Self::$variant => $module::step(rule, state, now, cost),)* }
            }

            /// What to keep of `state` if a charge of `cost` is undone that left the state `receipt`; `None` if nothing of it is
            /// left in it. [`State::default`] if nothing else is.
            pub(crate) fn give_back(
                rule: &Rule,
                state: &State,
                receipt: &State,
                now: Micros,
                cost: u64,
            ) -> Option<State> {
                match rule.algorithm() { $(Self::$variant => $module::give_back(rule, state, receipt, now, cost),)* }
            }

            /// Whole units left at `now`.
            pub(crate) fn remaining(self, limit: &Limit, state: &State, now: Micros) -> u64 {
                match self { $(Self::$variant => $module::remaining(limit, state, now),)* }
            }

            /// The first instant at which `cost`, refused at `now`, is allowed if nothing else is asked.
            pub(crate) fn allowed_at(self, limit: &Limit, state: &State, now: Micros, cost: u64) -> Micros {
                match self { $(Self::$variant => $module::allowed_at(limit, state, now, cost),)* }
            }

            /// The first instant at which all is free again if nothing else is asked.
            pub(crate) fn reset_at(self, limit: &Limit, state: &State, now: Micros) -> Micros {
                match self { $(Self::$variant => $module::reset_at(limit, state, now),)* }
            }
        }
    };
}

algorithms! {
    /// Two counters of clock-aligned windows, the older one weighted by how much of it the last
    /// window still covers. Smooth, small, near the exact log: the default.
    #[default]
    SlidingWindow = 1, "sliding_window", sliding_window, "sliding_window.lua";
    /// One counter for a window that opens at the first allowed hit.
    FixedWindow = 2, "fixed_window", fixed_window, "fixed_window.lua";
    /// One counter for each slot of the clock (every full minute, say).
    FixedWindowAligned = 3, "fixed_window_aligned", fixed_window_aligned, "fixed_window_aligned.lua";
    /// One counter that is forgotten only after a whole window without any hit, refused ones included.
    FixedWindowElasticExpiry = 4, "fixed_window_elastic_expiry", fixed_window_elastic_expiry, "fixed_window_elastic_expiry.lua";
    /// The exact log: never more than the amount in any window.
    MovingWindow = 5, "moving_window", moving_window, "moving_window.lua";
    /// Tokens that refill continuously, at most `burst` of them.
    TokenBucket = 6, "token_bucket", bucket, "bucket.lua";
    /// A level that drains continuously and may not overflow (as a meter: nothing is delayed).
    LeakyBucket = 7, "leaky_bucket", bucket, "bucket.lua";
    /// The generic cell rate algorithm: a theoretical arrival time that may run ahead by the burst.
    Gcra = 8, "gcra", bucket, "bucket.lua";
}

impl Algorithm {
    /// Whether it is one of the bucket family, which alone knows a burst.
    pub const fn is_bucket(self) -> bool {
        matches!(self, Self::TokenBucket | Self::LeakyBucket | Self::Gcra)
    }

    /// Whole units left at `now`, and the first instant at which more is, if nothing else is asked; `now` if nothing is used.
    pub(crate) fn left(self, limit: &Limit, state: &State, now: Micros) -> (u64, Micros) {
        if self.is_bucket() {
            return bucket::left(limit, state, now);
        }
        let left = self.remaining(limit, state, now);
        (left, self.frees_at(limit, state, now, left))
    }

    /// The first instant at which more is left than at `now`, when this much is, if nothing else is asked; `now` if nothing is
    /// used.
    pub(crate) fn frees_at(self, limit: &Limit, state: &State, now: Micros, left: u64) -> Micros {
        if left >= limit.capacity() {
            now
        } else if self.keeps_log() {
            moving_window::frees_at(limit, state, now)
        } else {
            self.allowed_at(limit, state, now, left + 1)
        }
    }

    /// Whether it keeps instants beside its state.
    pub(crate) const fn keeps_log(self) -> bool {
        matches!(self, Self::MovingWindow)
    }

    /// Whether a refused hit makes the next one wait longer.
    pub(crate) const fn counts_refusals(self) -> bool {
        matches!(self, Self::FixedWindowElasticExpiry)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = ConfigurationError;

    /// Takes the name, with hyphens for underscores too, and `sliding_window_counter`.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let wanted = name.replace('-', "_");
        if wanted == "sliding_window_counter" {
            return Ok(Self::SlidingWindow);
        }
        let found = Self::ALL.iter().copied().find(|algorithm| algorithm.name() == wanted);
        found.ok_or_else(|| ConfigurationError::UnknownAlgorithm { name: name.to_owned() })
    }
}
