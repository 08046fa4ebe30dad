//! TLS by objects of the cluster: Knative's Secret and trust bundles, which whoever watches them hands over.
//!
//! What must not live here: the Kubernetes API, and which settings of the cluster switch TLS on.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::pki_types::TrustAnchor;
use tokio::sync::watch;

use super::authorities::{Trusted, roots};
use super::expiry::Expiry;
use super::negotiation::Negotiation;
use super::pair::{Offer, Text};
use super::problem::{TlsProblem, TlsProblems, What};
use super::reload::Read;

/// The Secret in Knative's namespace.
const SECRET: &str = "Secret routing-serving-certs";

/// The most CA certificates in all trust bundles. A distribution's has about 150.
const MAX_AUTHORITIES: usize = 4_096;

/// The certificate for clients and the CA certificates that verify backends, as the cluster has them.
///
/// There are none at first: until then TLS handshakes with clients fail, and backends cannot be reached over TLS. New
/// connections use what was set last; open connections continue. A value that is wrong changes nothing but itself:
/// the previous one stays in use, and whatever is usable beside it is used.
pub struct ClusterTls {
    offer: Offer,
    backends: Negotiation,
    listener: Arc<ArcSwap<ServerConfig>>,
    trusted: Arc<ArcSwapOption<Trusted>>,
    sources: Mutex<Sources>,
    /// The outcome of the last change, `None` before the first.
    certificate_read: watch::Sender<Option<Read>>,
    authorities_read: watch::Sender<Option<Read>>,
}

/// What was set last, and valid.
#[derive(Default)]
struct Sources {
    certificate: Vec<u8>,
    /// From `ca.crt`.
    ca: Vec<TrustAnchor<'static>>,
    /// From each trust bundle, by name.
    bundles: BTreeMap<String, Vec<TrustAnchor<'static>>>,
    ca_is_bad: bool,
    bundles_are_bad: bool,
}

impl ClusterTls {
    /// Offers clients `offer`, and negotiates `backends` with backends.
    pub(crate) fn new(offer: Offer, backends: Negotiation) -> Self {
        Self {
            listener: Arc::new(ArcSwap::new(offer.without_certificate())),
            offer,
            backends,
            trusted: Arc::default(),
            sources: Mutex::default(),
            certificate_read: watch::Sender::default(),
            authorities_read: watch::Sender::default(),
        }
    }

    /// Sets what the Secret contains: `tls.crt`, `tls.key` and `ca.crt`, each in PEM and empty when it is missing.
    /// Without `ca.crt` only trust bundles verify backends.
    ///
    /// # Errors
    /// What is wrong with it. A bad pair does not prevent the use of `ca.crt`, nor the other way round.
    pub fn set_certificates(&self, crt: &[u8], key: &[u8], ca: &[u8]) -> Result<(), TlsProblems> {
        let mut problems = Vec::new();
        let pair = self.offer.with(text("tls.crt", crt), text("tls.key", key));
        let mut sources = self.sources.lock();
        let read = match pair {
            Ok(pair) => {
                // With the same certificate the key is the same as well.
                if sources.certificate != crt {
                    sources.certificate = crt.to_vec();
                    self.listener.store(pair.content);
                    tracing::info!("new connections use the certificate of {SECRET}");
                }
                let not_after = pair.not_after;
                Read::Good { not_after }
            }
            Err(bad) => {
                problems.extend(bad);
                Read::Bad
            }
        };
        self.certificate_read.send_replace(Some(read));
        let (ca, problem) = match ca.trim_ascii() {
            [] => (Vec::new(), None),
            ca => roots(ca),
        };
        sources.ca_is_bad = problem.is_some();
        if problem.is_none() || !ca.is_empty() {
            sources.ca = ca;
        }
        problems.extend(problem.map(|what| what.of(format!("{SECRET}: ca.crt"))));
        self.trust(&sources);
        result(problems)
    }

    /// Sets the trust bundles, which replace all previous ones: the name of each, as it is shown to operators, and its
    /// CA certificates in PEM.
    ///
    /// # Errors
    /// What is wrong with them. The others are used, and of a bad one its valid certificates or, without any, what it
    /// contained before.
    pub fn set_trust_bundles(&self, bundles: Vec<(String, String)>) -> Result<(), TlsProblems> {
        let mut problems = Vec::new();
        let mut sources = self.sources.lock();
        let mut before = std::mem::take(&mut sources.bundles);
        let mut count = 0;
        for (name, text) in bundles {
            let (mut roots, problem) = roots(text.as_bytes());
            problems.extend(problem.map(|what| what.of(&*name)));
            if roots.is_empty()
                && let Some(before) = before.remove(&name)
            {
                roots = before;
            }
            count += roots.len();
            if count > MAX_AUTHORITIES {
                problems.push(What::TooMany(MAX_AUTHORITIES).of(name));
                break;
            }
            sources.bundles.insert(name, roots);
        }
        sources.bundles_are_bad = !problems.is_empty();
        self.trust(&sources);
        result(problems)
    }

    /// Uses all CA certificates from now on.
    fn trust(&self, sources: &Sources) {
        let read = if sources.ca_is_bad || sources.bundles_are_bad {
            Read::Bad
        } else {
            Read::Good { not_after: None }
        };
        self.authorities_read.send_replace(Some(read));
        let roots: Vec<_> = [&sources.ca]
            .into_iter()
            .chain(sources.bundles.values())
            .flatten()
            .cloned()
            .collect();
        let before = self.trusted.load();
        if before.as_ref().map_or(&[][..], |it| it.anchors()) != roots {
            let count = roots.len();
            tracing::info!("new backend connections are verified by {count} CA certificates");
            let trusted = (count > 0).then(|| Trusted::new(&self.backends, roots));
            self.trusted.store(trusted.map(Arc::new));
        }
    }

    /// What new connections of clients use.
    pub(crate) fn listener(&self) -> Arc<ArcSwap<ServerConfig>> {
        Arc::clone(&self.listener)
    }

    /// What new connections to backends use. `None` while there is no CA certificate.
    pub(crate) fn trusted(&self) -> Arc<ArcSwapOption<Trusted>> {
        Arc::clone(&self.trusted)
    }

    /// Calls `on_read` after each change of the certificate, and logs its expiry, for as long as it is polled.
    pub(crate) async fn follow_certificate(&self, on_read: impl Fn(Read) + Send) -> Infallible {
        follow(&self.certificate_read, on_read).await
    }

    /// Calls `on_read` after each change of the CA certificates, for as long as it is polled.
    pub(crate) async fn follow_authorities(&self, on_read: impl Fn(Read) + Send) -> Infallible {
        follow(&self.authorities_read, on_read).await
    }
}

async fn follow(reads: &watch::Sender<Option<Read>>, on_read: impl Fn(Read) + Send) -> Infallible {
    let mut reads = reads.subscribe();
    let mut expiry = Expiry::new(SECRET);
    loop {
        let read = *reads.borrow_and_update();
        if let Some(Read::Good { not_after }) = read {
            expiry.set(not_after);
        }
        read.map(&on_read);
        tokio::select! {
            changed = reads.changed() => changed.expect("the sender is borrowed"),
            never = expiry.run() => match never {},
        }
    }
}

fn text(key: &str, content: &[u8]) -> Text {
    Text {
        subject: format!("{SECRET}: {key}"),
        name: key.to_owned(),
        content: Ok(content.to_vec()),
    }
}

fn result(problems: Vec<TlsProblem>) -> Result<(), TlsProblems> {
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems.into())
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
