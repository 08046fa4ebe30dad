//! The memory that a hundred sleeping services take.

use std::thread;

use anyhow::{Result, ensure};

use super::{WRITE, section, total, wait_for_none};
use crate::support::activator::{Activator, choose, put_to_sleep};
use crate::support::http::get;

const SERVICES: usize = 100;
/// How many are awake at once.
const AWAKE: usize = 10;
const MOST_KIB: u64 = 15 * 1024;

pub(crate) fn run() -> Result<()> {
    let command = [
        "python3",
        "-m",
        "http.server",
        "--bind",
        "127.0.0.1",
        "{port}",
    ];
    let all = names().map(|name| section(&name, &command, "max_scale = 1\nlog = \"off\"\n"));
    let config: String = all.collect();
    // One line for each start and stop would be most of what a scene prints.
    // Two workers, whatever the machine: each takes some memory.
    let flags = ["--log", "warn", "--workers", "2"];
    let activator = Activator::start_with(&format!("{config}{WRITE}"), &flags)?;
    let before = activator.process.resident_kib()?;
    ensure!(before < MOST_KIB, "{before} KiB with all asleep");

    let names: Vec<_> = names().collect();
    for awake in names.chunks(AWAKE) {
        thread::scope(|scope| {
            let client = |name| get(activator.http, "/", &choose(name));
            let clients: Vec<_> = awake
                .iter()
                .map(|name| scope.spawn(move || client(name)))
                .collect();
            for client in clients {
                let answer = client.join().expect("a client does not panic")?;
                ensure!(answer.status == 200, "{}{}", answer.head, answer.body);
            }
            anyhow::Ok(())
        })?;
        for name in awake {
            put_to_sleep(activator.admin, name)?;
        }
        wait_for_none(&activator)?;
    }
    let starts = total(&activator, "activator_instance_starts_total")?;
    ensure!(starts == SERVICES as u64, "{starts} starts");
    let after = activator.process.resident_kib()?;
    // Not held: it has no target, and the /metrics that this scene reads are in it.
    println!(
        "{SERVICES} services asleep: {before} KiB resident; {after} KiB after each was awake once"
    );
    activator.stop()
}

fn names() -> impl Iterator<Item = String> {
    (0..SERVICES).map(|it| format!("app-{it}"))
}
