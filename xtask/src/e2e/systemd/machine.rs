//! A systemd as process 1 of its own namespaces, with the units of `deploy/systemd`.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::SERVICE;
use crate::command::root;
use crate::support::activator::program;
use crate::support::process::{Process, Scratch, Stat, wait_until};

const UNITS: &str = "etc/systemd/system";
/// The targets that units depend on; nothing else is wanted by them here.
const TARGETS: [&str; 7] = [
    "basic",
    "multi-user",
    "network-online",
    "shutdown",
    "sockets",
    "sysinit",
    "trial",
];
const SOON: Duration = Duration::from_secs(20);

pub(super) struct Machine {
    systemd: Process,
    /// The number of its process 1 outside.
    init: String,
    /// Removed last.
    _scratch: Scratch,
}

impl Machine {
    /// The activator listens at `http`, by its socket unit, and with its admin port at `admin`.
    pub(super) fn boot(http: SocketAddr, admin: SocketAddr) -> Result<Self> {
        ensure!(
            rustix::process::geteuid().is_root(),
            "systemd needs namespaces, which only root may make: sudo -E cargo xtask e2e systemd"
        );
        let scratch = Scratch::new("systemd")?;
        let base = scratch.path("files");
        let write = |path: &str, text: &str| write(&base, path, text);
        for target in TARGETS {
            write(
                &format!("{UNITS}/{target}.target"),
                "[Unit]\nDefaultDependencies=no\n",
            )?;
        }
        write(&format!("{UNITS}/{SERVICE}"), &unit(SERVICE)?)?;
        let socket = unit("activator.socket")?.replace("127.0.0.1:8012", &http.to_string());
        write(&format!("{UNITS}/activator.socket"), &socket)?;
        write("etc/activator.conf", &unit("activator.sysusers")?)?;
        let trial = format!(
            "[Service]\nEnvironment=ACTIVATOR_LISTEN_ADMIN={admin} ACTIVATOR_LISTEN_HTTP2=off ACTIVATOR_ADMIN_WRITE=true\n\
             StandardError=append:/var/log/activator.log\nWatchdogSec=2\n"
        );
        write(&format!("{UNITS}/{SERVICE}.d/trial.conf"), &trial)?;
        let server = std::fs::read_to_string(root().join("e2e/systemd/server.py"))?;
        write("srv/server.py", &server)?;
        std::fs::create_dir_all(base.join("usr/bin"))?;
        std::fs::copy(program(), base.join("usr/bin/activator"))?;

        let mut boot = Command::new("sh");
        boot.arg(root().join("e2e/systemd/boot.sh"))
            .arg(scratch.path(""));
        let systemd = Process::start(&mut boot)?;
        let init = wait_until("systemd has not started", SOON, || Ok(init(systemd.id())))?;
        let machine = Self {
            systemd,
            init,
            _scratch: scratch,
        };
        wait_until("systemd is not ready", SOON, || {
            let state = machine.output(&["systemctl", "is-system-running"]);
            Ok(state.is_ok_and(|state| state == "running").then_some(()))
        })
        .with_context(|| machine.log())?;
        Ok(machine)
    }

    /// Writes a file in the machine.
    pub(super) fn write(&self, path: &str, text: &str) -> Result<()> {
        let root = format!("/proc/{}/root", self.init);
        write(Path::new(&root), path, text)
    }

    /// Adds the drop-ins for instances of any user.
    pub(super) fn add_drop_ins(&self) -> Result<()> {
        ["launch.conf", "launch-users.conf"]
            .into_iter()
            .try_for_each(|name| self.write(&format!("{UNITS}/{SERVICE}.d/{name}"), &unit(name)?))
    }

    /// Runs a command in the machine.
    pub(super) fn run(&self, command: &[&str]) -> Result<()> {
        self.output(command).map(drop)
    }

    /// What a command in the machine prints.
    pub(super) fn output(&self, command: &[&str]) -> Result<String> {
        let output = Command::new("timeout")
            .args(["60", "nsenter", "--mount", "--pid", "--target", &self.init])
            .args(command)
            .stdin(Stdio::null())
            .output()?;
        let (said, problem) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        ensure!(
            output.status.success(),
            "{command:?}: {} {said} {problem}",
            output.status
        );
        Ok(said.trim().to_owned())
    }

    /// A property of the service.
    pub(super) fn property(&self, name: &str) -> Result<String> {
        self.output(&["systemctl", "show", "--value", "--property", name, SERVICE])
    }

    /// The number of the service's main process in the machine.
    pub(super) fn main(&self) -> Result<String> {
        self.property("MainPID")
    }

    /// What systemd knows of the service, and what that has said.
    pub(super) fn log(&self) -> String {
        let status = ["systemctl", "show", "activator.socket", SERVICE];
        let status = self
            .output(&status)
            .unwrap_or_else(|error| error.to_string());
        let service = format!("/proc/{}/root/var/log/activator.log", self.init);
        let service = std::fs::read_to_string(service).unwrap_or_default();
        format!("systemd:\n{status}\nactivator:\n{service}")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It may have ended by itself; otherwise its files go with it.
        if self.systemd.signal("TERM").is_ok() {
            let _ = self.systemd.wait(SOON);
        }
    }
}

/// A file of `deploy/systemd`.
fn unit(name: &str) -> Result<String> {
    let path = root().join("deploy/systemd").join(name);
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

fn write(root: &Path, path: &str, text: &str) -> Result<()> {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().context("a file is in a directory")?)?;
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The process 1 of what `boot.sh` has started, once it is systemd.
fn init(boot: u32) -> Option<String> {
    let child = |of: &str| {
        let children = std::fs::read_to_string(format!("/proc/{of}/task/{of}/children")).ok()?;
        children.split_whitespace().next().map(str::to_owned)
    };
    let init = child(&child(&boot.to_string())?)?;
    let is_systemd = Stat::of(init.parse().ok()?).is_ok_and(|stat| stat.program == "systemd");
    is_systemd.then_some(init)
}
