//! Which settings differ between two configurations and only take effect at a start.

use super::{Config, Listen, ReporterConfig, ThrottleConfig};

impl Config {
    /// The settings in which `other` differs and that a running activator does not take over.
    ///
    /// Revisions are taken over, and with them the `throttle.queue_depth` that they inherit. Those
    /// of the admin port inherit the one of the start, so that it is named when there can be some.
    #[must_use]
    pub fn restart_needed(&self, other: &Self) -> Vec<&'static str> {
        // All fields by name: whoever adds one decides here whether it takes effect at once.
        let Self {
            pod_name,
            workers,
            cluster_domain,
            drain_delay,
            drain_timeout,
            readiness,
            listen: Listen { http, http2, admin },
            reporter:
                ReporterConfig {
                    interval,
                    accounting,
                    max_tracked_keys,
                    flush_timeout,
                },
            throttle:
                ThrottleConfig {
                    queue_depth,
                    max_queued_requests,
                },
            probe,
            admin: super::AdminConfig { write },
            log,
            sinks,
            revisions: _,
            echo: _,
        } = other;
        let mine = &self.reporter;
        let differs = [
            ("pod_name", self.pod_name != *pod_name),
            ("workers", self.workers != *workers),
            ("cluster_domain", self.cluster_domain != *cluster_domain),
            ("drain_delay", self.drain_delay != *drain_delay),
            ("drain_timeout", self.drain_timeout != *drain_timeout),
            ("readiness", self.readiness != *readiness),
            ("listen.http", self.listen.http != *http),
            ("listen.http2", self.listen.http2 != *http2),
            ("listen.admin", self.listen.admin != *admin),
            ("reporter.interval", mine.interval != *interval),
            ("reporter.accounting", mine.accounting != *accounting),
            (
                "reporter.max_tracked_keys",
                mine.max_tracked_keys != *max_tracked_keys,
            ),
            (
                "reporter.flush_timeout",
                mine.flush_timeout != *flush_timeout,
            ),
            (
                "throttle.queue_depth",
                self.admin.write && self.throttle.queue_depth != *queue_depth,
            ),
            (
                "throttle.max_queued_requests",
                self.throttle.max_queued_requests != *max_queued_requests,
            ),
            ("probe.frequency", self.probe.frequency != probe.frequency),
            ("probe.timeout", self.probe.timeout != probe.timeout),
            (
                "probe.max_timeout",
                self.probe.max_timeout != probe.max_timeout,
            ),
            (
                "probe.max_parallel",
                self.probe.max_parallel != probe.max_parallel,
            ),
            ("admin.write", self.admin.write != *write),
            ("log", self.log.filter != log.filter),
            ("log_format", self.log.format != log.format),
            ("sink", self.sinks != *sinks),
        ];
        let differing = differs.into_iter().filter(|(_, differs)| *differs);
        differing.map(|(field, _)| field).collect()
    }
}
