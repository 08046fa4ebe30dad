//! A Python server whose requests take as long as they ask for, and that records them.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::root;
use crate::support::http::get;
use crate::support::process::{Process, free_address, wait_for_listener};

/// A running `e2e/slow_server.py`.
pub(crate) struct SlowServer {
    pub(crate) address: SocketAddr,
    _process: Process,
}

/// What it has seen.
pub(crate) struct Seen {
    /// The most requests that it served at once.
    pub(crate) most_at_once: u64,
    /// The `id` of each request, in the order in which they came.
    pub(crate) ids: Vec<u64>,
}

impl SlowServer {
    pub(crate) fn start() -> Result<Self> {
        let address = free_address()?;
        let process = Process::start(
            Command::new("python3")
                .arg(root().join("e2e/slow_server.py"))
                .arg(address.port().to_string()),
        )?;
        wait_for_listener(address)?;
        Ok(Self {
            address,
            _process: process,
        })
    }

    pub(crate) fn seen(&self) -> Result<Seen> {
        let body = get(self.address, "/seen", "")?.body;
        let number = |text: &str| text.trim().trim_matches('"').parse::<u64>().ok();
        let most = body
            .split_once("\"most_at_once\": ")
            .context("no most_at_once")?
            .1;
        let most = most
            .split(',')
            .next()
            .and_then(number)
            .context("a number")?;
        let ids = body.split_once("\"ids\": [").context("no ids")?.1;
        Ok(Seen {
            most_at_once: most,
            ids: ids
                .trim_end_matches("]}")
                .split(',')
                .filter_map(number)
                .collect(),
        })
    }
}
