//! When requests are sent: exact instants, so that a run can be repeated.

use serde::Deserialize;

/// Microseconds of the page's clock.
pub(crate) type Instant = u64;
pub(crate) const SECOND: u64 = 1_000_000;

/// How requests arrive. Every client sends the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "pattern", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Traffic {
    /// Only what is sent by hand.
    ByHand,
    /// Evenly, so many in so many seconds; clients take turns.
    Steady { requests: u32, seconds: u32 },
    /// So many at one instant, every so many seconds.
    Bursts { size: u32, seconds: u32 },
    /// One request that opens a window, then so many just before its end and so many at its end; again after two quiet windows.
    Boundary { size: u32 },
}

/// Requests of one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wave {
    /// When, counted from the beginning of the traffic.
    pub(crate) at: Instant,
    /// How many from each client who sends.
    pub(crate) size: u32,
    /// Who sends; all if nobody is named.
    pub(crate) client: Option<usize>,
}

impl Traffic {
    /// The most requests a second of a client.
    const FASTEST: u32 = 200;
    /// The most requests of a client at one instant.
    pub(crate) const LARGEST: u32 = 1000;
    /// The most seconds that can be said.
    const LONGEST: u32 = 86_400;

    /// What is wrong with it, if anything is.
    pub(crate) fn mistake(&self) -> Option<String> {
        let within = |what: &str, number: u32, most: u32| {
            let fits = (1..=most).contains(&number);
            (!fits).then(|| format!("{what} must be from 1 to {most}, not {number}"))
        };
        match *self {
            Self::ByHand => None,
            Self::Steady { requests, seconds } => within("seconds", seconds, Self::LONGEST)
                .or_else(|| within("requests", requests, Self::FASTEST.saturating_mul(seconds))),
            Self::Bursts { size, seconds } => within("seconds", seconds, Self::LONGEST)
                .or_else(|| within("the size of a burst", size, Self::LARGEST)),
            Self::Boundary { size } => within("the size of a burst", size, Self::LARGEST),
        }
    }

    /// When it begins if it is chosen at this instant: at once, or where a slot of the clock begins.
    pub(crate) fn begins(&self, now: Instant, window: u64) -> Instant {
        match self {
            Self::Boundary { .. } => now.div_ceil(window.max(1)).saturating_mul(window),
            _ => now,
        }
    }

    /// The first wave at this instant or later, both counted from the beginning of the traffic.
    pub(crate) fn next(&self, from: Instant, clients: usize, window: u64) -> Option<Wave> {
        match *self {
            Self::ByHand => None,
            Self::Steady { requests, seconds } => {
                // The k-th request of all is due after k / (requests * clients) of the seconds.
                let every = u128::from(seconds) * u128::from(SECOND);
                let clients = u128::try_from(clients).ok()?.max(1);
                let count = (u128::from(requests) * clients).max(1);
                let number = (u128::from(from) * count).div_ceil(every.max(1));
                let client = usize::try_from(number % clients).ok();
                Some(Wave { at: u64::try_from(number * every / count).ok()?, size: 1, client })
            }
            Self::Bursts { size, seconds } => {
                let every = u64::from(seconds) * SECOND;
                let at = from.div_ceil(every.max(1)).checked_mul(every)?;
                Some(Wave { at, size, client: None })
            }
            Self::Boundary { size } => {
                let round = window.saturating_mul(3).max(1);
                let begin = from - from % round;
                let just_before = window - window / 100;
                let waves = [(0, 1), (just_before, size), (window, size), (round, 1)];
                let next = waves.into_iter().find(|(at, _)| begin.saturating_add(*at) >= from);
                next.map(|(at, size)| Wave { at: begin.saturating_add(at), size, client: None })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The instants of all waves up to this one, in milliseconds.
    fn waves(traffic: Traffic, clients: usize, until: u64) -> Vec<(u64, u32)> {
        let mut from = 0;
        let mut found = Vec::new();
        while let Some(wave) = traffic.next(from, clients, 60 * SECOND).filter(|wave| wave.at < until) {
            found.push((wave.at / 1000, wave.size));
            from = wave.at + 1;
        }
        found
    }

    #[test]
    fn steady_traffic_is_even_and_clients_take_turns() {
        let steady = Traffic::Steady { requests: 2, seconds: 1 };
        assert_eq!(waves(steady, 1, 2 * SECOND), [(0, 1), (500, 1), (1000, 1), (1500, 1)]);
        assert_eq!(waves(steady, 2, SECOND), [(0, 1), (250, 1), (500, 1), (750, 1)]);
        assert_eq!(waves(Traffic::Steady { requests: 7, seconds: 60 }, 3, 60 * SECOND).len(), 21);
    }

    #[test]
    fn bursts_come_at_their_seconds() {
        assert_eq!(
            waves(Traffic::Bursts { size: 8, seconds: 20 }, 1, 41 * SECOND),
            [(0, 8), (20_000, 8), (40_000, 8)]
        );
    }

    #[test]
    fn a_boundary_is_met_from_both_sides_in_every_third_window() {
        let boundary = Traffic::Boundary { size: 10 };
        let expected = [(0, 1), (59_400, 10), (60_000, 10), (180_000, 1), (239_400, 10), (240_000, 10)];
        assert_eq!(waves(boundary, 1, 300 * SECOND), expected);
    }

    #[test]
    fn a_boundary_begins_where_a_window_of_the_clock_does_and_all_else_at_once() {
        let begins = |traffic: Traffic, now: u64| traffic.begins(now * SECOND, 60 * SECOND) / SECOND;
        let boundary = Traffic::Boundary { size: 10 };
        assert_eq!([0, 1, 60, 61].map(|now| begins(boundary, now)), [0, 60, 60, 120]);
        assert_eq!(begins(Traffic::Bursts { size: 8, seconds: 20 }, 61), 61);
    }

    #[test]
    fn what_is_too_much_is_said() {
        for (traffic, mistake) in [
            (Traffic::Steady { requests: 201, seconds: 1 }, "requests must be from 1 to 200, not 201"),
            (Traffic::Steady { requests: 1, seconds: 0 }, "seconds must be from 1 to 86400, not 0"),
            (
                Traffic::Bursts { size: 1001, seconds: 1 },
                "the size of a burst must be from 1 to 1000, not 1001",
            ),
            (Traffic::Boundary { size: 0 }, "the size of a burst must be from 1 to 1000, not 0"),
        ] {
            assert_eq!(traffic.mistake().as_deref(), Some(mistake));
        }
        assert_eq!(Traffic::ByHand.mistake(), None);
    }
}
