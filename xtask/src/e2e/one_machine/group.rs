//! Two revisions that share one place: never both at once, and each has its turn.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::app::{App, Event};
use super::{left, wait_for_none};
use crate::support::activator::{Activator, choose};
use crate::support::http::get;

const REVISIONS: [&str; 2] = ["one", "other"];
/// Requests of each, one after the other.
const ALTERNATING: usize = 6;
/// The turn of a revision whose requests never cease.
const MAX_WAIT: Duration = Duration::from_secs(2);
const LOAD: Duration = Duration::from_secs(14);
/// How long the requests of each client take, in seconds: not in step, so that some are always in flight.
const CLIENTS: [&str; 6] = ["0.11", "0.13", "0.17", "0.19", "0.23", "0.29"];

pub(crate) fn run() -> Result<()> {
    let app = App::new()?;
    let group = format!(
        "[[group]]\nname = \"place\"\ncapacity = 1\nmax_wait = \"{}s\"\n",
        MAX_WAIT.as_secs()
    );
    let limits = "max_scale = 1\nstable_window = \"6s\"\ngroup = \"place\"\n";
    let config = REVISIONS.map(|name| app.section(name, limits)).concat();
    let activator = Activator::start(&format!("{config}{group}"))?;

    for _ in 0..ALTERNATING {
        for name in REVISIONS {
            let answer = get(activator.http, "/", &choose(name))?;
            ensure!(answer.status == 200, "{}{}", answer.head, answer.body);
        }
    }
    let alternating = app.started()?.len();
    ensure!(
        alternating == 2 * ALTERNATING,
        "{alternating} starts for {} changes",
        2 * ALTERNATING
    );

    let began = Instant::now();
    let answered = load(&activator)?;
    let took = began.elapsed();
    let turns = app.started()?.len() - alternating;
    println!(
        "{} requests of each in turns, then {answered:?} under load in {turns} turns of {MAX_WAIT:?} in {took:?}",
        ALTERNATING
    );
    let most = took.as_secs() / MAX_WAIT.as_secs() + 2;
    ensure!(turns as u64 <= most, "more than {most} turns: it thrashes");
    ensure!(turns >= 4, "one of them starves");

    wait_for_none(&activator)?;
    left::wait_for_end(&app.started()?)?;
    alone(&app.events()?)?;
    activator.stop()
}

/// How many requests of each were answered while both had some all the time.
fn load(activator: &Activator) -> Result<[usize; 2]> {
    let is_over = AtomicBool::new(false);
    let client = |name, seconds| -> Result<usize> {
        let path = format!("/?seconds={seconds}");
        let mut answered = 0;
        while !is_over.load(Ordering::Relaxed) {
            let answer = get(activator.http, &path, &choose(name))?;
            ensure!(answer.status == 200, "{}{}", answer.head, answer.body);
            answered += 1;
        }
        Ok(answered)
    };
    let client = &client;
    thread::scope(|scope| {
        let clients =
            REVISIONS.map(|name| CLIENTS.map(|seconds| scope.spawn(move || client(name, seconds))));
        thread::sleep(LOAD);
        is_over.store(true, Ordering::Relaxed);
        let mut all = [0; 2];
        for (answered, clients) in all.iter_mut().zip(clients) {
            for client in clients {
                *answered += client.join().expect("a client does not panic")?;
            }
        }
        Ok(all)
    })
}

/// Each that starts does so after the end of the one before.
fn alone(events: &[(u32, Event)]) -> Result<()> {
    let mut running = None;
    let mut last = 0;
    for (process, event) in events {
        match event {
            Event::Start(at) => {
                ensure!(running.is_none(), "{process} beside {running:?}");
                ensure!(*at > last, "{process} began before the one before ended");
                running = Some(*process);
            }
            Event::End(at) => {
                ensure!(running == Some(*process), "{process} ended twice");
                (running, last) = (None, *at);
            }
            Event::Request(_) => {}
        }
    }
    ensure!(running.is_none(), "{running:?} never ended");
    Ok(())
}
