//! Many processes, one virtual clock and a storage with every fault: what is promised holds in all of it.
//!
//! Each test goes through some hundred plans drawn from seeds. A plan that goes wrong is made as small as it can be and
//! shown with its seed:
//!
//! * `LIMITRA_SIMULATION_SEED=17` replays that seed alone;
//! * `LIMITRA_SIMULATION_RUNS=100000` draws so many for each test.
#![allow(clippy::unwrap_used)]

mod book;
mod bounds;
mod crowd;
mod deciding;
mod draw;
mod judge;
mod ledger;
mod network;
mod node;
mod plan;
mod random;
mod registering;
mod run;
mod shrink;
mod times;

use std::env;

use draw::Weather;
use plan::World;
use run::{run, story};
use shrink::shrink;

/// How many plans a test goes through.
const RUNS: u64 = 1_000;

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

fn every_plan_goes_well(world: World, weather: Weather) {
    let seeds = match number("LIMITRA_SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("LIMITRA_SIMULATION_RUNS").unwrap_or(RUNS),
    };
    let mut answers = 0;
    for seed in seeds.clone() {
        let plan = draw::plan(seed, world, weather);
        match run(&plan) {
            Ok(course) => answers += course.answers,
            Err(fault) => {
                let (plan, fault) = shrink(&plan, fault);
                panic!(
                    "LIMITRA_SIMULATION_SEED={seed}: {fault}\nthe least that does it: {plan:#?}\n{}",
                    story(&plan)
                );
            }
        }
    }
    assert!(answers > seeds.end - seeds.start, "{answers} answers prove nothing");
}

#[test]
fn many_nodes_at_a_server_that_decides_agree_with_the_reference() {
    every_plan_goes_well(World::Deciding, Weather::Calm);
}

#[test]
fn many_nodes_at_a_register_agree_with_the_reference() {
    every_plan_goes_well(World::Register, Weather::Calm);
}

#[test]
fn no_fault_on_the_way_to_a_server_that_decides_breaks_a_promise() {
    every_plan_goes_well(World::Deciding, Weather::Storm);
}

#[test]
fn no_fault_on_the_way_to_a_register_breaks_a_promise() {
    every_plan_goes_well(World::Register, Weather::Storm);
}

#[test]
fn wrong_clocks_at_a_server_that_decides_grant_no_more_than_they_are_wrong() {
    every_plan_goes_well(World::Deciding, Weather::WrongClocks);
}

#[test]
fn wrong_clocks_at_a_register_grant_no_more_than_they_are_wrong() {
    every_plan_goes_well(World::Register, Weather::WrongClocks);
}

#[test]
fn no_fault_breaks_a_promise_of_shares_lists_new_versions_and_give_backs() {
    every_plan_goes_well(World::Deciding, Weather::Mixed);
}

#[test]
fn a_seed_replays_its_run() {
    for seed in 0..50 {
        let mixed = draw::plan(seed, World::Deciding, Weather::Mixed);
        assert_eq!(run(&mixed), run(&mixed), "seed {seed}");
        for world in [World::Deciding, World::Register] {
            let plan = draw::plan(seed, world, Weather::WrongClocks);
            assert_eq!(run(&plan), run(&plan), "seed {seed}, {world:?}");
        }
    }
}
