//! `deploy/systemd` under a real systemd: start, reload, restart, watchdog, instances and stop.

mod machine;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use self::machine::Machine;
use crate::support::activator::put_to_sleep;
use crate::support::http::get_from;
use crate::support::process::{free_address, wait_until};

const SERVICE: &str = "activator.service";
const FILE: &str = "etc/activator.toml";
const SOON: Duration = Duration::from_secs(30);

/// What the activator is, and its instance of the revision `own`.
const CONFIGURATION: &str = r#"
trust_knative_headers = false
[[revision]]
namespace = "default"
name = "own"
hosts = ["own.localhost"]
command = "python3 /srv/server.py"
max_scale = 1
"#;

/// Instances of other users, over TCP and over a unix socket.
const USERS: &str = r#"
[[revision]]
namespace = "default"
name = "user"
hosts = ["user.localhost"]
command = "python3 /srv/server.py"
user = "65534"
max_scale = 1

[[revision]]
namespace = "default"
name = "socket"
hosts = ["socket.localhost"]
command = "python3 /srv/server.py {socket}"
port = "socket"
user = "65534"
max_scale = 1
"#;

pub(crate) fn run() -> Result<()> {
    let (http, admin) = (free_address()?, free_address()?);
    let machine = Machine::boot(http, admin)?;
    machine.write(FILE, CONFIGURATION)?;
    machine.run(&["systemd-sysusers", "/etc/activator.conf"])?;
    let trial = || -> Result<()> {
        machine.run(&["systemctl", "start", "activator.socket", SERVICE])?;
        confined(&machine, http).context("confined")?;
        reload(&machine).context("reload")?;
        restart(&machine, http).context("restart")?;
        watchdog(&machine, http).context("watchdog")?;
        users(&machine, http, admin).context("users")?;
        stop(&machine).context("stop")
    };
    trial().with_context(|| machine.log())
}

/// The process is what the unit says, and so is its instance.
fn confined(machine: &Machine, http: SocketAddr) -> Result<()> {
    let said = says(http, "own")?;
    ensure!(said.ends_with("code no"), "the instance says {said:?}");
    let status = machine.output(&["cat", &format!("/proc/{}/status", machine.main()?)])?;
    let is_there = |name: &str, value: &str| {
        let mut lines = status.lines().filter_map(|line| line.split_once(":\t"));
        lines.any(|line| line == (name, value))
    };
    ensure!(
        is_there("CapEff", "0000000000000000")
            && is_there("CapBnd", "0000000000000000")
            && is_there("NoNewPrivs", "1")
            && is_there("Seccomp", "2"),
        "{status}"
    );
    Ok(())
}

/// `systemctl reload` waits for the end of a reload, and the status says how it ended.
fn reload(machine: &Machine) -> Result<()> {
    let reloads = |text: &str, expected: &str| {
        machine.write(FILE, text)?;
        machine.run(&["systemctl", "reload", SERVICE])?;
        let status = machine.property("StatusText")?;
        ensure!(status.contains(expected), "the status is {status:?}");
        ensure!(machine.property("ActiveState")? == "active", "not active");
        Ok(())
    };
    let good = "the configuration was read again";
    reloads(&format!("# changed\n{CONFIGURATION}"), good)?;
    reloads("workers = 0\n", "workers: expected a whole number")?;
    reloads(CONFIGURATION, good)
}

/// No request of a crowd is refused or lost by two restarts.
fn restart(machine: &Machine, http: SocketAddr) -> Result<()> {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let crowd: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut served = 0;
                    while !done.load(Ordering::Relaxed) {
                        says(http, "own")?;
                        served += 1;
                    }
                    Ok::<u64, anyhow::Error>(served)
                })
            })
            .collect();
        let restarts = (0..2).try_for_each(|_| machine.run(&["systemctl", "restart", SERVICE]));
        done.store(true, Ordering::Relaxed);
        let mut served = 0;
        for client in crowd {
            served += client.join().expect("a client does not panic")?;
        }
        println!("{served} requests during two restarts");
        restarts
    })
}

/// A process that does nothing more is replaced.
fn watchdog(machine: &Machine, http: SocketAddr) -> Result<()> {
    let stuck = machine.main()?;
    machine.run(&["kill", "-s", "STOP", &stuck])?;
    wait_until("the watchdog has not replaced it", SOON, || {
        let is_new = machine.main()? != stuck && machine.property("ActiveState")? == "active";
        Ok(is_new.then_some(()))
    })?;
    ensure!(
        machine.property("NRestarts")? == "1",
        "restarted by another"
    );
    says(http, "own").map(drop)
}

/// With the drop-ins instances may be of other users and do more, and are started and stopped all the same.
fn users(machine: &Machine, http: SocketAddr, admin: SocketAddr) -> Result<()> {
    machine.add_drop_ins()?;
    machine.write(FILE, &format!("{CONFIGURATION}{USERS}"))?;
    machine.run(&["systemctl", "daemon-reload"])?;
    machine.run(&["systemctl", "restart", SERVICE])?;
    for name in ["user", "socket"] {
        let said = says(http, name)?;
        ensure!(said == "user 65534, code yes", "{name} says {said:?}");
        let running = || machine.output(&["pgrep", "-u", "65534", "-f", "server.py"]);
        running()?;
        put_to_sleep(admin, name)?;
        wait_until("the instance has not ended", SOON, || {
            Ok(running().is_err().then_some(()))
        })?;
    }
    Ok(())
}

fn stop(machine: &Machine) -> Result<()> {
    says_nothing_is_wrong(machine, "active")?;
    machine.run(&["systemctl", "stop", "activator.socket", SERVICE])?;
    says_nothing_is_wrong(machine, "inactive")?;
    let left = machine.output(&["pgrep", "-f", "server.py|/usr/bin/activator"]);
    ensure!(left.is_err(), "still running: {left:?}");
    Ok(())
}

fn says_nothing_is_wrong(machine: &Machine, state: &str) -> Result<()> {
    let (is, result) = (
        machine.property("ActiveState")?,
        machine.property("Result")?,
    );
    ensure!(is == state && result == "success", "{is}, {result}");
    Ok(())
}

/// What the instance of a revision says of itself, without its process number.
fn says(http: SocketAddr, revision: &str) -> Result<String> {
    let answer = get_from(http, &format!("{revision}.localhost"), "/", "")?;
    ensure!(answer.status == 200, "{} {}", answer.status, answer.body);
    let (said, _) = answer.body.split_once(", process").context("no process")?;
    Ok(said.to_owned())
}
