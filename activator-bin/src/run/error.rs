//! Why the activator could not start, and what to do about it.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::HandoverError;
use crate::tls::TlsProblems;
use reporter_runtime::sink::autoscaler::InvalidAutoscalerConfig;

/// Why the activator could not start. Nothing was served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A port is not to be had.
    #[error("cannot listen on {address}: {source}; change `{setting}` in `[listen]`", source = .source.kind())]
    Listen {
        /// The name of the setting.
        setting: &'static str,
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// A socket that was handed over is not one that can be served.
    #[error(transparent)]
    Handover(#[from] HandoverError),
    /// A sink's file is not to be had.
    #[error("cannot append to {path}: {source}; change `path` of the `[[sink]]`", path = .path.display(), source = .source.kind())]
    Sink {
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file for the history is not to be had.
    #[error("cannot write to {path}: {source}; change `--record`", path = .path.display(), source = .source.kind())]
    Record {
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// What the link to an autoscaler was told is not possible.
    #[error("`[[sink]]` with kind = \"autoscaler\": {0}")]
    Autoscaler(#[from] InvalidAutoscalerConfig),
    /// Certificates or keys are not what they have to be.
    #[error("the files of TLS are bad\n{0}")]
    Tls(#[from] TlsProblems),
    /// There is a port for TLS and nothing to show on it.
    #[error("the port `https` needs `https` in `[listen]`, and `certificate` and `key` in `[tls]`")]
    NoCertificate,
    /// The machine has no threads, sockets or memory left.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}
