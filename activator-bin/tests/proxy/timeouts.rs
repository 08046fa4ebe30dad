//! Requests that take too long. A limit that something has to come before is long enough for a busy machine.

use std::time::Duration;

use activator_bin::testing::{Activator, TimeoutLimits};

use crate::support::activator::{config, start_with};
use crate::support::backend::Backend;
use crate::support::http1::Message;

mod http1;
mod http2;
mod informational;
mod upgraded;

const SHORT: Duration = Duration::from_millis(100);
/// Nothing that a test does in a row takes longer.
const LONG: Duration = Duration::from_secs(2);
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

fn total(total: Duration) -> TimeoutLimits {
    TimeoutLimits {
        total,
        ..TimeoutLimits::default()
    }
}

fn response_start(limit: Duration) -> TimeoutLimits {
    TimeoutLimits {
        response_start: Some(limit),
        ..TimeoutLimits::default()
    }
}

fn idle(limit: Duration) -> TimeoutLimits {
    TimeoutLimits {
        idle: Some(limit),
        ..TimeoutLimits::default()
    }
}

fn start(backends: &[&Backend], timeouts: TimeoutLimits) -> Activator {
    let backends: Vec<_> = backends.iter().map(|backend| backend.address).collect();
    let mut config = config(&backends);
    config.revisions[0].timeouts = timeouts;
    config.revisions[0].container_concurrency = 1;
    start_with(config)
}

#[track_caller]
fn check_timed_out(answer: &Message) {
    let found = (answer.status(), &*answer.body);
    assert_eq!(found, (504, "activator request timeout\n"));
}
