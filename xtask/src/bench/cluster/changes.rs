//! One of many revisions changes again and again: an instance comes or goes.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Scene;
use super::addresses::Addresses;
use super::clones::SLEEPER;
use super::results::{Results, Rounds, Target};
use super::stand_in::StandIn;
use super::subject::{Kind, Subject};
use crate::e2e::cluster::client::{agent, get};
use crate::e2e::cluster::objects::Revision;

const CHANGES: usize = 1_000;
/// Changes that come sooner after one another than this may be taken together.
const APART: Duration = Duration::from_millis(15);
/// Among so many changes there is a request: the revision is one that is used.
const REQUEST: usize = 100;
/// What follows a start is over by then.
const SETTLED: Duration = Duration::from_secs(5);

/// Among `count` revisions.
pub(super) fn run(scene: &Scene<'_>, count: usize, results: &mut Results) -> Result<()> {
    let addresses = Addresses::of(scene.cluster, SLEEPER)?;
    let stand_in = &scene.stand_in;
    let mut cpu = Rounds::default();
    for _ in 0..scene.size.rounds_of_most {
        for kind in Kind::ALL {
            addresses.set(&stand_in.addresses[..1], &[])?;
            let subject = scene.stand.start(kind)?;
            request(&subject)?;
            sleep(SETTLED);
            cpu.push(kind, change(&subject, &addresses, stand_in)? * 1e6);
        }
    }
    addresses.set(&[], &[])?;
    let name = format!("one of {count} revisions changes, CPU");
    results.both(&name, cpu.medians(), "us", Target::Most(100.0));
    Ok(())
}

/// CPU time for one change in seconds, beyond what is used without.
fn change(subject: &Subject, addresses: &Addresses<'_>, stand_in: &StandIn) -> Result<f64> {
    let before = (Instant::now(), subject.cpu()?);
    sleep(SETTLED);
    let idle = (subject.cpu()? - before.1) / before.0.elapsed().as_secs_f64();
    stand_in.take_seen();
    let begin = (Instant::now(), subject.cpu()?);
    for number in 1..=CHANGES {
        if number % REQUEST == 1 {
            request(subject)?;
        }
        // The first one stays, the second one comes and goes.
        addresses.set(&stand_in.addresses[..1 + number % 2], &[])?;
        let due = begin.0 + APART * number as u32;
        sleep(due.saturating_duration_since(Instant::now()));
    }
    let used = subject.cpu()? - begin.1 - idle * begin.0.elapsed().as_secs_f64();
    let seen = stand_in.take_seen();
    let second = seen.get(&stand_in.addresses[1].into()).copied();
    let probes = second.unwrap_or_default().probes;
    ensure!(
        probes >= CHANGES / 4,
        "{} activator probed the instance that comes and goes {probes} times",
        subject.kind.name()
    );
    Ok(used / CHANGES as f64)
}

fn request(subject: &Subject) -> Result<()> {
    let revision = Revision::new(SLEEPER, 10);
    let (status, body) = get(&agent(), subject.http(), &revision, "/")?;
    ensure!(status == 200, "{SLEEPER}: {status} {body}");
    Ok(())
}
