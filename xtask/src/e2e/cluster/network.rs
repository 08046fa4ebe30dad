//! Network namespaces: a node with a bridge, and hosts on that bridge, each with an address of its own.
//!
//! Kubernetes takes no endpoints on loopback, so each pod needs an address that the node reaches. The names of all
//! namespaces begin alike: so a run finds what one that was killed has left behind, and disturbs nothing else.

use std::fs::File;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::command::output;
use crate::support::process::wait_until;

/// The node's address: the API server's, and that of all programs that are no pods.
pub(crate) const NODE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
/// The name of the node's namespace, with which those of its hosts begin.
const NAME: &str = "activator-e2e";
/// How long a cluster of another run is waited for.
const OTHER_RUN: Duration = Duration::from_secs(600);
const BRIDGE: &str = "br0";

/// The node's namespace. It is removed when this is dropped, and then the next run may begin.
pub(crate) struct Network {
    _lock: File,
}

impl Network {
    /// Makes it, after removing what a killed run left. There can be one at a time.
    pub(crate) fn new() -> Result<Self> {
        let path = std::env::temp_dir().join("activator-e2e-cluster.lock");
        let lock = File::create(&path).with_context(|| format!("cannot create {path:?}"))?;
        if lock.try_lock().is_err() {
            eprintln!("another run has a cluster up; waiting for its end");
            wait_until("its cluster is up", OTHER_RUN, || Ok(lock.try_lock().ok()))?;
        }
        for left in namespaces()? {
            remove(&left);
        }
        let network = Self { _lock: lock };
        batch(&format!(
            "netns add {NAME}\n\
             -n {NAME} link set lo up\n\
             -n {NAME} link add {BRIDGE} type bridge\n\
             -n {NAME} addr add {NODE}/16 dev {BRIDGE}\n\
             -n {NAME} link set {BRIDGE} up\n"
        ))?;
        Ok(network)
    }

    /// Moves the calling thread to the node, and with it all threads and programs that it starts from then on.
    pub(crate) fn enter(&self) -> Result<()> {
        enter(NAME)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        remove(NAME);
    }
}

/// A namespace with one address on the node's bridge. Dropping it ends all programs in it.
pub(crate) struct Host {
    name: String,
    link: String,
    pub(crate) address: Ipv4Addr,
}

impl Host {
    pub(crate) fn new(address: Ipv4Addr) -> Result<Self> {
        let [_, _, high, low] = address.octets();
        let (name, link) = (format!("{NAME}-{high}-{low}"), format!("p{high}-{low}"));
        batch(&format!(
            "netns add {name}\n\
             -n {NAME} link add {link} type veth peer name eth0 netns {name}\n\
             -n {NAME} link set {link} master {BRIDGE} up\n\
             -n {name} addr add {address}/16 dev eth0\n\
             -n {name} link set eth0 up\n\
             -n {name} link set lo up\n"
        ))?;
        Ok(Self {
            name,
            link,
            address,
        })
    }

    /// A command in this namespace; the process that starts becomes the program itself. Its mounts are its own.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]);
        command
    }

    /// Moves the calling thread there, and with it all threads and programs that it starts from then on.
    pub(crate) fn enter(&self) -> Result<()> {
        enter(&self.name)
    }

    /// Gives it one more address.
    pub(crate) fn add_address(&self, address: Ipv4Addr) -> Result<()> {
        batch(&format!(
            "-n {} addr add {address}/16 dev eth0\n",
            self.name
        ))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        remove(&self.name);
        // Without this the link is removed some time after its namespace, and the next with its name fails.
        quiet(&["-n", NAME, "link", "del", &self.link]);
    }
}

fn enter(name: &str) -> Result<()> {
    let path = format!("/run/netns/{name}");
    let file = File::open(&path).with_context(|| format!("cannot open {path}"))?;
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
        .with_context(|| format!("cannot enter {path}"))
}

/// The namespaces of a cluster, hosts first.
fn namespaces() -> Result<Vec<String>> {
    let list = output(Command::new("ip").args(["netns", "list"]))?;
    let ours = list
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| name.starts_with(NAME));
    let mut names: Vec<String> = ours.map(str::to_owned).collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    Ok(names)
}

/// Ends the programs in a namespace and removes it. It may be gone already.
fn remove(name: &str) {
    let pids = Command::new("ip").args(["netns", "pids", name]).output();
    for pid in String::from_utf8_lossy(&pids.map(|pids| pids.stdout).unwrap_or_default()).lines() {
        let mut kill = Command::new("kill");
        // It may have ended meanwhile.
        let _ = kill
            .args(["-s", "KILL", pid])
            .stderr(Stdio::null())
            .status();
    }
    quiet(&["netns", "del", name]);
}

/// Runs `ip` for what may have happened already.
fn quiet(arguments: &[&str]) {
    let mut command = Command::new("ip");
    let _ = command.args(arguments).stderr(Stdio::null()).status();
}

/// Runs several `ip` commands, one a line, each on its own: in a batch, `-n` cannot differ from line to line.
fn batch(lines: &str) -> Result<()> {
    let mut shell = Command::new("sh")
        .arg("-es")
        .stdin(Stdio::piped())
        .spawn()
        .context("cannot start sh")?;
    let script: String = lines.lines().map(|line| format!("ip {line}\n")).collect();
    let mut stdin = shell.stdin.take().context("stdin is piped")?;
    stdin.write_all(script.as_bytes())?;
    drop(stdin);
    let status = shell.wait()?;
    ensure!(status.success(), "ip failed; it ran\n{script}");
    Ok(())
}
