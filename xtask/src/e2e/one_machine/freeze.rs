//! Services that are frozen when idle: how fast they wake, and that none is frozen while it has a request.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::app::App;
use super::{SOON, left, total, wait_for_instances};
use crate::support::activator::{Activator, choose};
use crate::support::http::get;
use crate::support::median::median;
use crate::support::process::wait_until;

const SERVICES: usize = 20;
/// Requests that wake a service together.
const AT_ONCE: usize = 5;
/// How much later than an awake one a frozen service may respond.
const MORE: Duration = Duration::from_millis(20);
/// Longer than the window of 6 s.
const IN_FLIGHT: Duration = Duration::from_secs(10);

pub(crate) fn run() -> Result<()> {
    let app = App::new()?;
    let limits = "max_scale = 1\nstable_window = \"6s\"\nidle_action = \"freeze\"\n";
    let all = (0..SERVICES).map(|it| app.section(&format!("app-{it}"), limits));
    let config: String = all.chain([app.section("busy", limits)]).collect();
    let activator = Activator::start(&config)?;
    let mut processes = Vec::new();
    for service in 0..SERVICES {
        processes.push(ask(&activator, &format!("app-{service}"), "/")?.1);
    }

    never_with_a_request(&activator)?;
    wait_for_instances(&activator, "frozen", SERVICES as u64 + 1)?;
    for process in &processes {
        let state = left::state(*process)?;
        ensure!(state == 'T', "frozen, and in state {state}");
    }

    let (mut woken, mut awake) = (Vec::new(), Vec::new());
    for (service, process) in processes.iter().enumerate() {
        let name = format!("app-{service}");
        woken.push(together(&activator, &name, *process)?);
        awake.push(together(&activator, &name, *process)?);
    }
    let (woken, awake) = (median(&woken), median(&awake));
    println!(
        "the median of {SERVICES} wakes by {AT_ONCE} requests: the last is answered after {woken:?}, by one that is awake after {awake:?}"
    );
    ensure!(woken < awake + MORE, "later than {MORE:?} more");
    let starts = total(&activator, "activator_instance_starts_total")?;
    ensure!(
        starts == 2 * SERVICES as u64 + 1,
        "{starts} starts and wakes"
    );

    wait_for_instances(&activator, "frozen", SERVICES as u64 + 1)?;
    activator.stop()?;
    // What is frozen ends as well.
    left::wait_for_end(&app.started()?)
}

/// A request that takes longer than the window: its process is never stopped meanwhile.
fn never_with_a_request(activator: &Activator) -> Result<()> {
    let (_, process) = ask(activator, "busy", "/")?;
    let address = activator.http;
    let path = format!("/?seconds={}", IN_FLIGHT.as_secs());
    let request = thread::spawn(move || get(address, &path, &choose("busy")));
    let mut looks = 0;
    while !request.is_finished() {
        let state = left::state(process)?;
        // It is frozen only after its last request, which may have ended right before this look.
        ensure!(
            state != 'T' || request.is_finished(),
            "frozen with a request"
        );
        looks += 1;
        thread::sleep(Duration::from_millis(5));
    }
    let answer = request.join().expect("a client does not panic")?;
    ensure!(answer.status == 200, "status {}", answer.status);
    println!("never stopped in {looks} looks during a request of {IN_FLIGHT:?}");
    wait_until("it is not frozen after it", SOON, || {
        Ok((left::state(process)? == 'T').then_some(()))
    })
}

/// How long a response took, and the process that it is from.
fn ask(activator: &Activator, name: &str, path: &str) -> Result<(Duration, u32)> {
    let began = Instant::now();
    let answer = get(activator.http, path, &choose(name))?;
    ensure!(answer.status == 200, "{}{}", answer.head, answer.body);
    let process = answer.body.parse().context("a process")?;
    Ok((began.elapsed(), process))
}

/// How long the slowest of some requests took, all answered by `process`.
fn together(activator: &Activator, name: &str, process: u32) -> Result<Duration> {
    let answers: Vec<_> = thread::scope(|scope| {
        let clients: Vec<_> = (0..AT_ONCE)
            .map(|_| scope.spawn(|| ask(activator, name, "/")))
            .collect();
        let join = |it: thread::ScopedJoinHandle<'_, _>| it.join().expect("no client panics");
        clients.into_iter().map(join).collect()
    });
    let mut slowest = Duration::ZERO;
    for answer in answers {
        let (took, by) = answer?;
        ensure!(by == process, "{name}: another instance");
        slowest = slowest.max(took);
    }
    Ok(slowest)
}
