//! A running activator: its parts, and the order in which they start and stop.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reporter_metrics::Exporter;
use reporter_runtime::{ConcurrencyReporter, ReporterTask, StatSink, Stopped};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::cluster::{self, Cluster};
use super::control::Control;
use super::ports::{Port, Ports};
use super::reporting::Reporting;
use super::tls::Tls;
use super::traces::Tracing;
use super::watchdog::Loops;
use super::{Handover, StartError, access_log, metrics};
use crate::access_log::AccessLog;
use crate::admin::{self, Admin};
use crate::config::{Config, ReadyWhen};
use crate::drain::{Drain, Draining};
use crate::launcher::{self, Launcher};
use crate::probe::ProbeSettings;
use crate::proxy;
use crate::readiness::{FirstLists, Readiness};
use crate::revision::name::NamingRules;
use crate::revision::{Owner, Revisions, Shared, SharedSettings};
use crate::server::connection_limit::ConnectionLimit;
use crate::server::{self, Worker};
use crate::source::{self, ApiAccess, Feed, RevisionSource, Update};
use crate::tls::ClusterTls;
use crate::traces::Traces;

/// Options beside the configuration; the defaults suit production.
#[derive(Default)]
pub struct Options {
    /// The activator's own program, which supervises the instances that are started here, if this process runs another.
    pub program: Option<PathBuf>,
    /// Sinks besides those in the configuration.
    pub sinks: Vec<Box<dyn StatSink>>,
    /// Where changes of the revisions come from.
    pub source: Option<Box<dyn RevisionSource>>,
    /// Sockets to serve instead of binding new ones.
    pub sockets: Handover,
    /// The first lists of a cluster that `source` follows.
    pub first_lists: Option<FirstLists>,
    /// How the cluster is reached that is followed besides `source`.
    pub cluster: Option<ApiAccess>,
    /// The file to which the history of requests is written.
    pub record: Option<PathBuf>,
    /// TLS by objects of the cluster, for what has no files in the configuration.
    pub cluster_tls: Option<Arc<ClusterTls>>,
    /// The access log, whose template can be changed while it runs. A template in the configuration is set at the
    /// start.
    pub access_log: AccessLog,
    /// The traces, which can be started and stopped while it runs.
    pub traces: Traces,
}

/// A running activator. Dropping it ends everything immediately, without a last report.
pub struct Activator {
    http: SocketAddr,
    http2: Option<SocketAddr>,
    https: Option<SocketAddr>,
    admin: SocketAddr,
    drain: Drain,
    drain_delay: Duration,
    drain_timeout: Duration,
    flush_timeout: Duration,
    workers: Vec<Worker>,
    revisions: Arc<Revisions>,
    reporter: ConcurrencyReporter,
    reporter_task: ReporterTask,
    /// What runs instances on this machine.
    launcher: Option<Launcher>,
    recording: Option<JoinHandle<()>>,
    tracing: Tracing,
    control: Control,
}

