//! From no instance to the most under load, one of them killed, and back to none.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::app::{App, Event};
use super::{instances, left, total, wait_for_instances, wait_for_none};
use crate::command;
use crate::support::activator::{Activator, choose};
use crate::support::http::get;
use crate::support::process::wait_until;

const MOST: u64 = 4;
const CLIENTS: u64 = 8;

pub(crate) fn run() -> Result<()> {
    let app = App::new()?;
    let limits = format!(
        "max_scale = {MOST}\ncontainer_concurrency = 1\nstable_window = \"6s\"\nrestart_backoff = \"100ms..1s\"\n"
    );
    let activator = Activator::start(&app.section("app", &limits))?;
    let began = Instant::now();
    let load = Load::start(&activator);
    wait_for_instances(&activator, "ready", MOST)?;
    println!("{MOST} instances after {:?} of load", began.elapsed());

    let victim = *app.started()?.first().context("none was started")?;
    command::run(Command::new("kill").args(["-s", "KILL", &victim.to_string()]))?;
    wait_until("no restart", super::SOON, || {
        let restarts = total(&activator, "activator_instance_restarts_total")?;
        let ready = instances(&activator, &["ready"])?;
        Ok((restarts >= 1 && ready == MOST).then_some(()))
    })?;
    let before = load.sent.load(Ordering::Relaxed);
    wait_until("the load stands still", super::SOON, || {
        let sent = load.sent.load(Ordering::Relaxed);
        Ok((sent >= before + 20 * CLIENTS).then_some(()))
    })?;
    let (sent, failed) = load.stop()?;

    // What fails had come to the instance that was killed, which had room for one.
    ensure!(failed.len() <= 1, "{} of {sent} failed", failed.len());
    let events = app.events()?;
    for id in &failed {
        let came_to = events.iter().rev().find(|it| it.1 == Event::Request(*id));
        ensure!(
            came_to.is_none_or(|it| it.0 == victim),
            "request {id} failed at another instance"
        );
    }
    let ended = Instant::now();
    wait_for_none(&activator)?;
    println!(
        "{sent} requests, {} lost by kill -9; none left {:?} after the load",
        failed.len(),
        ended.elapsed()
    );
    left::wait_for_end(&app.started()?)?;
    activator.stop()
}

/// Clients that send one request after the other.
struct Load {
    is_over: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    clients: Vec<thread::JoinHandle<Vec<u64>>>,
}

impl Load {
    fn start(activator: &Activator) -> Self {
        let (is_over, sent) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let client = |_| {
            let (is_over, sent) = (Arc::clone(&is_over), Arc::<AtomicU64>::clone(&sent));
            let address = activator.http;
            thread::spawn(move || {
                let mut failed = Vec::new();
                while !is_over.load(Ordering::Relaxed) {
                    let id = sent.fetch_add(1, Ordering::Relaxed);
                    let path = format!("/?seconds=0.05&id={id}");
                    let answer = get(address, &path, &choose("app"));
                    if !answer.is_ok_and(|answer| answer.status == 200) {
                        failed.push(id);
                        thread::sleep(Duration::from_millis(10));
                    }
                }
                failed
            })
        };
        let clients = (0..CLIENTS).map(client).collect();
        Self {
            is_over,
            sent,
            clients,
        }
    }

    /// Returns how many were sent, and which of them failed.
    fn stop(self) -> Result<(u64, Vec<u64>)> {
        self.is_over.store(true, Ordering::Relaxed);
        let failed = self.clients.into_iter().map(|it| it.join());
        let failed: Vec<_> = failed
            .map(|it| it.expect("a client does not panic"))
            .collect();
        Ok((self.sent.load(Ordering::Relaxed), failed.concat()))
    }
}
