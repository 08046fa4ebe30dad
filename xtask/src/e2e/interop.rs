//! gRPC's own interoperability tests: client and server in Go, with the activator between them.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::go::Go;
use crate::support::activator::{Activator, revision};
use crate::support::process::{Process, free_address, wait_for_listener};

/// All that need neither credentials nor several connections.
const CASES: [&str; 14] = [
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "timeout_on_sleeping_server",
    "cancel_after_begin",
    "cancel_after_first_response",
    "status_code_and_message",
    "special_status_message",
    "unimplemented_method",
    "unimplemented_service",
    "custom_metadata",
];

/// The timeout of a case.
const LONG: Duration = Duration::from_secs(60);

pub(crate) fn run() -> Result<()> {
    let go = Go::prepare()?;
    let backend = free_address()?;
    let port = backend.port().to_string();
    let _server = Process::start(go.program("server").args(["-port", &port]))?;
    wait_for_listener(backend)?;
    let activator = Activator::start(&revision("interop", &[backend]))?;
    for case in CASES {
        let mut client = go.program("client");
        client
            .args(["-server_host", &activator.http2.ip().to_string()])
            .args(["-server_port", &activator.http2.port().to_string()])
            .args(["-test_case", case])
            .arg("-additional_metadata")
            .arg("knative-serving-namespace:default;knative-serving-revision:interop");
        let status = Process::start(&mut client)?.wait(LONG)?;
        ensure!(status.success(), "{case}: {status}");
    }
    activator.wait_for_idle(Duration::from_millis(2_500))?;
    println!("{} cases", CASES.len());
    activator.stop()
}
