//! The most that passed in any window.

use std::collections::VecDeque;

use crate::traffic::Instant;

/// The most units of one counter that passed in any interval of a window's length, its last instant not included.
#[derive(Debug)]
pub(crate) struct Peak {
    window: u64,
    /// What passed in the last window, oldest first; one entry for each instant.
    passed: VecDeque<(Instant, u64)>,
    units: u64,
    most: u64,
}

impl Peak {
    pub(crate) fn of(window: u64) -> Self {
        Self { window, passed: VecDeque::new(), units: 0, most: 0 }
    }

    /// Notes units that passed; instants never go back.
    pub(crate) fn note(&mut self, at: Instant, units: u64) {
        while let Some(&(then, left)) = self.passed.front()
            && at.saturating_sub(then) >= self.window
        {
            self.passed.pop_front();
            self.units -= left;
        }
        match self.passed.back_mut() {
            Some((then, here)) if *then == at => *here += units,
            _ => self.passed.push_back((at, units)),
        }
        self.units += units;
        self.most = self.most.max(self.units);
    }

    pub(crate) fn most(&self) -> u64 {
        self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_window_old_is_not_in_it() {
        let mut peak = Peak::of(10);
        peak.note(0, 3);
        peak.note(9, 4);
        assert_eq!(peak.most(), 7);
        peak.note(10, 2);
        assert_eq!(peak.most(), 7);
        peak.note(18, 2);
        peak.note(18, 2);
        assert_eq!(peak.most(), 10);
    }
}
