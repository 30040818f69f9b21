//! Every parameter in every form of value that it takes.
#![deny(warnings, clippy::pedantic)]

use limitra::{Decision, Error, RateLimitExceeded, rate_limit};
use std::time::Duration;

const PER_MINUTE: u32 = 30;
const TIERS: [(u64, u64); 2] = [(10, 1), (500, 3600)];

struct User {
    id: u64,
    pro: bool,
}

impl User {
    fn quota(&self) -> u32 {
        if self.pro { 100 } else { PER_MINUTE }
    }
}

fn tenant_of(user: &User, _path: &str) -> u64 {
    user.id
}

fn is_pro(user: &User, path: &str) -> bool {
    user.pro && !path.is_empty()
}

#[allow(clippy::needless_pass_by_value)]
fn too_many(exceeded: RateLimitExceeded) -> Result<(), String> {
    Err(exceeded.to_string())
}

#[allow(clippy::needless_pass_by_value)]
fn broken(error: Error) -> Result<(), String> {
    Err(error.to_string())
}

#[rate_limit(requests = PER_MINUTE * 2, window = Duration::from_secs(60), key = tenant_of)]
async fn expressions(user: User, path: String) -> Result<bool, Error> {
    Ok(path.is_empty() && user.pro)
}

#[rate_limit(
    requests = |user, _| user.quota(),
    window = |_, path: &str| if path.is_empty() { 60 } else { 30 },
    burst = |user: &User, _| user.quota() * 2,
    cost = |_, path| path.len(),
    algorithm = "leaky-bucket",
    key = |user, _| user.id,
    exempt_when = |user, _| user.pro,
)]
async fn closures(user: &User, path: String) -> Result<bool, Error> {
    Ok(path.is_empty() && user.pro)
}

#[rate_limit(limits = TIERS, key = "user.id", exempt_when = is_pro)]
async fn list(user: &User, path: &str) -> Result<bool, Error> {
    Ok(path.is_empty() && user.pro)
}

#[rate_limit(limits = [(10, 0.5), (|user: &User| user.quota(), Duration::from_secs(60)), (u64::from(PER_MINUTE), 3600)])]
async fn mixed_list(user: &User) -> Result<bool, Error> {
    Ok(user.pro)
}

#[rate_limit(limits = [TIERS[0], TIERS[1]], scope = "tenant", name = "a name", project = "blog", prefix = "p", suffix = "s", key = 0)]
async fn labels(id: u64) -> Result<u64, Error> {
    Ok(id)
}

#[rate_limit(requests = 10, window = 60, on_exceeded = too_many, on_error = broken)]
async fn handlers() -> Result<(), String> {
    Ok(())
}

#[rate_limit(requests = 10, window = 60, on_exceeded = |exceeded| Some(exceeded.retry_after), on_error = |_| None, backend = "redis")]
async fn handler_closures() -> Option<Duration> {
    None
}

#[rate_limit(requests = 10, window = 60, on_exceeded = |exceeded| println!("{exceeded}"), fail_open = true)]
async fn nothing_to_return() {}

#[rate_limit(requests = 10, window = 60, block = false, decision = decision, on_exceeded = |exceeded| println!("{exceeded}"))]
async fn always_runs() -> bool {
    let seen: &Decision = &decision;
    seen.is_allowed()
}

#[rate_limit(requests = 10, window = 60, block = false)]
async fn always_runs_in_silence() {}

#[rate_limit(requests = 10, window = 60, scope = "tenant", key = "user.id", crate = ::limitra)]
#[rate_limit(requests = 100, window = 60, scope = "path", key = "path", cost = 3, on_exceeded = |_| None, backend = "memory")]
#[limitra::rate_limit(requests = 1000, window = 60, algorithm = "gcra", burst = 5)]
async fn stacked(user: &User, path: &str) -> Option<String> {
    user.pro.then(|| path.to_owned())
}

pub fn main() {
    let user = User { id: 1, pro: true };
    drop(expressions(User { id: 2, pro: false }, String::new()));
    drop(closures(&user, String::new()));
    drop((list(&user, ""), mixed_list(&user), labels(1), handlers(), handler_closures()));
    drop((nothing_to_return(), always_runs(), always_runs_in_silence(), stacked(&user, "")));
}
