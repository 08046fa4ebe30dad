//! One container of a pod: its program, environment and files.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::check::Check;
use crate::e2e::cluster::activators::FROM_KNATIVE;
use crate::e2e::cluster::control_plane::SERVER_PORT;
use crate::e2e::cluster::network::{Host, NODE};
use crate::e2e::cluster::objects::{items, text};
use crate::e2e::cluster::part::log_to;
use crate::e2e::cluster::programs::program;
use crate::support::activator;
use crate::support::process::Process;

/// Gives a container its files, in mounts of its own, and turns into its program: as the user that the kubelet would
/// take for an image with a numeric one, when the container must not run as root.
const START: &str = r#"
hosts=$1 resolver=$2 account=$3 user=$4 program=$5; shift 5
mount --bind "$hosts" /etc/hosts
mount --bind "$resolver" /etc/resolv.conf
mount -t tmpfs -o mode=755 tmpfs /run
touch /run/program
mount --bind "$program" /run/program
mkdir -p /run/secrets/kubernetes.io
cp -r "$account" /run/secrets/kubernetes.io/serviceaccount
chmod -R a+rX /run/secrets
cd /
[ "$user" = 0 ] && exec /run/program "$@"
exec setpriv --reuid "$user" --regid "$user" --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all /run/program "$@"
"#;

/// A numeric user that this machine has no name for.
const USER: &str = "65532";

/// A container and what runs of it.
pub(super) struct Container {
    pub(super) specification: Value,
    pub(super) ready: Option<Check>,
    alive: Option<Check>,
    pub(super) process: Option<Process>,
    pub(super) restarts: u64,
}

/// The files that the containers of Knative's own pods see.
pub(super) struct Files {
    pub(super) hosts: PathBuf,
    pub(super) resolver: PathBuf,
    /// The folder of the service account.
    pub(super) account: PathBuf,
}

impl Container {
    pub(super) fn new(specification: &Value) -> Self {
        Self {
            specification: specification.clone(),
            ready: None,
            alive: None,
            process: None,
            restarts: 0,
        }
    }

    pub(super) fn name(&self) -> &str {
        text(&self.specification, "/name")
    }

    /// Starts its program, whose output goes to `log`.
    pub(super) fn start(
        &mut self,
        pod: &Value,
        host: &Host,
        files: Option<&Files>,
        log: &str,
    ) -> Result<()> {
        let specification = &self.specification;
        let must_not_be_root = specification
            .pointer("/securityContext/runAsNonRoot")
            .is_some_and(|value| value == true);
        let program = program_of(specification)?;
        let mut command = host.command();
        if let Some(files) = files {
            command.args(["sh", "-ec", START, "sh"]);
            command.args([&files.hosts, &files.resolver, &files.account]);
            command.arg(if must_not_be_root { USER } else { "0" });
        }
        command.arg(program);
        for argument in items(specification, "/args") {
            command.arg(argument.as_str().context("an argument is a string")?);
        }
        environment(&mut command, specification, pod, host);
        log_to(&mut command, log)?;
        self.process = Some(Process::start(&mut command)?);
        self.ready = Check::of(&self.specification, "readinessProbe");
        self.alive = Check::of(&self.specification, "livenessProbe");
        Ok(())
    }

    /// Why it must be started again, if it must.
    pub(super) fn trouble(&mut self, host: &Host) -> Option<String> {
        let Some(process) = &mut self.process else {
            return Some("it does not run".into());
        };
        if let Ok(Some(status)) = process.ended() {
            return Some(format!("it ended with {status}"));
        }
        let alive = self.alive.as_mut()?;
        alive
            .failed(host.address.into())
            .then(|| "its liveness probe failed".into())
    }

    /// The port and path of its preStop hook.
    pub(super) fn pre_stop(&self) -> Option<(u16, String)> {
        let hook = self.specification.pointer("/lifecycle/preStop/httpGet")?;
        let port = match &hook["port"] {
            Value::String(port) => port.parse().ok()?,
            port => u16::try_from(port.as_u64()?).ok()?,
        };
        Some((port, text(hook, "/path").to_owned()))
    }

    /// SIGTERM, and SIGKILL after `grace`.
    pub(super) fn stop(&mut self, grace: Duration, kill: &super::Stop) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        // It may have ended by itself.
        let _ = process.signal("TERM");
        let end = std::time::Instant::now() + grace;
        while std::time::Instant::now() < end && !kill.is_set() {
            if !matches!(process.ended(), Ok(None)) {
                return;
            }
            kill.wait(Duration::from_millis(20));
        }
    }
}

/// The program that an image stands for.
fn program_of(container: &Value) -> Result<PathBuf> {
    let image = text(container, "/image");
    let (name, container) = (image.rsplit('/').next(), text(container, "/name"));
    Ok(match (container, name) {
        ("queue-proxy", _) => program("queue"),
        ("activator", _) if image.starts_with(FROM_KNATIVE) => program("activator"),
        ("activator", _) => activator::program(),
        (_, Some(name)) if name.starts_with("app@") => program("app"),
        _ => bail!("no program stands for the image {image} of {container}"),
    })
}

fn environment(command: &mut Command, container: &Value, pod: &Value, host: &Host) {
    command.env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command.env("HOSTNAME", text(pod, "/metadata/name"));
    command.env("KUBERNETES_SERVICE_HOST", NODE.to_string());
    command.env("KUBERNETES_SERVICE_PORT", SERVER_PORT.to_string());
    for variable in items(container, "/env") {
        let field = text(variable, "/valueFrom/fieldRef/fieldPath");
        let value = match field {
            "" => text(variable, "/value").to_owned(),
            "status.podIP" => host.address.to_string(),
            "status.hostIP" => NODE.to_string(),
            path => text(pod, &format!("/{}", path.replace('.', "/"))).to_owned(),
        };
        command.env(text(variable, "/name"), value);
    }
    if !items(container, "/env")
        .iter()
        .any(|variable| text(variable, "/name") == "PORT")
    {
        command.env("PORT", "8080");
    }
}
