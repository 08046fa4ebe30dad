//! A thousand requests while there is no instance: one start serves them all.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::app::App;
use super::{SOON, total};
use crate::support::activator::{Activator, choose};
use crate::support::http::{Answer, get};
use crate::support::process::wait_until;

const REQUESTS: u64 = 1_000;
/// `container_concurrency` where the order counts.
const LIMIT: u64 = 10;

type Pending = thread::JoinHandle<Result<Answer>>;

pub(crate) fn run() -> Result<()> {
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: most,
            maximum: most,
        },
    )?;
    all_at_once()?;
    in_order()
}

fn all_at_once() -> Result<()> {
    let app = App::new()?;
    let config = app.section_behind_gate("app", "max_scale = 1\n");
    let activator = Activator::start(&config)?;
    let waiting: Vec<Pending> = (0..REQUESTS).map(|id| send(&activator, id, "0")).collect();
    wait_for_queued(&activator, REQUESTS)?;
    app.open()?;
    let opened = Instant::now();
    served(waiting)?;
    let took = opened.elapsed();

    let mut ids = app.requests()?;
    ids.sort_unstable();
    ensure!(ids.iter().copied().eq(0..REQUESTS), "not each came once");
    one_start(&app, &activator)?;
    println!("{REQUESTS} requests at once: one start, {REQUESTS} x 200 within {took:?} of it");
    activator.stop()
}

fn in_order() -> Result<()> {
    let app = App::new()?;
    let limit = format!("max_scale = 1\ncontainer_concurrency = {LIMIT}\n");
    let activator = Activator::start(&app.section_behind_gate("app", &limit))?;
    let mut waiting = Vec::new();
    for id in 0..REQUESTS {
        waiting.push(send(&activator, id, "0.02"));
        wait_for_queued(&activator, id + 1)?;
    }
    app.open()?;
    served(waiting)?;

    let ids = app.requests()?;
    ensure!(ids.len() as u64 == REQUESTS, "not each came once");
    // Up to LIMIT are under way at once, and only threads of the server decide which of those is seen first.
    let places = (0..).zip(&ids).map(|(place, id)| id.abs_diff(place));
    let overtaken = places.max().unwrap_or(0);
    ensure!(
        overtaken < LIMIT,
        "one was {overtaken} places off the order of arrival"
    );
    one_start(&app, &activator)?;
    println!(
        "{REQUESTS} requests, {LIMIT} at once: at most {overtaken} places off the order of arrival"
    );
    activator.stop()
}

/// By the program's own count, and by the activator's.
fn one_start(app: &App, activator: &Activator) -> Result<()> {
    let started = app.started()?.len();
    let counted = total(activator, "activator_instance_starts_total")?;
    ensure!(
        (started, counted) == (1, 1),
        "{started} started, {counted} counted"
    );
    Ok(())
}

fn send(activator: &Activator, id: u64, seconds: &'static str) -> Pending {
    let address = activator.http;
    thread::spawn(move || {
        let path = format!("/?seconds={seconds}&id={id}");
        get(address, &path, &choose("app"))
    })
}

fn served(waiting: Vec<Pending>) -> Result<()> {
    for answer in waiting {
        let answer = answer.join().expect("a client thread does not panic")?;
        ensure!(answer.status == 200, "{}{}", answer.head, answer.body);
    }
    Ok(())
}

fn wait_for_queued(activator: &Activator, count: u64) -> Result<()> {
    // Most are there after this.
    thread::sleep(Duration::from_millis(1));
    wait_until(&format!("{count} are not queued"), SOON, || {
        let queued = total(activator, "kn_revision_request_queued")?;
        Ok((queued == count).then_some(()))
    })
}
