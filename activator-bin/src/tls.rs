//! TLS towards clients and towards backends: what the configured files say, as of their last good content.
//!
//! What must not live here: sockets, and what is spoken over them.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring;

mod authorities;
mod expiry;
mod pair;
mod problem;
mod reload;
mod version;

pub(crate) use authorities::{Authorities, BackendTls, NAMESPACE};
pub(crate) use pair::Pair;
pub(crate) use problem::TlsProblems;
pub(crate) use reload::{Read, follow};
pub use version::TlsVersion;

/// How ALPN calls HTTP/1.1.
pub(crate) const ALPN_HTTP1: &[u8] = b"http/1.1";
/// How ALPN calls HTTP/2.
pub(crate) const ALPN_HTTP2: &[u8] = b"h2";

/// Files that become one configuration of TLS.
pub(crate) trait Files: Send + Sync + 'static {
    /// What they become.
    type Content: Send + Sync;
    /// The section of the configuration that names them.
    const SECTION: &'static str;

    fn paths(&self) -> Vec<&Path>;

    /// Reads all of them. It blocks.
    ///
    /// # Errors
    /// All that is wrong, at once.
    fn load(&self) -> Result<Loaded<Self::Content>, TlsProblems>;
}

/// What files have become.
pub(crate) struct Loaded<C> {
    content: C,
    /// When the certificate among them that others look at expires.
    not_after: Option<SystemTime>,
}

/// Files and what they said when they were good last.
pub(crate) struct Current<F: Files> {
    files: F,
    content: ArcSwap<F::Content>,
}

impl<F: Files> Current<F> {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// All that is wrong with them, at once.
    pub(crate) fn try_new(files: F) -> Result<Self, TlsProblems> {
        let content = ArcSwap::from_pointee(files.load()?.content);
        Ok(Self { files, content })
    }

    /// For one more connection; those that are open keep what they have.
    pub(crate) fn content(&self) -> Arc<F::Content> {
        self.content.load_full()
    }

    /// Reads the files again, and answers when their certificate expires; what was there before stays
    /// when they are bad.
    fn reload(&self) -> Result<Option<SystemTime>, TlsProblems> {
        let Loaded { content, not_after } = self.files.load()?;
        self.content.store(Arc::new(content));
        Ok(not_after)
    }
}

/// Named wherever it is needed, so that this works whatever the process has set for everybody.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

#[cfg(test)]
mod tests;
