//! A page's own run: two sides, one clock, one traffic.

use limitra::{Error, ManualClock, Micros};
use serde::Deserialize;

use crate::pane::{Mark, Mistake, Pane, PaneSetting};
use crate::step::{Frame, PaneFrame, PaneSeen, Step};
use crate::traffic::{Instant, SECOND, Traffic, Wave};

/// Midnight in UTC: where the slots of every ordinary window begin.
const BEGIN: Micros = Micros::new(1_700_006_400_000_000);

/// What a run is made of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setting {
    panes: [PaneSetting; 2],
    clients: usize,
    cost: u64,
}

/// A page's own run.
#[derive(Debug)]
pub(crate) struct Session {
    clock: ManualClock,
    panes: [Pane; 2],
    clients: usize,
    now: Instant,
    traffic: Traffic,
    /// When the traffic began.
    since: Instant,
}

impl Session {
    const MOST_CLIENTS: usize = 5;
    /// A step ends when it has sent so many requests to each side.
    const MOST_REQUESTS: u64 = 2000;
    /// A picture shows so many windows, at instants so far apart that this many fit in.
    const WINDOWS: u64 = 3;
    pub(crate) const INSTANTS: u64 = 120;

    /// # Errors
    /// Everything that is wrong with the setting.
    pub(crate) async fn new(setting: &Setting) -> Result<Self, Vec<Mistake>> {
        if setting.cost == 0 {
            return Err(vec![Mistake::new("cost", &"a request costs 1 or more, not 0")]);
        }
        if !(1..=Self::MOST_CLIENTS).contains(&setting.clients) {
            let message =
                format!("there are from 1 to {} clients, not {}", Self::MOST_CLIENTS, setting.clients);
            return Err(vec![Mistake::new("clients", &message)]);
        }
        let clock = ManualClock::at(BEGIN);
        let [first, second] = &setting.panes;
        let first = Pane::new(first, setting.clients, setting.cost, &clock).await;
        let second = Pane::new(second, setting.clients, setting.cost, &clock).await;
        match (first, second) {
            (Ok(first), Ok(second)) => Ok(Self {
                clock,
                panes: [first, second],
                clients: setting.clients,
                now: 0,
                traffic: Traffic::ByHand,
                since: 0,
            }),
            (first, second) => {
                let both = [first.err(), second.err()].into_iter().enumerate();
                let placed =
                    both.filter_map(|(pane, mistake)| Some(Mistake { pane: Some(pane), ..mistake? }));
                Err(placed.collect())
            }
        }
    }

    /// How much of the past a picture shows, in microseconds.
    pub(crate) fn span(&self) -> u64 {
        let windows = self.panes.iter().map(Pane::window);
        windows.max().unwrap_or(SECOND).saturating_mul(Self::WINDOWS).clamp(Self::INSTANTS, Step::FARTHEST)
    }

    /// The window whose end a boundary is.
    fn window(&self) -> u64 {
        let [first, _] = &self.panes;
        first.window()
    }

    /// Goes on: both sides are asked for the same requests at the same instants.
    ///
    /// # Errors
    /// What a limiter says; none is known that would.
    pub(crate) async fn step(&mut self, step: &Step) -> Result<Frame, Error> {
        if step.traffic != self.traffic {
            self.traffic = step.traffic;
            self.since = self.traffic.begins(self.now, self.window());
        }
        let mut seen = [PaneSeen::default(), PaneSeen::default()];
        let mut sent = self.send(Wave { at: self.now, size: step.at_once, client: None }, &mut seen).await;

        let until = self.now.saturating_add(step.advance);
        let grain = (self.span() / Self::INSTANTS).max(1);
        // What is earlier is in no picture.
        let first_glance = until.saturating_sub(self.span()).div_ceil(grain) * grain;
        while self.now < until && sent < Self::MOST_REQUESTS {
            let wave = self.due().filter(|wave| wave.at < until);
            // Between waves it looks at what is left, at even instants.
            let glance = first_glance.max((self.now / grain + 1) * grain);
            match wave {
                Some(wave) if wave.at < glance => {
                    self.set(wave.at);
                    sent += self.send(wave, &mut seen).await;
                    self.set(wave.at + 1);
                }
                _ if glance < until => {
                    self.set(glance);
                    for (pane, seen) in self.panes.iter().zip(&mut seen) {
                        seen.levels.push((self.now, pane.left().await?));
                    }
                }
                _ => self.set(until),
            }
        }
        self.frame(seen).await
    }

    /// The next wave of the traffic, on the page's clock.
    fn due(&self) -> Option<Wave> {
        let from = self.now.saturating_sub(self.since);
        let wave = self.traffic.next(from, self.clients, self.window())?;
        Some(Wave { at: wave.at.saturating_add(self.since), ..wave })
    }

    fn set(&mut self, now: Instant) {
        self.now = now;
        self.clock.set(BEGIN.plus(Micros::new(now)));
    }

