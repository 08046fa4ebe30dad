//! The reporter under load against a real receiver that is killed, stopped, restarted and closed at
//! random; at the end every request must be in the receiver's sums.
//!
//! ```text
//! delivery_soak PYTHON RECEIVER [--seed N] [--disturbances N]
//! ```
//!
//! PYTHON has `e2e/requirements.txt` installed, RECEIVER is `e2e/receiver.py`. Exits with 0 only when
//! nothing was lost. A seed repeats the choices, not the timing of the machine.
#![expect(clippy::unwrap_used, reason = "a step that fails ends the run")]

mod disturb;
mod load;
mod receiver;
mod verdict;
mod watch;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reporter_core::Accounting;
use reporter_runtime::sink::autoscaler::{AutoscalerConfig, AutoscalerSink};
use reporter_runtime::{ConcurrencyReporter, SystemClock};

use crate::disturb::Disturber;
use crate::load::Load;
use crate::receiver::Receiver;
use crate::verdict::Verdict;
use crate::watch::{Memory, Watch};

/// The reporting period, as in production.
const INTERVAL: Duration = Duration::from_secs(1);
const PONG_TIMEOUT: Duration = Duration::from_millis(500);
const FLUSH_TIMEOUT: Duration = Duration::from_secs(20);

struct Arguments {
    python: String,
    receiver: String,
    seed: u64,
    disturbances: usize,
}

impl Arguments {
    fn parse() -> Option<Self> {
        let mut arguments = std::env::args().skip(1);
        let mut parsed = Self {
            python: arguments.next()?,
            receiver: arguments.next()?,
            seed: rand::random(),
            disturbances: 60,
        };
        while let Some(flag) = arguments.next() {
            let value = arguments.next()?;
            match flag.as_str() {
                "--seed" => parsed.seed = value.parse().ok()?,
                "--disturbances" => parsed.disturbances = value.parse().ok()?,
                _ => return None,
            }
        }
        Some(parsed)
    }
}

fn main() -> ExitCode {
    let Some(arguments) = Arguments::parse() else {
        eprintln!("usage: delivery_soak PYTHON RECEIVER [--seed N] [--disturbances N]");
        return ExitCode::from(64);
    };
    println!("seed {}", arguments.seed);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let verdict = runtime.block_on(run(&arguments));
    verdict.print();
    match verdict.failures() {
        failures if failures.is_empty() => {
            println!("delivered");
            ExitCode::SUCCESS
        }
        failures => {
            for failure in failures {
                println!("FAILED: {failure}");
            }
            println!("to repeat: --seed {}", arguments.seed);
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Verdict {
    let mut random = StdRng::seed_from_u64(arguments.seed);
    let receiver = Receiver::start(&arguments.python, &arguments.receiver);
    let watch = Watch::default();
    let clock = SystemClock::new();
    let config = AutoscalerConfig {
        ping_interval: PONG_TIMEOUT / 3,
        pong_timeout: PONG_TIMEOUT,
        flush_timeout: FLUSH_TIMEOUT,
        ..AutoscalerConfig::new(receiver.url())
    };
    let sink = AutoscalerSink::try_new("autoscaler", "activator-0", config)
        .unwrap()
        .observer(clock, watch.clone());
    let link_up = sink.link_up();
    let (reporter, task) = ConcurrencyReporter::builder(Accounting::Average)
        .interval(INTERVAL)
        .flush_timeout(FLUSH_TIMEOUT)
        .clock(clock)
        .sink(Box::new(sink))
        .spawn();

    let start = Instant::now();
    let load = Load::start(&reporter, random.random());
    let memory = Memory::sample_every(Duration::from_secs(2));
    let mut disturber = Disturber::new(receiver, link_up, random);
    disturber.disturb(arguments.disturbances).await;
    // Everything in flight must be known within a period of the last restart.
    tokio::time::sleep(2 * INTERVAL).await;
    let memory = memory.stop().await;
    let counted = load.stop().await;
    let untracked = reporter.untracked_requests();
    let stopped = task.stop().await;
    let took = start.elapsed();
    let report = disturber.receiver.report(&watch.confirmed());
    Verdict {
        took,
        disturbances: disturber.done,
        counted,
        untracked,
        told: watch.told(),
        stopped,
        memory,
        report,
    }
}
