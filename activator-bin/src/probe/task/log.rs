//! What a prober logs about its backends.

use super::*;
use crate::logging::health_log;

impl Task {
    pub(super) fn log_ready(&mut self, backend: SocketAddr, record: &Record) {
        let now = Instant::now();
        let (line, is_owed) = {
            let log = &mut record.seen.lock().log;
            (log.on_success(now), log.is_failing())
        };
        if let Some(failures) = line {
            let failures = Some(failures).filter(|&failures| failures > 0);
            let called = self.targets.called(backend);
            if failures.is_none() && self.targets.settings.probe == Probe::None {
                // Nobody has found that out: it is ready as soon as it is listed.
                tracing::debug!(revision = %self.revision, backend = %called, "backend is ready");
            } else {
                tracing::info!(revision = %self.revision, backend = %called, failures, "backend is ready");
            }
        } else if is_owed {
            self.log_at.get_or_insert(now + health_log::PAUSE);
        }
    }

    /// Logs the backends that became ready too early to be logged, and still are.
    pub(super) fn log_late(&mut self) {
        self.log_at = None;
        let ready = self.backends.iter().filter_map(|(backend, known)| {
            let is_ready = matches!(known.state, State::Ready { .. });
            is_ready.then(|| (*backend, known.record.clone()))
        });
        for (backend, record) in ready.collect::<Vec<_>>() {
            let is_failing = record.seen.lock().log.is_failing();
            if is_failing {
                self.log_ready(backend, &record);
            }
        }
    }

    pub(super) fn log_set_aside(&self, backend: SocketAddr, record: &Record, complaint: Complaint) {
        let line = record.seen.lock().log.on_failure(Instant::now());
        if let Some(failures) = line {
            let failures = Some(failures).filter(|&failures| failures > 1);
            let why = complaint.as_str();
            let called = self.targets.called(backend);
            tracing::warn!(revision = %self.revision, backend = %called, failures, "backend is set aside: {why}");
        }
    }
}
