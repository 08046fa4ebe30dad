//! Why the activator could not start, and what to do about it.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::HandoverError;
use super::traces::TracingError;
use crate::tls::TlsProblems;
use reporter_runtime::sink::autoscaler::InvalidAutoscalerConfig;

/// Why the activator could not start. Nothing was served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A port cannot be bound.
    #[error("cannot listen on {address}: {source}; change `{setting}` in `[listen]`", source = .source.kind())]
    Listen {
        /// The name of the setting.
        setting: &'static str,
        address: SocketAddr,
        source: io::Error,
    },
    /// A socket that was handed over cannot be served.
    #[error(transparent)]
    Handover(#[from] HandoverError),
    /// A sink's file cannot be opened.
    #[error("cannot append to {path}: {source}; change `path` of the `[[sink]]`", path = .path.display(), source = .source.kind())]
    Sink { path: PathBuf, source: io::Error },
    /// The file of the access log cannot be opened.
    #[error("cannot append to {path}: {source}; change `path` in `[access_log]`", path = .path.display(), source = .source.kind())]
    AccessLog { path: PathBuf, source: io::Error },
    /// The file for the history cannot be opened.
    #[error("cannot write to {path}: {source}; change `--record`", path = .path.display(), source = .source.kind())]
    Record { path: PathBuf, source: io::Error },
    /// The configuration of an autoscaler sink is invalid.
    #[error("`[[sink]]` with kind = \"autoscaler\": {0}")]
    Autoscaler(#[from] InvalidAutoscalerConfig),
    /// Certificates or keys are invalid.
    #[error("the TLS files are invalid\n{0}")]
    Tls(#[from] TlsProblems),
    /// Spans cannot be sent.
    #[error("`[tracing]`: {0}")]
    Tracing(#[from] TracingError),
    /// There is a TLS port without a certificate.
    #[error(
        "the port `https` needs `https` in `[listen]`, and `certificate` and `key` in `[tls]` or `[[certificate]]`"
    )]
    NoCertificate,
    /// The machine is out of threads, sockets or memory.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}
