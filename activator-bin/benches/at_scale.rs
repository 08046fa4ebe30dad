//! A simulation of ten activators in front of 10,000 revisions and 100,000 requests a second: the tables of
//! `docs/at-scale.md`. Nothing is measured, and the same numbers come out each time.
//!
//! Which instances an activator gets is decided by its own code. What Knative decides is computed by the rules of its
//! autoscaler, from the docs of each constant.

#[path = "at_scale/fleet.rs"]
mod fleet;
#[path = "at_scale/hearing.rs"]
mod hearing;
#[path = "at_scale/waiting.rs"]
mod waiting;

use rand::SeedableRng;
use rand::rngs::StdRng;

const SEED: u64 = 1;

fn main() {
    let random = || StdRng::seed_from_u64(SEED);
    println!("## Load and capacity\n");
    fleet::print(&mut random());
    println!("\n## Waiting\n");
    waiting::print(&mut random());
    println!("\n## What the autoscaler hears\n");
    hearing::print(&mut random());
}
