//! Clients that send one request after another, each of which must be served.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use super::api::Stop;
use super::client::{self, Protocol, agent, get, headers};
use super::objects::Revision;
use crate::command::output;

/// How many failures are told.
const TOLD: usize = 10;
/// The pause of a client after a failure.
const AFTER_FAILURE: Duration = Duration::from_millis(100);
/// The pause between the messages of a WebSocket.
const BETWEEN_MESSAGES: Duration = Duration::from_millis(100);

/// What a client does over and over: returns how many requests were served, 0 when there was nowhere to send one.
type Step = Box<dyn FnMut() -> Result<usize>>;

/// Running clients.
pub(crate) struct Load {
    stop: Stop,
    start: Instant,
    clients: Vec<JoinHandle<Tally>>,
}

/// What became of the requests.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) served: usize,
    pub(crate) slowest: Duration,
    failed: Vec<String>,
}

impl Load {
    /// Requests for `path` of a revision over HTTP/1.1, at the addresses that `addresses` knows, in turn.
    pub(crate) fn http1(
        revision: &Revision,
        clients: usize,
        path: &str,
        addresses: impl Fn() -> Vec<SocketAddr> + Send + Sync + 'static,
    ) -> Self {
        let (revision, path) = (revision.clone(), path.to_owned());
        let addresses = Arc::new(addresses);
        Self::start(clients, move |number| {
            let (revision, path) = (revision.clone(), path.clone());
            let (agent, addresses) = (agent(), Arc::clone(&addresses));
            let mut turns = number..;
            Box::new(move || {
                let (known, turn) = (addresses(), turns.next().unwrap_or(number));
                let Some(&address) = known.get(turn % known.len().max(1)) else {
                    return Ok(0);
                };
                let answer = get(&agent, address, &revision, &path);
                let (status, body) = answer.with_context(|| address.to_string())?;
                ensure!(status == 200, "{address}: {status} {}", body.trim());
                Ok(1)
            })
        })
    }

    /// The protocol's kind of load through one activator, each request or message of which stays for `stay`.
    pub(crate) fn of(
        protocol: Protocol,
        address: SocketAddr,
        revision: &Revision,
        clients: usize,
        stay: Duration,
    ) -> Self {
        let path = format!("/?sleep={}ms", stay.as_millis());
        match protocol {
            Protocol::Http1 => Self::http1(revision, clients, &path, move || vec![address]),
            Protocol::H2c => {
                let revision = revision.clone();
                let url = format!("http://{address}{path}");
                // One connection, whose streams are the clients.
                Self::start(1, move |_| {
                    let (url, revision) = (url.clone(), revision.clone());
                    Box::new(move || h2load(&url, &revision, clients))
                })
            }
            Protocol::WebSocket => {
                let revision = revision.clone();
                Self::start(clients, move |_| {
                    let revision = revision.clone();
                    let mut open = None;
                    Box::new(move || {
                        let socket = match &mut open {
                            Some(socket) => socket,
                            None => open.insert(client::open(address, &revision)?.0),
                        };
                        client::echo(socket)?;
                        std::thread::sleep(BETWEEN_MESSAGES);
                        Ok(1)
                    })
                })
            }
        }
    }

    fn start(clients: usize, client: impl Fn(usize) -> Step + Send + Sync + 'static) -> Self {
        let (stop, start, client) = (Stop::default(), Instant::now(), Arc::new(client));
        let run = |number| {
            let (stop, client) = (stop.clone(), Arc::clone(&client));
            std::thread::spawn(move || {
                let (mut step, mut tally) = (client(number), Tally::default());
                while !stop.is_set() {
                    let sent = Instant::now();
                    match step() {
                        Ok(0) => stop.wait(Duration::from_millis(10)),
                        Ok(served) => {
                            tally.served += served;
                            tally.slowest = tally.slowest.max(sent.elapsed());
                        }
                        Err(error) => {
                            let at = (sent - start).as_secs_f64();
                            tally.failed.push(format!("sent at {at:.3} s: {error:#}"));
                            stop.wait(AFTER_FAILURE);
                        }
                    }
                }
                tally
            })
        };
        let clients = (0..clients).map(run).collect();
        Self {
            stop,
            start,
            clients,
        }
    }

    /// Ends it. Fails when a request failed.
    pub(crate) fn stop(self) -> Result<Tally> {
        self.stop.set();
        let mut sum = Tally::default();
        for client in self.clients {
            let tally = client.join().expect("a client thread does not panic");
            sum.served += tally.served;
            sum.failed.extend(tally.failed);
            sum.slowest = sum.slowest.max(tally.slowest);
        }
        let (served, failed) = (sum.served, sum.failed.len());
        let seconds = self.start.elapsed().as_secs_f64();
        sum.failed.sort();
        let told = sum.failed[..failed.min(TOLD)].join("\n");
        ensure!(
            failed == 0,
            "{failed} requests failed and {served} were served in {seconds:.1} s:\n{told}"
        );
        ensure!(served > 0, "no request was sent");
        Ok(sum)
    }
}

/// Ten requests by each of `streams` streams on one connection.
fn h2load(url: &str, revision: &Revision, streams: usize) -> Result<usize> {
    let requests = streams * 10;
    let mut command = Command::new("h2load");
    command.args(["--clients=1", &format!("--requests={requests}")]);
    command.arg("--connection-inactivity-timeout=180s");
    command.arg(format!("--max-concurrent-streams={streams}"));
    for (name, value) in headers(revision) {
        let name = if name == "Host" { ":authority" } else { name };
        command.arg("--header").arg(format!("{name}: {value}"));
    }
    let report = output(command.arg(url))?;
    let all_succeeded = format!(" {requests} succeeded, 0 failed, 0 errored, 0 timeout");
    let all_good = format!("status codes: {requests} 2xx");
    if report.contains(&all_succeeded) && report.contains(&all_good) {
        return Ok(requests);
    }
    Err(anyhow!("h2load saw failures:\n{report}"))
}
