//! Which settings differ between two configurations and only take effect at a start.

use super::Config;

/// The names of the fields in which two configurations differ.
macro_rules! differing {
    ($one:ident, $other:ident: $($($field:ident).+),+ $(,)?) => {
        [$((stringify!($($field).+), $one.$($field).+ != $other.$($field).+)),+]
            .into_iter()
            .filter_map(|(field, differs)| differs.then_some(field))
    };
}

impl Config {
    /// The settings in which `other` differs and that a running activator does not take over.
    ///
    /// Revisions are taken over, and with them the `throttle.queue_depth` that they inherit. Those
    /// of the admin port inherit the one of the start, so that it is named when there can be some.
    #[must_use]
    pub fn restart_needed(&self, other: &Self) -> Vec<&'static str> {
        // A test knows of all settings.
        let differing = differing!(
            self, other:
            pod_name,
            workers,
            cluster_domain,
            drain_delay,
            drain_timeout,
            readiness,
            listen.http,
            listen.http2,
            listen.https,
            listen.admin,
            tls.certificate,
            tls.key,
            tls.min_version,
            tls.http2,
            backend_tls.ca_file,
            backend_tls.server_name,
            backend_tls.min_version,
            reporter.interval,
            reporter.accounting,
            reporter.max_tracked_keys,
            reporter.flush_timeout,
            throttle.queue_depth,
            throttle.max_queued_requests,
            probe.frequency,
            probe.timeout,
            probe.max_timeout,
            probe.max_parallel,
            admin.write,
            admin.hosts,
            limits.max_connections,
            limits.header_timeout,
            limits.max_header_size,
            limits.max_headers,
            limits.max_request_body,
            limits.body_idle_timeout,
            limits.half_close,
            limits.client_idle_timeout,
            limits.connect_timeout,
            limits.backend_idle_timeout,
            limits.backend_idle_connections,
            limits.max_backend_idle_connections,
            limits.backend_max_streams,
            limits.backend_ping_interval,
            limits.http2_max_concurrent_streams,
            limits.http2_window,
            limits.http2_max_pending_resets,
            limits.http2_max_error_resets,
            limits.http2_ping_interval,
            limits.http2_ping_timeout,
            log.filter,
            log.format,
            sinks,
        );
        let named = differing.map(|field| match field {
            // In the file they are called otherwise.
            "log.filter" => "log",
            "log.format" => "log_format",
            "sinks" => "sink",
            field => field,
        });
        named
            .filter(|&field| field != "throttle.queue_depth" || self.admin.write)
            .collect()
    }
}
