//! The Debian package: dpkg installs, upgrades and purges it in a directory of its own, and the program runs there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::command::run as run_command;
use crate::dist::parts::Parts;
use crate::program::Target;
use crate::support::activator::choose;
use crate::support::chroot;
use crate::support::http::get;
use crate::support::process::{Process, Scratch, free_address, wait_for_listener};
use crate::{deb, dist};

const CONFIGURATION: &str = "etc/activator.toml";
const PROGRAM: &str = "/usr/bin/activator";
const ENABLED: &str = "etc/systemd/system/multi-user.target.wants/activator.service";

pub(crate) fn run() -> Result<()> {
    let target = Target::find(None)?;
    let parts = Parts::build(&target)?;
    let first = deb::pack(&parts, &target, 1)?;
    let bytes = std::fs::read(&first)?;
    println!(
        "package: {:.1} MiB",
        bytes.len() as f64 / f64::from(1 << 20)
    );
    deb::pack(&parts, &target, 1)?;
    ensure!(
        bytes == std::fs::read(&first)?,
        "the same parts give two packages"
    );

    let scratch = Scratch::new("deb")?;
    let machine = Machine::new(scratch.path("root"))?;
    machine.dpkg("--install", &first)?;
    let user = machine.user()?;
    for path in [ENABLED, "usr/lib/systemd/system/activator.socket"] {
        ensure!(machine.has(path), "no {path}");
    }
    check(&machine, &user)?;
    look(&machine, &user)?;

    let second = deb::pack(&parts, &target, 2)?;
    let upgraded = upgrade(&machine, &second);
    // It is not for release.
    std::fs::remove_file(&second)?;
    dist::sum(second.parent().context("it is in a directory")?)?;
    upgraded?;
    purge(&machine)
}

/// The configuration that comes with it is right, and the service starts with it.
fn check(machine: &Machine, user: &str) -> Result<()> {
    let configuration = format!("/{CONFIGURATION}");
    let mut check = chroot::command(&machine.root, user, PROGRAM);
    run_command(check.args(["check", &configuration]))?;
    let admin = free_address()?;
    let mut activator = chroot::command(&machine.root, user, PROGRAM);
    activator
        .args(["--config", &configuration])
        .env("ACTIVATOR_LISTEN_HTTP", free_address()?.to_string())
        .env("ACTIVATOR_LISTEN_HTTP2", "off")
        .env("ACTIVATOR_LISTEN_ADMIN", admin.to_string());
    let activator = Process::start(activator.stdout(Stdio::null()))?;
    wait_for_listener(admin)?;
    let answer = get(admin, "/livez", "")?;
    ensure!(answer.status == 200, "/livez: status {}", answer.status);
    end(activator)
}

/// The first look, without a configuration: a request starts its service.
fn look(machine: &Machine, user: &str) -> Result<()> {
    let (http, admin) = (free_address()?, free_address()?);
    let mut activator = chroot::command(&machine.root, user, PROGRAM);
    activator
        .env("ACTIVATOR_LISTEN_HTTP", http.to_string())
        .env("ACTIVATOR_LISTEN_HTTP2", "off")
        .env("ACTIVATOR_LISTEN_ADMIN", admin.to_string());
    let activator = Process::start(activator.stdout(Stdio::null()))?;
    wait_for_listener(http)?;
    let answer = get(http, "/", &choose("hello"))?;
    ensure!(
        answer.status == 200,
        "the first look: status {}",
        answer.status
    );
    end(activator)
}

fn end(mut activator: Process) -> Result<()> {
    activator.signal("TERM")?;
    let status = activator.wait(Duration::from_secs(40))?;
    ensure!(status.success(), "the activator ended with {status}");
    Ok(())
}

/// What an operator has changed stays.
fn upgrade(machine: &Machine, package: &Path) -> Result<()> {
    let configuration = machine.root.join(CONFIGURATION);
    let changed = "# changed\n";
    std::fs::write(&configuration, changed)?;
    let enabled = machine.root.join(ENABLED);
    std::fs::remove_file(&enabled)?;
    machine.dpkg("--install", package)?;
    ensure!(
        std::fs::read_to_string(&configuration)? == changed,
        "the upgrade has replaced {CONFIGURATION}"
    );
    ensure!(
        !machine.has(ENABLED),
        "the upgrade has enabled the service again"
    );
    let status = std::fs::read_to_string(machine.root.join("var/lib/dpkg/status"))?;
    ensure!(status.contains("-2\n"), "not upgraded: {status}");
    Ok(())
}

/// Nothing stays but the user.
fn purge(machine: &Machine) -> Result<()> {
    let state = machine.root.join("var/lib/activator");
    std::fs::create_dir_all(&state)?;
    std::fs::write(state.join("file"), "written by the service")?;
    machine.dpkg("--remove", Path::new("activator"))?;
    ensure!(!machine.has(&PROGRAM[1..]), "{PROGRAM} is still there");
    ensure!(
        machine.has(CONFIGURATION),
        "{CONFIGURATION} is removed before the purge"
    );
    machine.dpkg("--purge", Path::new("activator"))?;
    let mut left = Vec::new();
    named(&machine.root, &mut left)?;
    let dpkg = machine.root.join("var/lib/dpkg");
    left.retain(|path| !path.starts_with(&dpkg));
    ensure!(left.is_empty(), "the purge leaves {left:?}");
    Ok(())
}

/// The files below `directory` that are named after the program.
fn named(directory: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().contains("activator") {
            found.push(entry.path());
        } else if entry.file_type()?.is_dir() {
            named(&entry.path(), found)?;
        }
    }
    Ok(())
}

/// A directory in which dpkg finds no package yet.
struct Machine {
    root: PathBuf,
}

impl Machine {
    fn new(root: PathBuf) -> Result<Self> {
        for directory in [
            "dev",
            "etc",
            "proc",
            "var/lib/dpkg/info",
            "var/lib/dpkg/updates",
        ] {
            std::fs::create_dir_all(root.join(directory))?;
        }
        for file in ["status", "available"] {
            std::fs::write(root.join("var/lib/dpkg").join(file), "")?;
        }
        Ok(Self { root })
    }

    fn dpkg(&self, action: &str, what: &Path) -> Result<()> {
        let mut dpkg = Command::new("dpkg");
        dpkg.arg(format!("--root={}", self.root.display()))
            // There is no shell in it, and none of the packages that this one depends on.
            .args(["--force-script-chrootless", "--force-depends", action])
            .arg(what)
            // Nobody responds to questions.
            .stdin(Stdio::null());
        run_command(&mut dpkg)
    }

    fn has(&self, path: &str) -> bool {
        self.root.join(path).symlink_metadata().is_ok()
    }

    /// The numbers of the activator's user and group.
    fn user(&self) -> Result<String> {
        let users = std::fs::read_to_string(self.root.join("etc/passwd"));
        let users = users.context("no user was made")?;
        let user = users.lines().find(|line| line.starts_with("activator:"));
        let fields: Vec<_> = user.context("no user activator")?.split(':').collect();
        ensure!(fields.len() > 3, "a line of etc/passwd: {fields:?}");
        Ok(format!("{}:{}", fields[2], fields[3]))
    }
}
