//! One side of the page: a limiter, and what has come of the requests that it was asked for.

use std::time::Duration;

use limitra::{Algorithm, ConfigurationError, Error, ManualClock, RateLimiter};
use serde::{Deserialize, Serialize};

use crate::algorithms::{part_left, words};
use crate::front::{Answer, Front};
use crate::peak::Peak;
use crate::traffic::Instant;

/// What a side is set to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaneSetting {
    algorithm: String,
    /// As text, such as `10 per minute`.
    limit: String,
    /// For the buckets, if one is wanted.
    burst: Option<i64>,
    /// Whether all clients share one counter.
    together: bool,
}

/// What is wrong, and in which field of the page.
#[derive(Debug, Serialize)]
pub(crate) struct Mistake {
    /// The side, counted from 0; none where it concerns both.
    pub(crate) pane: Option<usize>,
    pub(crate) field: &'static str,
    pub(crate) message: String,
}

impl Mistake {
    pub(crate) fn new(field: &'static str, message: &impl ToString) -> Self {
        Self { pane: None, field, message: message.to_string() }
    }
}

/// Who sends requests, and what has come of them.
#[derive(Debug)]
struct Client {
    /// Whose counter it is counted by: its own, or that of the first.
    counter: usize,
    allowed: u64,
    refused: u64,
    /// What its counter let pass.
    peak: Peak,
}

impl Client {
    fn identifier(&self) -> String {
        self.counter.to_string()
    }
}

/// What became of requests of one instant.
#[derive(Debug, Serialize)]
pub(crate) struct Mark {
    pub(crate) at: Instant,
    pub(crate) allowed: u64,
    pub(crate) refused: u64,
}

/// A side as it stands.
#[derive(Debug, Serialize)]
pub(crate) struct PaneState {
    clients: Vec<ClientState>,
    /// The most units that one counter let pass in any window's length.
    most: u64,
    /// What is expected at most in a window: the limit's amount.
    amount: u64,
    /// The window of the first limit, in microseconds.
    window: u64,
    response: Option<Response>,
}

/// A client as a side sees it.
#[derive(Debug, Serialize)]
struct ClientState {
    allowed: u64,
    refused: u64,
    remaining: u64,
    /// Each limit: its window in microseconds, its state in the algorithm's words, and the part that is free.
    limits: Vec<(u64, String, f64)>,
    /// In microseconds, as is the next.
    retry_after: u64,
    reset_after: u64,
}

/// The last response that a web service would have sent.
#[derive(Clone, Debug, Serialize)]
struct Response {
    /// Counted from 0.
    client: usize,
    #[serde(flatten)]
    answer: Answer,
}

/// One side.
#[derive(Debug)]
pub(crate) struct Pane {
    limiter: RateLimiter,
    front: Front,
    cost: u64,
    clients: Vec<Client>,
    last: Option<Response>,
}

impl Pane {
    /// A larger amount is of no use here, and would only take memory.
    const LARGEST: u64 = 100_000;

    pub(crate) async fn new(
        setting: &PaneSetting,
        clients: usize,
        cost: u64,
        clock: &ManualClock,
    ) -> Result<Self, Mistake> {
        let limiter = setting.limiter(clock)?;
        let too_dear = limiter.test_cost("", cost).await;
        too_dear.map_err(|error| Mistake::new("cost", &error))?;
        let window = window_of(&limiter);
        let client = |place| {
            let counter = if setting.together { 0 } else { place };
            Client { counter, allowed: 0, refused: 0, peak: Peak::of(window) }
        };
        let clients: Vec<Client> = (0..clients).map(client).collect();
        let front = Front::new(&limiter, cost, clients.iter().map(Client::identifier));
        let front = front.map_err(|error| Mistake::new("limit", &error))?;
        Ok(Self { limiter, front, cost, clients, last: None })
    }

    /// That of the first limit, in microseconds.
    pub(crate) fn window(&self) -> u64 {
        window_of(&self.limiter)
    }

    /// Sends a request of a client; whether it was allowed.
    pub(crate) async fn ask(&mut self, at: Instant, client: usize) -> bool {
        let Some(answer) = self.front.ask(client).await else { return false };
        let is_allowed = answer.is_allowed();
        if let Some(sender) = self.clients.get_mut(client) {
            sender.allowed += u64::from(is_allowed);
            sender.refused += u64::from(!is_allowed);
            let counter = sender.counter;
            if let Some(counted) = self.clients.get_mut(counter).filter(|_| is_allowed) {
                counted.peak.note(at, self.cost);
            }
        }
        self.last = Some(Response { client, answer });
        is_allowed
    }

    /// The part of the limit that each client has left; of several limits that which has least.
    pub(crate) async fn left(&self) -> Result<Vec<f64>, Error> {
        let mut left = Vec::new();
        for client in &self.clients {
            let decision = self.limiter.test(client.identifier()).await?;
            let parts = decision.rules().iter().map(|rule| part_left(&rule.status()));
            left.push(parts.fold(1.0, f64::min));
        }
        Ok(left)
    }

    pub(crate) async fn state(&self) -> Result<PaneState, Error> {
        let config = self.limiter.config();
        let mut clients = Vec::new();
        for client in &self.clients {
            let decision = self.limiter.test_cost(client.identifier(), self.cost).await?;
            let limits = decision.rules().iter().map(|rule| {
                let status = rule.status();
                (micros(rule.limit().window()), words(config.algorithm, &status), part_left(&status))
            });
            clients.push(ClientState {
                allowed: client.allowed,
                refused: client.refused,
                remaining: decision.remaining(),
                limits: limits.collect(),
                retry_after: micros(decision.retry_after()),
                reset_after: micros(decision.reset_after()),
            });
        }
        Ok(PaneState {
            clients,
            most: self.clients.iter().map(|client| client.peak.most()).max().unwrap_or_default(),
            amount: config.limits.first().map_or(0, limitra::Limit::amount),
            window: self.window(),
            response: self.last.clone(),
        })
    }
}

impl PaneSetting {
    /// # Errors
    /// The field that is wrong, with what limitra says of it.
    fn limiter(&self, clock: &ManualClock) -> Result<RateLimiter, Mistake> {
        let algorithm: Algorithm =
            self.algorithm.parse().map_err(|error: ConfigurationError| Mistake::new("algorithm", &error))?;
        let settings = RateLimiter::builder()
            .algorithm(algorithm)
            .notation(&self.limit)
            .scope("client")
            .clock(clock.clone());
        // What is wrong without a burst is not the burst's fault.
        let limiter = settings.clone().build().map_err(|error| Mistake::new("limit", &error))?;
        let limiter = match self.burst.filter(|_| algorithm.is_bucket()) {
            Some(burst) => settings.burst(burst).build().map_err(|error| Mistake::new("burst", &error))?,
            None => limiter,
        };
        for limit in &limiter.config().limits {
            for (field, number) in [("limit", limit.amount()), ("burst", limit.capacity())] {
                if number > Pane::LARGEST {
                    return Err(Mistake::new(field, &format!("the playground goes up to {}", Pane::LARGEST)));
                }
            }
        }
        Ok(limiter)
    }
}

/// That of the first limit, in microseconds.
fn window_of(limiter: &RateLimiter) -> u64 {
    limiter.config().limits.first().map_or(1, |limit| micros(limit.window()))
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
