//! Traces, with OpenTelemetry's Python packages as the collector and behind the activator.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value as Json;

use super::nginx::Nginx;
use super::python::Python;
use crate::command::{command, output};
use crate::support::activator::{Activator, choose, revision};
use crate::support::http::{Answer, get};
use crate::support::process::{Process, free_address, wait_for_listener, wait_until};

const LIMIT: Duration = Duration::from_secs(20);
/// The trace and the span that a client is in.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENT: &str = "00f067aa0ba902b7";
/// More than the activator keeps: of each request there are two spans.
const REQUESTS: u32 = 6_000;

/// Spans of requests that wait, are sent again, are aborted or begin a trace, over both protocols; and a collector that is
/// killed under load.
pub(crate) fn run() -> Result<()> {
    let python = Python::prepare()?;
    for protocol in ["http/protobuf", "grpc"] {
        arrive(&python, protocol).with_context(|| format!("over {protocol}"))?;
    }
    killed(&python)
}

fn arrive(python: &Python, protocol: &str) -> Result<()> {
    let collector = Collector::start(python, protocol, free_address()?)?;
    let server = free_address()?;
    let activator = Activator::start(&config(protocol, &collector, &[]))?;
    // It waits, since there is no instance yet.
    let headers = format!(
        "{}traceparent: 00-{TRACE}-{CLIENT}-01\r\ntracestate: vendor=1\r\n",
        choose("traced")
    );
    let http = activator.http;
    let waiting = std::thread::spawn(move || get(http, "/first", &headers));
    wait_until("the request is not queued", LIMIT, || {
        let queued = activator.series("kn_revision_request_queued")?;
        Ok((queued.values().sum::<f64>() == 1.0).then_some(()))
    })?;
    let mut script = python.script("traces.py");
    let _server = Process::start(script.args(["serve", &server.port().to_string()]))?;
    wait_for_listener(server)?;
    activator.write_config(&config(protocol, &collector, &[server]))?;
    let first = waiting.join().expect("a client does not panic")?;
    let seen = json(&first)?;
    let spans = collector.spans(3)?;
    let own = only(&spans, "SERVER")?;
    let (queued, attempt) = (only(&spans, "INTERNAL")?, only(&spans, "CLIENT")?);
    ensure!(own["trace"] == TRACE && own["parent"] == CLIENT && own["state"] == "vendor=1");
    ensure!(own["service"] == "activator" && own["instance"] != "");
    ensure!(own["attributes"]["kn.revision.name"] == "traced");
    ensure!(queued["name"] == "throttler_try" && queued["parent"] == own["id"]);
    ensure!(attempt["parent"] == own["id"]);
    // OpenTelemetry reads the context as it was meant.
    ensure!(seen["trace"] == TRACE && seen["state"] == "vendor=1");
    ensure!(seen["parent"] == attempt["id"] && seen["is_recorded"] == true);
    ensure!(time(own, "start")? <= time(queued, "start")?);
    ensure!(time(queued, "end")? <= time(attempt, "start")?);
    ensure!(time(attempt, "end")? <= time(own, "end")?);

    // The server closes its connection on the first attempt. No client has begun a trace.
    let seen = json(&get(activator.http, "/flaky?1", &choose("traced"))?)?;
    let spans = collector.spans(3)?;
    let own = only(&spans, "SERVER")?;
    ensure!(own["parent"] == "" && own["trace"] == seen["trace"]);
    ensure!(own["attributes"]["http.response.status_code"] == 200 && own["is_error"] == false);
    let attempts: Vec<_> = spans.iter().filter(|it| it["kind"] == "CLIENT").collect();
    let [failed, good] = &attempts[..] else {
        anyhow::bail!("two attempts, not {spans:?}");
    };
    ensure!(failed["attributes"]["error.type"] == "backend_reset" && failed["is_error"] == true);
    ensure!(good["attributes"]["http.request.resend_count"] == 1);
    ensure!(good["id"] == seen["parent"]);

    // Its client disconnects.
    let mut client = TcpStream::connect(activator.http)?;
    let head = format!("GET /slow HTTP/1.1\r\nHost: a\r\n{}\r\n", choose("traced"));
    client.write_all(head.as_bytes())?;
    wait_until("the request is not in flight", LIMIT, || {
        let active = activator.series("kn_revision_request_active")?;
        Ok((active.values().sum::<f64>() == 1.0).then_some(()))
    })?;
    drop(client);
    let spans = collector.spans(2)?;
    for span in &spans {
        ensure!(span["attributes"]["error.type"] == "client_gone", "{span}");
    }
    // The collector responds after it has printed them.
    wait_until("other spans are counted", LIMIT, || {
        let exported = activator.series("activator_spans_exported_total")?;
        Ok((exported[""] == 8.0).then_some(()))
    })?;
    println!("{protocol}: a request that waited, one that was sent again, one that was aborted");
    // What is left is sent at the end.
    get(activator.http, "/last", &choose("traced"))?;
    activator.stop()?;
    collector.spans(2)?;
    Ok(())
}

