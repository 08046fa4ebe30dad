//! 2 GiB up and down at the same time: an echo comes back complete, and in little memory.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::grpc;
use super::python::Python;
use crate::command::{self, root};
use crate::support::activator::{Activator, choose, revision};
use crate::support::process::{Process, free_address, wait_for_listener};

const MIB: usize = 1 << 20;
const SIZE: usize = 2048 * MIB;

pub(crate) fn run() -> Result<()> {
    let python = Python::prepare()?;
    let address = free_address()?;
    let _echo = Process::start(
        Command::new("python3")
            .arg(root().join("e2e/echo_server.py"))
            .arg(address.port().to_string()),
    )?;
    wait_for_listener(address)?;
    let shapes = grpc::Server::start(&python)?;
    let config = revision("echo", &[address]) + &revision("shapes", &[shapes.address]);
    let activator = Activator::start(&config)?;

    let measured = |protocol, echo: &dyn Fn() -> Result<()>| -> Result<()> {
        let start = Instant::now();
        echo()?;
        let (took, peak) = (start.elapsed(), activator.process.peak_kib()?);
        println!("{SIZE} bytes up and down over {protocol} in {took:.1?}; at most {peak} KiB");
        ensure!(peak < 40 * 1024, "40 MiB of memory or more");
        Ok(())
    };
    measured("HTTP/1.1", &|| curl(&activator))?;
    let mib = (SIZE / MIB).to_string();
    measured("HTTP/2", &|| {
        let mut client = grpc::client(&python, &activator, &["stream"], &[&mib]);
        command::run(&mut client)
    })?;
    activator.stop()
}

/// curl sends its input while it prints what comes back.
fn curl(activator: &Activator) -> Result<()> {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail", "--max-time", "300"]);
    curl.args(["--http1.1", "--upload-file", "-"]);
    for header in choose("echo").lines() {
        curl.args(["--header", header]);
    }
    let mut curl = curl
        .arg(format!("http://{}/", activator.http))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut up = curl.stdin.take().context("stdin is piped")?;
    let mut down = curl.stdout.take().context("stdout is piped")?;

    let noise = noise()?;
    let sent = noise.clone();
    let sender = std::thread::spawn(move || {
        (0..SIZE / MIB).try_for_each(|number| up.write_all(block(&sent, number)))
    });
    let mut came = vec![0; MIB];
    for number in 0..SIZE / MIB {
        down.read_exact(&mut came)
            .with_context(|| format!("the echo of MiB {number}"))?;
        ensure!(came == block(&noise, number), "MiB {number} differs");
    }
    ensure!(down.read(&mut came)? == 0, "more came back than was sent");
    sender.join().expect("the sender does not panic")?;
    ensure!(curl.wait()?.success(), "curl failed");
    Ok(())
}

/// Twice as much as a block, so that each block can begin at a different offset.
fn noise() -> Result<Vec<u8>> {
    let mut noise = vec![0; 2 * MIB];
    File::open("/dev/urandom")?.read_exact(&mut noise)?;
    Ok(noise)
}

fn block(noise: &[u8], number: usize) -> &[u8] {
    &noise[number * 4099 % MIB..][..MIB]
}
