//! Which settings differ between two configurations and only take effect at a start.

use super::{Config, Limits, Listen, ReporterConfig, ThrottleConfig};

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
            listen:
                Listen {
                    http,
                    http2,
                    https,
                    admin,
                },
            tls,
            backend_tls,
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
            limits:
                Limits {
                    max_connections,
                    header_timeout,
                    max_header_size,
                    max_headers,
                    body_idle_timeout,
                    connect_timeout,
                    backend_idle_timeout,
                    backend_idle_connections,
                    backend_max_streams,
                    backend_ping_interval,
                    http2_max_concurrent_streams,
                    http2_window,
                    http2_max_pending_resets,
                    http2_max_error_resets,
                    http2_ping_interval,
                    http2_ping_timeout,
                },
            log,
            sinks,
            revisions: _,
            echo: _,
        } = other;
        let mine = &self.reporter;
        let limits = &self.limits;
        let differs = [
            ("pod_name", self.pod_name != *pod_name),
            ("workers", self.workers != *workers),
            ("cluster_domain", self.cluster_domain != *cluster_domain),
            ("drain_delay", self.drain_delay != *drain_delay),
            ("drain_timeout", self.drain_timeout != *drain_timeout),
            ("readiness", self.readiness != *readiness),
            ("listen.http", self.listen.http != *http),
            ("listen.http2", self.listen.http2 != *http2),
            ("listen.https", self.listen.https != *https),
            ("listen.admin", self.listen.admin != *admin),
            ("tls.certificate", self.tls.certificate != tls.certificate),
            ("tls.key", self.tls.key != tls.key),
            ("tls.min_version", self.tls.min_version != tls.min_version),
            (
                "backend_tls.ca_file",
                self.backend_tls.ca_file != backend_tls.ca_file,
            ),
            (
                "backend_tls.server_name",
                self.backend_tls.server_name != backend_tls.server_name,
            ),
            (
                "backend_tls.min_version",
                self.backend_tls.min_version != backend_tls.min_version,
            ),
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
            (
                "limits.max_connections",
                limits.max_connections != *max_connections,
            ),
            (
                "limits.header_timeout",
                limits.header_timeout != *header_timeout,
            ),
            (
                "limits.max_header_size",
                limits.max_header_size != *max_header_size,
            ),
            ("limits.max_headers", limits.max_headers != *max_headers),
            (
                "limits.body_idle_timeout",
                limits.body_idle_timeout != *body_idle_timeout,
            ),
            (
                "limits.connect_timeout",
                limits.connect_timeout != *connect_timeout,
            ),
            (
                "limits.backend_idle_timeout",
                limits.backend_idle_timeout != *backend_idle_timeout,
            ),
            (
                "limits.backend_idle_connections",
                limits.backend_idle_connections != *backend_idle_connections,
            ),
            (
                "limits.backend_max_streams",
                limits.backend_max_streams != *backend_max_streams,
            ),
            (
                "limits.backend_ping_interval",
                limits.backend_ping_interval != *backend_ping_interval,
            ),
            (
                "limits.http2_max_concurrent_streams",
                limits.http2_max_concurrent_streams != *http2_max_concurrent_streams,
            ),
            ("limits.http2_window", limits.http2_window != *http2_window),
            (
                "limits.http2_max_pending_resets",
                limits.http2_max_pending_resets != *http2_max_pending_resets,
            ),
            (
                "limits.http2_max_error_resets",
                limits.http2_max_error_resets != *http2_max_error_resets,
            ),
            (
                "limits.http2_ping_interval",
                limits.http2_ping_interval != *http2_ping_interval,
            ),
            (
                "limits.http2_ping_timeout",
                limits.http2_ping_timeout != *http2_ping_timeout,
            ),
            ("log", self.log.filter != log.filter),
            ("log_format", self.log.format != log.format),
            ("sink", self.sinks != *sinks),
        ];
        let differing = differs.into_iter().filter(|(_, differs)| *differs);
        differing.map(|(field, _)| field).collect()
    }
}