impl Activator {
    /// Binds all ports and opens all files, then starts.
    ///
    /// Port 0 in the configuration stands for any free port.
    ///
    /// # Errors
    /// A port or file is not available, or the machine is out of resources. Nothing was served.
    pub fn start(mut config: Config, options: Options) -> Result<Self, StartError> {
        let tls = Tls::try_new(&config, options.cluster_tls.clone())?;
        let ports = Ports::open(&config, tls.listener.as_ref(), options.sockets)?;
        let control = Control::start()?;
        let entered = control.enter();

        let late = Arc::new(metrics::LateLister::default());
        let exporter = Exporter::with_names(
            env!("CARGO_PKG_VERSION"),
            Arc::clone(&late) as _,
            config.metrics.names,
            &config.pod_name,
        );
        let revisions = Arc::new(Revisions::new(shared(&config, &exporter)));
        let mut feed = Feed::new(Arc::clone(&revisions), Owner::FILE);
        feed.take(Update::All(std::mem::take(&mut config.revisions)));
        late.set(&revisions);
        tls.follow(&exporter);
        let (stats_sink, stats) = launcher::channel();
        let mut sinks = options.sinks;
        if config.cluster.is_none() {
            sinks.push(stats_sink);
        }
        let (history, history_sink) = admin::SharedHistory::new(config.reporter.interval);
        sinks.push(history_sink);
        let reporting = Reporting::start(&config, &exporter, sinks, options.record)?;

        access_log::start(&config, &options.access_log)?;
        let (drain, draining) = Drain::new();
        let config_metrics = exporter.config();
        config_metrics.loaded(true);
        if let Some(source) = options.source {
            let on_update = move |is_good| config_metrics.loaded(is_good);
            tokio::spawn(source::follow(source, feed, on_update));
        }
        let tracing = Tracing::new(options.traces.clone(), &config, &exporter);
        if config.tracing.protocol.is_some() {
            tracing.set(&config.tracing)?;
        }
        let targets = cluster::Targets {
            revisions: Arc::clone(&revisions),
            tracing: tracing.clone(),
            access_log: options.access_log.clone(),
            tls: options.cluster_tls,
        };
        let follow = |access| Cluster::follow(access, &config, targets, &exporter);
        let cluster = options.cluster.map(follow);
        let sleeping = Arc::clone(&revisions);
        tokio::spawn(async move { sleeping.keep_asleep().await });
        let readiness = Readiness {
            draining: draining.clone(),
            links: match config.readiness {
                ReadyWhen::Serving => Vec::new(),
                ReadyWhen::Autoscaler => reporting.links,
            },
            first_lists: cluster
                .as_ref()
                .map(Cluster::first_lists)
                .or(options.first_lists),
        };
        let launcher = match config.cluster {
            Some(_) => None,
            None => Some(Launcher::start(launcher::Needs {
                revisions: Arc::clone(&revisions),
                reporter: reporting.reporter.clone(),
                stats,
                metrics: exporter.instances(),
                program: match options.program {
                    Some(program) => program,
                    None => launcher::program()?,
                },
            })?),
        };
        let access = admin::Access {
            revisions: Arc::clone(&revisions),
            admin: config.admin.clone(),
            inherited: config.throttle.clone(),
            backend_tls: tls.backends.is_some(),
            cluster: cluster.clone().map(|it| Arc::new(move || it.status()) as _),
            launcher: launcher.clone(),
        };
        let source = admin::Source {
            pod_name: config.pod_name.clone(),
            revisions: Arc::clone(&revisions),
            reporter: reporting.reporter.clone(),
            launcher: launcher.clone(),
            links: reporting.link_statuses,
            draining: draining.clone(),
            history,
        };
        let reporter = reporting.reporter;
        let proxy = proxy::Services {
            revisions: Arc::clone(&revisions),
            reporter: reporter.clone(),
            queue: exporter.queue(),
            errors: exporter.errors(),
            requests: exporter.requests(),
            access_log: options.access_log.clone(),
            traces: options.traces,
            readiness: readiness.clone(),
            naming: NamingRules {
                cluster_domain: config.cluster_domain.as_str().into(),
                trust_knative_headers: config.trust_knative_headers,
            },
            backend_tls: tls.backends,
            limits: config.limits,
        };
        let workers = serve(&config, &ports, proxy, &exporter, &draining)?;
        let metrics = metrics::render(
            exporter,
            reporter.clone(),
            Arc::clone(&revisions),
            options.access_log.clone(),
            cluster,
        );
        administer(
            &Admin::new(metrics, readiness, access, source),
            &ports.admin,
            &draining,
        )?;
        drop(entered);
        Ok(Self {
            http: ports.http.address,
            http2: ports.http2.map(|port| port.address),
            https: ports.https.map(|port| port.address),
            admin: ports.admin.address,
            drain,
            drain_delay: config.drain_delay,
            drain_timeout: config.drain_timeout,
            flush_timeout: config.reporter.flush_timeout,
            workers,
            revisions,
            reporter,
            reporter_task: reporting.task,
            launcher,
            recording: reporting.recording,
            tracing,
            control,
        })
    }

    /// The address for requests.
    #[must_use]
    pub fn http_addr(&self) -> SocketAddr {
        self.http
    }

