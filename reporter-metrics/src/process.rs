//! CPU, memory, descriptors and threads of this process.

use metrics_process::collector::collect;

use crate::names::{self, Metric};
use crate::registry::Registry;

/// Sets the `process_*` metrics that this system has. Reads `/proc`.
pub(crate) fn measure(registry: &Registry) {
    let set = |metric: &'static Metric, value: Option<f64>| {
        if let Some(value) = value {
            registry.gauge(metric, &[]).set(value);
        }
    };
    let number = |value: Option<u64>| value.map(|value| value as f64);
    let process = collect();
    set(&names::PROCESS_CPU, process.cpu_seconds_total);
    set(&names::PROCESS_OPEN_FDS, number(process.open_fds));
    set(&names::PROCESS_MAX_FDS, number(process.max_fds));
    set(
        &names::PROCESS_VIRTUAL_MEMORY,
        number(process.virtual_memory_bytes),
    );
    set(
        &names::PROCESS_VIRTUAL_MEMORY_MAX,
        number(process.virtual_memory_max_bytes),
    );
    set(
        &names::PROCESS_RESIDENT_MEMORY,
        number(process.resident_memory_bytes),
    );
    set(
        &names::PROCESS_START_TIME,
        number(process.start_time_seconds),
    );
    set(&names::PROCESS_THREADS, number(process.threads));
}
