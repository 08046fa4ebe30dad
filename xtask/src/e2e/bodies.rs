//! 100 MB down and up through the activator: intact, and in constant memory.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Command;

use anyhow::{Result, ensure};

use super::nginx::Nginx;
use crate::command;
use crate::support::activator::{Activator, choose, revision};
use crate::support::process::Scratch;

const SIZE: usize = 100_000_000;

pub(crate) fn run() -> Result<()> {
    let nginx = Nginx::start()?;
    let activator = Activator::start(&revision("files", &[nginx.address]))?;
    let scratch = Scratch::new("bodies")?;
    write_noise(&nginx.file("big"))?;

    let before = activator.process.resident_kib()?;
    let down = scratch.path("down");
    command::run(curl(&activator, "big").arg("--output").arg(&down))?;
    command::run(curl(&activator, "up").arg("--upload-file").arg(&down))?;
    let after = activator.process.resident_kib()?;

    let same = |a: &std::path::Path, b: &std::path::Path| -> Result<bool> {
        Ok(std::fs::read(a)? == std::fs::read(b)?)
    };
    ensure!(same(&nginx.file("big"), &down)?, "the download differs");
    ensure!(same(&nginx.file("up"), &down)?, "the upload differs");
    println!("{SIZE} bytes down and up; resident memory {before} KiB before, {after} KiB after");
    ensure!(after < before + 8 * 1024, "memory grew by more than 8 MiB");
    activator.stop()
}

fn curl(activator: &Activator, file: &str) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail", "--max-time", "60"]);
    for header in choose("files").lines() {
        curl.args(["--header", header]);
    }
    curl.arg(format!("http://{}/{file}", activator.http));
    curl
}

fn write_noise(path: &std::path::Path) -> Result<()> {
    let mut noise = vec![0; SIZE];
    File::open("/dev/urandom")?.read_exact(&mut noise)?;
    File::create(path)?.write_all(&noise)?;
    Ok(())
}