    /// The second address for requests, by convention for HTTP/2; `None` when it is off.
    #[must_use]
    pub fn http2_addr(&self) -> Option<SocketAddr> {
        self.http2
    }

    /// The address for requests over TLS; `None` when it is off.
    #[must_use]
    pub fn https_addr(&self) -> Option<SocketAddr> {
        self.https
    }

    /// The address of the admin port.
    #[must_use]
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin
    }

    /// The revisions that are served.
    #[must_use]
    pub fn revisions(&self) -> &Revisions {
        &self.revisions
    }

    /// The reporter that counts the requests.
    #[must_use]
    pub fn reporter(&self) -> &ConcurrencyReporter {
        &self.reporter
    }

    /// What must turn its loop for this to work.
    pub(super) fn loops(&self) -> Loops {
        Loops {
            workers: self.workers.iter().map(Worker::pulse).collect(),
            control: self.control.handle(),
        }
    }

    /// Drains and stops.
    ///
    /// During the drain delay it keeps serving, but is not ready, asks clients to go elsewhere and closes idle
    /// connections one after the other. Then it stops accepting, gives requests in flight at most the drain timeout to
    /// end, and delivers the last report, for at most the flush timeout. The admin port is served until the end.
    ///
    /// Can be awaited on any tokio runtime. Cancellation ends everything immediately.
    pub async fn stop(self) -> Stopped {
        self.drain.announce(self.drain_delay);
        if !self.drain_delay.is_zero() {
            let delay = self.drain_delay;
            tracing::info!("no longer ready; asking clients to go elsewhere for {delay:?}");
            sleep(delay).await;
        }
        let limit = self.drain_timeout;
        tracing::info!("no longer accepting connections; requests in flight have {limit:?} to end");
        self.drain.begin(limit);
        for worker in self.workers {
            worker.ended().await;
        }
        if let Some(launcher) = self.launcher {
            launcher.stop().await;
        }
        let mut stopped = self.reporter_task.stop().await;
        // Nobody asked for these, and they take all until they have no use for it.
        let is_own = |sink: &str| [launcher::SINK, admin::SINK].contains(&sink);
        stopped.sinks.retain(|(sink, _)| !is_own(sink));
        drop(self.reporter);
        if let Some(recording) = self.recording
            && timeout(self.flush_timeout, recording).await.is_err()
        {
            tracing::error!("the recorded history is incomplete");
        }
        self.tracing.stop(self.flush_timeout).await;
        self.control.stop().await;
        stopped
    }
}

fn shared(config: &Config, exporter: &Exporter) -> Shared {
    let backends = exporter.backends();
    let settings = SharedSettings {
        max_queued_requests: config.throttle.max_queued_requests,
        max_parallel_probes: config.probe.max_parallel,
        probe: ProbeSettings {
            frequency: config.probe.frequency,
            timeout: config.probe.timeout,
            max_timeout: config.probe.max_timeout,
            ..ProbeSettings::default()
        },
        workers: config.workers,
    };
    Shared::new(&settings, move |outcome| backends.probed(outcome))
}

/// Starts the workers, each with one socket per port.
fn serve(
    config: &Config,
    ports: &Ports,
    proxy: proxy::Services,
    exporter: &Exporter,
    draining: &Draining,
) -> io::Result<Vec<Worker>> {
    let max_connections = config.limits.max_connections;
    let services = server::Services {
        proxy,
        handshakes: exporter.handshakes(),
        connection_limit: ConnectionLimit::new(max_connections, exporter.connections()),
    };
    let hands = ports.deal(config.workers)?.into_iter().enumerate();
    hands
        .map(|(index, listeners)| {
            Worker::start(index, listeners, services.clone(), draining.clone())
        })
        .collect()
}

/// Serves the admin port.
fn administer(admin: &Admin, port: &Port, draining: &Draining) -> io::Result<()> {
    let handed_over = port.handed_over;
    for socket in &port.sockets {
        let listener = tokio::net::TcpListener::from_std(socket.try_clone()?)?;
        let serving = admin.clone().serve(listener);
        let mut draining = draining.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = serving => {}
                // The next process serves new requests.
                _ = draining.begun(), if handed_over => {}
            }
        });
    }
    Ok(())
}
