//! What scenes and benchmarks share: programs, their start and end, requests, medians.

pub(crate) mod activator;
pub(crate) mod browser;
pub(crate) mod chroot;
pub(crate) mod http;
pub(crate) mod median;
pub(crate) mod process;
