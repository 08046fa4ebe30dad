//! gRPC with Python's grpcio on both sides.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::python::Python;
use crate::command;
use crate::support::activator::{Activator, revision};
use crate::support::process::{Process, free_address, wait_for_listener};

/// All four shapes, metadata and trailers, and calls that fail, are cancelled or last too long.
pub(crate) fn run() -> Result<()> {
    let python = Python::prepare()?;
    let server = Server::start(&python)?;
    let activator = Activator::start(&revision("shapes", &[server.address]))?;
    command::run(&mut client(&python, &activator, &["call"], &[]))?;
    activator.wait_for_idle(Duration::from_millis(2_500))?;
    println!("four shapes with their trailers, a failure, a cancellation, a deadline");
    activator.stop()
}

/// A running `e2e/grpc_shapes.py`.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    _process: Process,
}

impl Server {
    pub(crate) fn start(python: &Python) -> Result<Self> {
        let address = free_address()?;
        let mut script = python.script("grpc_shapes.py");
        let process = Process::start(script.args(["serve", &address.port().to_string()]))?;
        wait_for_listener(address)?;
        Ok(Self {
            address,
            _process: process,
        })
    }
}

/// Its client, which calls the revision `shapes`.
pub(crate) fn client(
    python: &Python,
    activator: &Activator,
    what: &[&str],
    how_much: &[&str],
) -> Command {
    let mut client = python.script("grpc_shapes.py");
    client
        .args(what)
        .arg(activator.http2.to_string())
        .args(how_much)
        .arg("knative-serving-namespace=default")
        .arg("knative-serving-revision=shapes");
    client
}
