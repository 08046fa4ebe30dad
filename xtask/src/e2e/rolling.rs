//! Three backends restart gracefully under load, one after another; no request fails.

use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::nginx::Nginx;
use crate::support::activator::{Activator, choose, revision};
use crate::support::process::free_address;

pub(crate) fn run() -> Result<()> {
    let addresses = [free_address()?, free_address()?, free_address()?];
    let mut servers = Vec::new();
    for address in addresses {
        servers.push(Nginx::start_at(address)?);
    }
    let config =
        |addresses: &[SocketAddr]| revision("files", addresses) + "container_concurrency = 40\n";
    let activator = Activator::start(&config(&addresses))?;
    let mut wrk = Command::new("wrk");
    wrk.args(["--threads", "1", "--connections", "60", "--duration", "15s"]);
    for header in choose("files").lines() {
        wrk.args(["--header", header]);
    }
    wrk.arg(format!("http://{}/1k", activator.http));
    let load = thread::spawn(move || crate::command::output(&mut wrk));

    thread::sleep(Duration::from_secs(1));
    for (index, &address) in addresses.iter().enumerate() {
        // As a deployment does it: out of the list, then told to finish, then back.
        let others: Vec<_> = addresses
            .iter()
            .copied()
            .filter(|&it| it != address)
            .collect();
        activator.write_config(&config(&others))?;
        thread::sleep(Duration::from_secs(1));
        servers[index].stop_gracefully()?;
        servers[index] = Nginx::start_at(address)?;
        activator.write_config(&config(&addresses))?;
        thread::sleep(Duration::from_secs(1));
    }
    let report = load.join().expect("the load thread does not panic")?;
    println!("{report}");
    for trouble in ["Socket errors", "Non-2xx"] {
        ensure!(!report.contains(trouble), "wrk saw errors");
    }
    activator.wait_for_idle(Duration::from_millis(2_500))?;
    activator.stop()
}
