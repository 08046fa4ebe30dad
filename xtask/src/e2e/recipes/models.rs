//! Two models that take turns, one of them frozen while it is idle.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::expect;
use super::trial::{Trial, wait_for_end};
use crate::support::http::get_from;
use crate::support::process::wait_until;

/// The time that the stand-in takes to load.
const LOADING: Duration = Duration::from_secs(2);
/// `--parallel` of the recipe, its `container_concurrency`.
const PARALLEL: u32 = 4;

pub(super) fn run() -> Result<()> {
    // Nobody wants to wait for ten minutes here.
    let trial = Trial::new("A model server", &[("\"10m\"", "\"6s\"".to_owned())])?;
    trial.put("llama-server", "bin/llama-server")?;
    let activator = trial.start()?;

    let start = Instant::now();
    let answers: Vec<_> = thread::scope(|scope| {
        let ask = |_| scope.spawn(|| Served::by(&trial, "qwen"));
        let asked: Vec<_> = (0..3 * PARALLEL).map(ask).collect();
        let join = asked.into_iter().map(|asked| asked.join());
        join.map(|answer| answer.expect("a client does not panic"))
            .collect::<Result<_>>()
    })?;
    ensure!(start.elapsed() >= LOADING, "served before it was loaded");
    let qwen = answers[0].process;
    let most = answers.iter().map(|answer| answer.most).max();
    ensure!(
        answers.iter().all(|answer| answer.process == qwen),
        "more than one process"
    );
    ensure!(most == Some(PARALLEL), "{most:?} at once");

    // The other one takes its place, once it is gone. A browser sees a page until it is loaded.
    let browser = "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\n";
    let page = get_from(trial.http, "gemma.localhost", "/", browser)?;
    ensure!(
        page.status == 503 && page.body.contains("<html"),
        "no waiting page: {} {}",
        page.status,
        page.body
    );
    let gemma = Served::by(&trial, "gemma")?.process;
    wait_for_end(qwen)?;
    let qwen = Served::by(&trial, "qwen")?.process;
    wait_for_end(gemma)?;

    wait_until("it is not frozen", Duration::from_secs(20), || {
        let state = std::fs::read_to_string(format!("/proc/{qwen}/stat"))?;
        let state = state.rsplit_once(") ").context("no state")?.1;
        Ok(state.starts_with('T').then_some(()))
    })?;
    let start = Instant::now();
    let woken = Served::by(&trial, "qwen")?.process;
    let took = start.elapsed();
    ensure!(woken == qwen, "another process after it was frozen");
    ensure!(took < LOADING / 2, "woken after {took:?}");
    println!("{PARALLEL} at once; frozen, and answered {took:?} after the next request");
    trial.stop(activator)
}

/// What the stand-in says.
struct Served {
    process: u32,
    most: u32,
}

impl Served {
    fn by(trial: &Trial, model: &str) -> Result<Self> {
        let answer = trial.get(&format!("{model}.localhost"), "/")?;
        expect(&answer, &format!("{model}.gguf "))?;
        let mut numbers = answer.body.split_whitespace().skip(1).map(str::parse);
        let mut number = || -> Result<u32> { Ok(numbers.next().context("no number")??) };
        Ok(Self {
            process: number()?,
            most: number()?,
        })
    }
}
