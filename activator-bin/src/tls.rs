//! TLS towards clients and backends, configured by the last valid content of files or of the cluster's objects.
//!
//! What must not live here: sockets, the protocols on top, and who reads the cluster's objects.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::{ArcSwapAny, RefCnt};

mod authorities;
mod backend;
mod certificates;
mod cluster;
mod dns_names;
mod expiry;
mod negotiation;
mod pair;
mod problem;
mod reload;
mod version;

pub(crate) use authorities::Authorities;
pub(crate) use backend::{BackendTls, NAMESPACE, Names};
pub(crate) use certificates::Certificates;
pub use cluster::ClusterTls;
pub(crate) use negotiation::{CIPHER_SUITES, CURVES, Negotiation, NoCipherSuite};
pub(crate) use pair::{Offer, Pair};
pub(crate) use problem::{TlsProblem, TlsProblems};
pub(crate) use reload::{Read, follow};
pub use version::TlsVersion;

/// The section of the listener's certificate.
pub(crate) const SECTION: &str = "tls";
/// The section of the CAs that verify backends.
pub(crate) const BACKEND_SECTION: &str = "backend_tls";

/// HTTP/1.1 in ALPN.
pub(crate) const ALPN_HTTP1: &[u8] = b"http/1.1";
/// HTTP/2 in ALPN.
pub(crate) const ALPN_HTTP2: &[u8] = b"h2";

/// Files that together form a TLS configuration.
pub(crate) trait Files: Send + Sync + 'static {
    /// The configuration.
    type Content: RefCnt + Send + Sync;
    /// The section of the configuration file that names them.
    fn section(&self) -> &str;

    /// The section as the log shows it.
    fn title(&self) -> String {
        format!("[{}]", self.section())
    }

    fn paths(&self) -> Vec<&Path>;

    /// Reads all files. Blocks.
    ///
    /// # Errors
    /// All problems at once.
    fn load(&self) -> Result<Loaded<Self::Content>, TlsProblems>;
}

/// The content of the files.
pub(crate) struct Loaded<C> {
    content: C,
    /// When the certificate that peers verify expires.
    not_after: Option<SystemTime>,
}

/// Files and their last valid content.
pub(crate) struct Current<F: Files> {
    files: F,
    content: Arc<ArcSwapAny<F::Content>>,
}

impl<F: Files> Current<F> {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// All problems at once.
    pub(crate) fn try_new(files: F) -> Result<Self, TlsProblems> {
        let content = ArcSwapAny::new(files.load()?.content);
        Ok(Self {
            files,
            content: Arc::new(content),
        })
    }

    /// The section of the configuration file that names the files.
    pub(crate) fn section(&self) -> &str {
        self.files.section()
    }

    /// For new connections. Open connections keep what they have.
    pub(crate) fn content(&self) -> Arc<ArcSwapAny<F::Content>> {
        Arc::clone(&self.content)
    }

    /// Reads the files again. Returns when their certificate expires. If they are invalid, the previous content
    /// stays.
    fn reload(&self) -> Result<Option<SystemTime>, TlsProblems> {
        let Loaded { content, not_after } = self.files.load()?;
        self.content.store(content);
        Ok(not_after)
    }
}

#[cfg(test)]
mod tests;
