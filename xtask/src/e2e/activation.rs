//! Requests that wait for a service without instances, also more than the queue takes.

use std::net::SocketAddr;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::nginx::Nginx;
use super::slow_server::SlowServer;
use crate::support::activator::{Activator, choose};
use crate::support::http::{Answer, get};
use crate::support::process::{free_address, wait_until};

const REQUESTS: u64 = 500;
/// `container_concurrency` of the revision under test.
const LIMIT: u64 = 10;
const START_OF_NGINX: Duration = Duration::from_secs(3);

/// 500 requests wait; nginx starts 3 s later and the file names it.
pub(crate) fn run() -> Result<()> {
    let slow = SlowServer::start()?;
    let address = free_address()?;
    let activator = Activator::start(&revision(&[], ""))?;
    let waiting = queue(&activator, REQUESTS, "/slow?seconds=0.02&id=")?;
    thread::sleep(START_OF_NGINX);

    let nginx = Nginx::start_in_front_of(address, slow.address)?;
    activator.write_config(&revision(&[address], ""))?;
    let answers: Vec<Answer> = waiting.into_iter().map(wait).collect::<Result<_>>()?;

    let good = answers.iter().filter(|answer| answer.status == 200).count();
    ensure!(good as u64 == REQUESTS, "{good} of {REQUESTS} got 200");
    let seen = slow.seen()?;
    ensure!(
        seen.ids.len() as u64 == REQUESTS,
        "each request reached the server once"
    );
    ensure!(seen.most_at_once <= LIMIT, "{} at once", seen.most_at_once);
    // Up to LIMIT requests are under way at once, and only threads in nginx and in the server decide
    // which of those is seen first.
    let overtaken = (0..)
        .zip(&seen.ids)
        .map(|(place, &id)| id.abs_diff(place))
        .max();
    let overtaken = overtaken.unwrap_or(0);
    ensure!(
        overtaken < LIMIT,
        "a request was {overtaken} places off the order of arrival"
    );

    let (probe, first) = nginx.first_probe_and_request()?;
    println!(
        "{good} of {REQUESTS} got 200, at most {} at once, at most {overtaken} places off the order of arrival; the first was with nginx {:?} after its first good probe",
        seen.most_at_once,
        first.saturating_sub(probe),
    );
    ensure!(
        first <= probe + Duration::from_millis(10),
        "later than 10 ms"
    );
    activator.wait_for_idle(Duration::from_millis(2_500))?;
    activator.stop()
}

/// With one at a time, the order of arrival must hold exactly.
pub(crate) fn run_in_order() -> Result<()> {
    let slow = SlowServer::start()?;
    let activator = Activator::start(&revision(&[], "container_concurrency = 1\n"))?;
    let waiting = queue(&activator, 100, "/?id=")?;
    activator.write_config(&revision(&[slow.address], "container_concurrency = 1\n"))?;
    for answer in waiting {
        ensure!(wait(answer)?.status == 200);
    }
    let seen = slow.seen()?;
    ensure!(
        seen.ids == (0..100).collect::<Vec<_>>(),
        "out of order: {:?}",
        seen.ids
    );
    ensure!(seen.most_at_once == 1, "{} at once", seen.most_at_once);
    println!("100 requests in order of arrival, one at a time");
    activator.stop()
}

/// A queue of depth 50 refuses 50 of 100 with 503.
pub(crate) fn run_full() -> Result<()> {
    let slow = SlowServer::start()?;
    let activator = Activator::start(&revision(&[], "queue_depth = 50\n"))?;
    let waiting = send(&activator, 0..100, "/?id=");
    let deadline = Instant::now() + Duration::from_secs(10);
    while waiting.iter().filter(|answer| answer.is_finished()).count() < 50 {
        ensure!(Instant::now() < deadline, "fewer than 50 were refused");
        thread::sleep(Duration::from_millis(10));
    }
    activator.write_config(&revision(&[slow.address], "queue_depth = 50\n"))?;
    let answers: Vec<Answer> = waiting.into_iter().map(wait).collect::<Result<_>>()?;
    let refused = |answer: &&Answer| {
        answer.status == 503
            && answer.body.trim() == "pending request queue full"
            && answer.head.to_lowercase().contains("\r\nretry-after: ")
    };
    let refused = answers.iter().filter(refused).count();
    let good = answers.iter().filter(|answer| answer.status == 200).count();
    println!("{refused} of 100 refused, {good} served later");
    ensure!((refused, good) == (50, 50));
    activator.stop()
}

fn revision(backends: &[SocketAddr], more: &str) -> String {
    let limit = if more.contains("container_concurrency") {
        String::new()
    } else {
        format!("container_concurrency = {LIMIT}\n")
    };
    let revision = crate::support::activator::revision("held", backends);
    format!("{revision}probe = \"knative\"\n{limit}{more}")
}

type Pending = thread::JoinHandle<Result<Answer>>;

/// Sends requests, each on its own connection, without waiting for responses.
fn send(activator: &Activator, ids: Range<u64>, path: &str) -> Vec<Pending> {
    let address = activator.http;
    ids.map(|id| {
        let path = format!("{path}{id}");
        thread::spawn(move || get(address, &path, &choose("held")))
    })
    .collect()
}

/// Sends requests, each once the one before is in the queue.
fn queue(activator: &Activator, count: u64, path: &str) -> Result<Vec<Pending>> {
    let mut waiting = Vec::new();
    for id in 0..count {
        waiting.extend(send(activator, id..id + 1, path));
        wait_until("a request is not queued", Duration::from_secs(10), || {
            let queued = activator.series("kn_revision_request_queued")?;
            Ok((queued.values().sum::<f64>() == (id + 1) as f64).then_some(()))
        })?;
    }
    Ok(waiting)
}

fn wait(pending: Pending) -> Result<Answer> {
    pending.join().expect("a client thread does not panic")
}
