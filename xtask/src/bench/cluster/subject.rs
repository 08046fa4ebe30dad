//! Where the activators stand that are measured: Knative's and ours at the same address, one at a time. Each is started
//! outside a pod, with a kubeconfig, so that nothing but its program is in its figures.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::command::output;
use crate::e2e::cluster::Cluster;
use crate::e2e::cluster::network::Host;
use crate::e2e::cluster::objects::SYSTEM;
use crate::e2e::cluster::part::log_to;
use crate::e2e::cluster::programs;
use crate::support::activator;
use crate::support::http::get;
use crate::support::process::{Process, Stat, wait_until};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
/// What the kubelet asks, and what it is told once the activator serves.
const PROBE: &str = "User-Agent: kube-probe/1.35\r\n";
const START: Duration = Duration::from_secs(60);

/// Its ports: their names, numbers, and those of the Service.
const PORTS: [(&str, u16, u16); 4] = [
    ("http-metrics", 9090, 9090),
    ("http", 8012, 80),
    ("http2", 8013, 81),
    ("https", 8112, 443),
];

/// Gives the activator names of its own, and turns into it.
const WITH_NAMES: &str = r#"mount --bind "$1" /etc/hosts; shift; exec "$@""#;

/// Whose activator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Knative,
    Ours,
}

impl Kind {
    pub(super) const ALL: [Self; 2] = [Self::Knative, Self::Ours];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Knative => "Knative's",
            Self::Ours => "ours",
        }
    }

    fn program(self) -> PathBuf {
        match self {
            Self::Knative => programs::program("activator"),
            Self::Ours => activator::program(),
        }
    }
}

/// The address at which activators are started.
pub(super) struct Stand {
    host: Host,
    hosts_file: PathBuf,
    kubeconfig: PathBuf,
}

impl Stand {
    /// Makes it, and the Service in front of it.
    pub(super) fn new(cluster: &Cluster) -> Result<Self> {
        // Only the names of the API server and the autoscaler: an activator that reads those of all revisions, which
        // stand in the cluster's file later on, would pay for them.
        let hosts_file = programs::directory().join("run/hosts-of-activators");
        std::fs::copy(cluster.names.hosts(), &hosts_file).context("the file of names")?;
        let metadata = json!({"name": "activator-service", "namespace": SYSTEM, "labels": {"app": "activator"}});
        let ports = PORTS.map(|(name, port, outside)| {
            json!({"name": name, "port": outside, "targetPort": port, "protocol": "TCP"})
        });
        cluster.api.apply(&json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": ports},
        }))?;
        let ports = PORTS.map(|(name, port, _)| json!({"name": name, "port": port}));
        cluster.api.apply(&json!({
            "apiVersion": "v1", "kind": "Endpoints", "metadata": metadata,
            "subsets": [{"addresses": [{"ip": ADDRESS}], "ports": ports}],
        }))?;
        Ok(Self {
            host: Host::new(ADDRESS)?,
            hosts_file,
            kubeconfig: cluster.credentials.kubeconfig(),
        })
    }

    /// Starts an activator there and waits until it is ready, as a kubelet sees it.
    pub(super) fn start(&self, kind: Kind) -> Result<Subject> {
        let mut command = self.host.command();
        command.args(["sh", "-ec", WITH_NAMES, "sh"]);
        command.arg(&self.hosts_file).arg(kind.program());
        if kind == Kind::Ours {
            command.args(["run", "--kubernetes"]);
        }
        command.arg(format!("--kubeconfig={}", self.kubeconfig.display()));
        for (name, value) in [
            ("POD_NAME", "activator-0"),
            ("POD_IP", &ADDRESS.to_string()),
            ("SYSTEM_NAMESPACE", SYSTEM),
            ("CONFIG_LOGGING_NAME", "config-logging"),
            ("CONFIG_OBSERVABILITY_NAME", "config-observability"),
            ("METRICS_DOMAIN", "knative.dev/internal/serving"),
            ("KUBERNETES_MIN_VERSION", "v1.20.0"),
            ("GOGC", "500"),
        ] {
            command.env(name, value);
        }
        log_to(&mut command, "measured-activator")?;
        let process = Process::start(&mut command)?;
        // `ip` and `sh` come first in the same process, and are not what is measured.
        let (begin, cpu_before) = loop {
            let stat = Stat::of(process.id()).context("the activator has ended")?;
            if stat.program == "activator" {
                break (Instant::now(), stat.cpu);
            }
            std::thread::sleep(Duration::from_micros(200));
        };
        let mut subject = Subject {
            kind,
            process,
            cpu_before,
            cpu_until_ready: 0.0,
            until_ready: Duration::ZERO,
        };
        let what = format!("{} activator is not ready; see its log", kind.name());
        wait_until(&what, START, || {
            let ended = subject.process.ended()?;
            ensure!(ended.is_none(), "{what}: it has ended with {ended:?}");
            let ready = get(subject.http(), "/", PROBE).is_ok_and(|answer| answer.status == 200);
            Ok(ready.then_some(()))
        })?;
        subject.until_ready = begin.elapsed();
        subject.cpu_until_ready = subject.cpu()?;
        Ok(subject)
    }

    /// What all activators together have received so far, in bytes.
    pub(super) fn received(&self) -> Result<f64> {
        let table = output(self.host.command().args(["cat", "/proc/net/dev"]))?;
        let line = table
            .lines()
            .find_map(|line| line.trim().strip_prefix("eth0:"));
        let bytes = line.and_then(|line| line.split_whitespace().next());
        Ok(bytes.context("no eth0 in /proc/net/dev")?.parse()?)
    }
}

/// A running activator. It is killed when this is dropped.
pub(super) struct Subject {
    pub(super) kind: Kind,
    process: Process,
    /// What the same process used before it became the program.
    cpu_before: f64,
    pub(super) cpu_until_ready: f64,
    pub(super) until_ready: Duration,
}

impl Subject {
    /// Where it takes HTTP/1.1.
    pub(super) fn http(&self) -> SocketAddr {
        SocketAddr::new(ADDRESS.into(), 8012)
    }

    /// Where ours says what it knows.
    pub(super) fn admin(&self) -> SocketAddr {
        SocketAddr::new(ADDRESS.into(), 9090)
    }

    /// CPU time used so far, in seconds.
    pub(super) fn cpu(&self) -> Result<f64> {
        Ok(self.process.cpu()? - self.cpu_before)
    }

    pub(super) fn resident_mib(&self) -> Result<f64> {
        Ok(self.process.resident_kib()? as f64 / 1024.0)
    }

    pub(super) fn peak_mib(&self) -> Result<f64> {
        Ok(self.process.peak_kib()? as f64 / 1024.0)
    }
}
