//! Instances that the activator starts and stops itself, of real programs.

mod app;
pub(super) mod asleep;
pub(super) mod at_once;
pub(super) mod freeze;
pub(super) mod group;
pub(super) mod left;
pub(super) mod scaling;
pub(super) mod start;
pub(super) mod up;
pub(super) mod websocket;

use std::time::Duration;

use anyhow::Result;

use crate::support::activator::Activator;
use crate::support::process::wait_until;

/// Takes changes through the admin port.
const WRITE: &str = "[admin]\nwrite = true\n";

/// The timeout for what takes a moment, on a machine that does much else.
const SOON: Duration = Duration::from_secs(30);

/// A revision's section: its instances are `command`.
fn section(name: &str, command: &[&str], more: &str) -> String {
    format!(
        "[[revision]]\nnamespace = \"default\"\nname = \"{name}\"\ncommand = {command:?}\n{more}\n"
    )
}

/// The sum of a metric's series.
fn total(activator: &Activator, metric: &str) -> Result<u64> {
    Ok(activator.series(metric)?.values().sum::<f64>() as u64)
}

/// The instances in any of some states.
fn instances(activator: &Activator, states: &[&str]) -> Result<u64> {
    let is_wanted = |labels: &str| {
        let label = |state| format!("state=\"{state}\"");
        states.iter().any(|state| labels.contains(&label(state)))
    };
    let all = activator.series("activator_instances")?;
    let wanted = all.iter().filter(|(labels, _)| is_wanted(labels));
    Ok(wanted.map(|(_, value)| *value as u64).sum())
}

/// Waits until so many are in a state.
fn wait_for_instances(activator: &Activator, state: &str, count: u64) -> Result<()> {
    wait_until(&format!("not {count} {state}"), SOON, || {
        Ok((instances(activator, &[state])? == count).then_some(()))
    })
}

/// Waits until a process of each instance is gone.
fn wait_for_none(activator: &Activator) -> Result<()> {
    wait_until("there are instances", SOON, || {
        let states = ["starting", "ready", "draining", "frozen", "stopping"];
        let left = instances(activator, &states)?;
        Ok((left == 0).then_some(()))
    })
}