fn killed(python: &Python) -> Result<()> {
    let collector = Collector::start(python, "grpc", free_address()?)?;
    let address = collector.address;
    let nginx = Nginx::start()?;
    let activator = Activator::start(&config("grpc", &collector, &[nginx.address]))?;
    let exported = || -> Result<f64> {
        let exported = activator.series("activator_spans_exported_total")?;
        Ok(exported[""])
    };
    get(activator.http, "/1k", &choose("traced"))?;
    let before = wait_until("no span arrives", LIMIT, || {
        Ok(Some(exported()?).filter(|before| *before > 0.0))
    })?;
    drop(collector);
    let load = |requests: u32| -> Result<Duration> {
        let begin = Instant::now();
        let mut hey = command("hey -c 10 -n");
        let headers = choose("traced");
        hey.arg(requests.to_string());
        for header in headers.lines() {
            hey.args(["-H", header]);
        }
        let text = output(hey.arg(format!("http://{}/1k", activator.http)))?;
        let good = format!("[200]\t{requests} responses");
        ensure!(text.contains(&good), "not {good:?}:\n{text}");
        Ok(begin.elapsed())
    };
    let took = load(REQUESTS)?;
    let dropped = |reason: &str| -> Result<f64> {
        let dropped = activator.series("activator_spans_dropped_total")?;
        Ok(dropped[&format!("reason={reason:?}")])
    };

    let collector = Collector::start(python, "grpc", address)?;
    // It is tried again every few seconds. Some requests have waited, and have a span more.
    let arrived = |requests: u32, lost: f64| {
        wait_until("the rest does not arrive", LIMIT, || {
            let is_all = exported()? + lost >= f64::from(2 * requests);
            Ok(is_all.then_some(()))
        })
    };
    let lost = dropped("queue_full")?;
    ensure!(lost > 0.0 && dropped("given_up")? == 0.0);
    arrived(1 + REQUESTS, lost)?;
    let kept = (exported()? - before) as usize;
    collector.spans(kept)?;
    load(100)?;
    arrived(1 + REQUESTS + 100, lost)?;
    collector.spans(200)?;
    ensure!(dropped("queue_full")? == lost);
    println!(
        "without the collector {REQUESTS} requests got 200 in {took:.1?}; of their spans {kept} arrived when it was back, {lost} were dropped"
    );
    activator.stop()
}

/// Of a revision with these backends.
fn config(protocol: &str, collector: &Collector, backends: &[SocketAddr]) -> String {
    let to = collector.address;
    let revision = revision("traced", backends);
    // A client that closes its side has disconnected.
    let limits = "[limits]\nhalf_close = \"gone\"\n";
    format!("{limits}[tracing]\nprotocol = \"{protocol}\"\nendpoint = \"http://{to}\"\n{revision}")
}

/// A running collector; it is killed when this is dropped.
struct Collector {
    address: SocketAddr,
    lines: Receiver<(Instant, String)>,
    _process: Process,
}

impl Collector {
    fn start(python: &Python, protocol: &str, address: SocketAddr) -> Result<Self> {
        let mut script = python.script("traces.py");
        script.args(["collect", protocol, &address.port().to_string()]);
        let mut process = Process::start(script.stdout(Stdio::piped()))?;
        wait_for_listener(address)?;
        Ok(Self {
            address,
            lines: process.lines()?,
            _process: process,
        })
    }

    /// The next spans, so many.
    fn spans(&self, count: usize) -> Result<Vec<Json>> {
        let deadline = Instant::now() + LIMIT;
        let next = |_| {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let (_, line) = line.with_context(|| format!("not {count} spans in time"))?;
            Ok(serde_json::from_str(&line)?)
        };
        (0..count).map(next).collect()
    }
}

fn only<'a>(spans: &'a [Json], kind: &str) -> Result<&'a Json> {
    let mut found = spans.iter().filter(|span| span["kind"] == kind);
    match (found.next(), found.next()) {
        (Some(span), None) => Ok(span),
        _ => anyhow::bail!("one span of the kind {kind}, not {spans:?}"),
    }
}

fn time(span: &Json, name: &str) -> Result<u64> {
    span[name].as_u64().context("a time")
}

fn json(answer: &Answer) -> Result<Json> {
    ensure!(answer.status == 200, "{}", answer.body);
    Ok(serde_json::from_str(&answer.body)?)
}