    /// Sends a wave's requests to both sides, the clients taking turns; how many each has got.
    async fn send(&mut self, wave: Wave, seen: &mut [PaneSeen; 2]) -> u64 {
        let all = 0..self.clients;
        let mut sent = 0;
        for (pane, seen) in self.panes.iter_mut().zip(seen) {
            let mut mark = Mark { at: self.now, allowed: 0, refused: 0 };
            for _ in 0..wave.size {
                for client in all.clone().filter(|client| wave.client.is_none_or(|named| named == *client)) {
                    let is_allowed = pane.ask(self.now, client).await;
                    mark.allowed += u64::from(is_allowed);
                    mark.refused += u64::from(!is_allowed);
                }
            }
            sent = mark.allowed + mark.refused;
            if sent > 0 {
                seen.marks.push(mark);
            }
        }
        sent
    }

    async fn frame(&self, seen: [PaneSeen; 2]) -> Result<Frame, Error> {
        let mut panes = Vec::new();
        for (pane, PaneSeen { marks, mut levels }) in self.panes.iter().zip(seen) {
            levels.push((self.now, pane.left().await?));
            panes.push(PaneFrame { seen: PaneSeen { marks, levels }, state: pane.state().await? });
        }
        Ok(Frame { now: self.now, panes })
    }
}

#[cfg(test)]
mod tests {
    use limitra::Algorithm;
    use serde_json::{Value, json};

    use super::*;

    async fn session(algorithm: Algorithm) -> Session {
        let pane = json!({ "algorithm": algorithm.name(), "limit": "10/minute; 20 per 3 minutes", "burst": null, "together": false });
        let setting = json!({ "panes": [pane, pane], "clients": 2, "cost": 1 });
        Session::new(&serde_json::from_value(setting).expect("a setting")).await.expect("all right")
    }

    /// What has come of five minutes of this traffic, taken in steps of so many microseconds.
    async fn outcome(algorithm: Algorithm, traffic: Traffic, step: u64) -> Value {
        let mut session = session(algorithm).await;
        let mut marks = [0, 0];
        loop {
            let advance = step.min(300 * SECOND - session.now);
            let frame = session.step(&Step { traffic, at_once: 0, advance }).await.expect("memory decides");
            for (sum, pane) in marks.iter_mut().zip(&frame.panes) {
                *sum += pane.seen.marks.iter().map(|mark| mark.allowed + mark.refused).sum::<u64>();
            }
            if advance == 0 {
                let states: Vec<_> = frame.panes.iter().map(|pane| &pane.state).collect();
                return json!({ "marks": marks, "states": states });
            }
        }
    }

    #[tokio::test]
    async fn the_same_traffic_comes_to_the_same_in_whatever_steps_it_is_taken() {
        for algorithm in Algorithm::ALL {
            for traffic in [
                Traffic::Steady { requests: 13, seconds: 60 },
                Traffic::Bursts { size: 8, seconds: 25 },
                Traffic::Boundary { size: 10 },
            ] {
                let whole = outcome(*algorithm, traffic, 300 * SECOND).await;
                for step in [7_777_777, 60 * SECOND] {
                    assert_eq!(outcome(*algorithm, traffic, step).await, whole, "{algorithm}: {traffic:?}");
                }
            }
        }
    }

    #[tokio::test]
    async fn another_traffic_goes_on_with_the_counts_and_begins_when_it_is_chosen() {
        let mut session = session(Algorithm::FixedWindow).await;
        let traffics = [Traffic::Bursts { size: 3, seconds: 20 }, Traffic::Boundary { size: 1 }];
        let mut instants = Vec::new();
        for traffic in traffics {
            let step = Step { traffic, at_once: 0, advance: 70 * SECOND };
            let frame = session.step(&step).await.expect("memory decides");
            instants.extend(frame.panes[0].seen.marks.iter().map(|mark| mark.at / SECOND));
        }
        assert_eq!(instants, [0, 20, 40, 60, 120]);
    }

    #[tokio::test]
    async fn a_step_with_too_much_traffic_stops_early_and_the_next_goes_on() {
        let mut session = session(Algorithm::Gcra).await;
        let traffic = Traffic::Bursts { size: 1000, seconds: 1 };
        let step = Step { traffic, at_once: 0, advance: 4 * SECOND };
        let mut last = 0;
        while session.now < 4 * SECOND {
            let frame = session.step(&step).await.expect("memory decides");
            assert!(frame.now > last && frame.panes[0].seen.marks.len() <= 1, "{frame:?}");
            last = frame.now;
        }
        assert_eq!(last, session.now);
    }
    #[tokio::test]
    async fn however_far_a_step_goes_only_what_a_picture_shows_is_looked_at() {
        let pane = json!({ "algorithm": "gcra", "limit": "1/s", "burst": null, "together": false });
        let setting = json!({ "panes": [pane, pane], "clients": 5, "cost": 1 });
        let mut session =
            Session::new(&serde_json::from_value(setting).expect("a setting")).await.expect("all right");
        let step = Step { traffic: Traffic::ByHand, at_once: 0, advance: Step::FARTHEST };
        let frame = session.step(&step).await.expect("memory decides");
        assert_eq!(frame.now, Step::FARTHEST);
        assert!(
            frame.panes.iter().all(|pane| pane.seen.levels.len() <= 121),
            "{}",
            frame.panes[0].seen.levels.len()
        );
    }
}
