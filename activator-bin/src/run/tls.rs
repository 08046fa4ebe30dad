//! TLS as configured: files, which are read at startup and watched from then on, or objects of the cluster.

use std::sync::Arc;

use reporter_metrics::Exporter;

use crate::config::{CertificateConfig, Config};
use crate::tls::{
    Authorities, BACKEND_SECTION, BackendTls, Certificates, ClusterTls, Current, Files, Names,
    Negotiation, NoCipherSuite, Offer, Pair, Read, SECTION, TlsProblem, TlsProblems, follow,
};

/// The certificates for clients, and the CAs that verify backends.
pub(super) struct Tls {
    /// `None` if there is no certificate at all.
    pub(super) listener: Option<Arc<Certificates>>,
    pub(super) backends: Option<Arc<BackendTls>>,
    pair: Option<Arc<Current<Pair>>>,
    named: Vec<Arc<Current<Pair>>>,
    authorities: Option<Arc<Current<Authorities>>>,
    cluster: Option<Arc<ClusterTls>>,
}

impl Tls {
    /// Reads the configured files. Blocks. Files take precedence over `cluster`.
    ///
    /// # Errors
    /// All problems found.
    pub(super) fn try_new(
        config: &Config,
        cluster: Option<Arc<ClusterTls>>,
    ) -> Result<Self, TlsProblems> {
        let mut problems = Vec::new();
        let pair = good(pair(config), &mut problems).flatten();
        let named = config
            .listen
            .https
            .iter()
            .flat_map(|_| &config.certificates);
        let named = named
            .enumerate()
            .filter_map(|(index, it)| good(named_pair(index, it, config), &mut problems))
            .collect::<Vec<_>>();
        let authorities = good(authorities(config), &mut problems).flatten();
        if !problems.is_empty() {
            return Err(problems.into());
        }
        let of_files = pair.as_ref().map(|it| it.content());
        let otherwise = of_files.or_else(|| Some(cluster.as_ref()?.listener()));
        let has_any = otherwise.is_some() || !named.is_empty();
        let mut certificates = Certificates::new(otherwise);
        for (it, section) in named.iter().zip(&config.certificates) {
            certificates.add(&section.hosts, &it.content());
        }
        let name = config.backend_tls.server_name.clone().map(Names::Template);
        let of_files = authorities.as_ref().map(|it| BackendTls {
            trusted: it.content(),
            names: name.clone().unwrap_or(Names::Address),
        });
        let of_cluster = || {
            Some(BackendTls {
                trusted: cluster.as_ref()?.trusted(),
                names: name.unwrap_or(Names::Knative),
            })
        };
        Ok(Self {
            backends: of_files.or_else(of_cluster).map(Arc::new),
            listener: has_any.then(|| Arc::new(certificates)),
            pair,
            named,
            authorities,
            cluster,
        })
    }

    /// Reloads the files when they change, and keeps the metrics. Must be called on a tokio runtime; ends with it.
    pub(super) fn follow(&self, exporter: &Exporter) {
        match (&self.pair, &self.cluster) {
            (Some(pair), _) => spawn(Arc::clone(pair), exporter),
            (None, Some(cluster)) => {
                let (cluster, on_read) = (Arc::clone(cluster), on_read(SECTION, exporter));
                tokio::spawn(async move { cluster.follow_certificate(on_read).await });
            }
            (None, None) => {}
        }
        for named in &self.named {
            spawn(Arc::clone(named), exporter);
        }
        match (&self.authorities, &self.cluster) {
            (Some(authorities), _) => spawn(Arc::clone(authorities), exporter),
            (None, Some(cluster)) => {
                let (cluster, on_read) = (Arc::clone(cluster), on_read(BACKEND_SECTION, exporter));
                tokio::spawn(async move { cluster.follow_authorities(on_read).await });
            }
            (None, None) => {}
        }
    }
}

/// TLS by objects of the cluster, which are still to be set. What is negotiated is as in `config`.
///
/// # Errors
/// The settings allow no cipher suite.
pub fn cluster(config: &Config) -> Result<ClusterTls, TlsProblems> {
    let backends = Negotiation::since(config.backend_tls.min_version);
    Ok(ClusterTls::new(offer(config)?, backends))
}

fn offer(config: &Config) -> Result<Offer, NoCipherSuite> {
    Ok(Offer {
        negotiation: config.tls.negotiation()?,
        http2: config.tls.http2,
    })
}

fn pair(config: &Config) -> Result<Option<Arc<Current<Pair>>>, TlsProblems> {
    let settings = &config.tls;
    let files = config.listen.https.and(settings.certificate.as_ref());
    let Some((certificate, key)) = files.zip(settings.key.as_ref()) else {
        return Ok(None);
    };
    let pair = Current::try_new(Pair {
        section: SECTION.to_owned(),
        hosts: Vec::new(),
        certificate: certificate.clone(),
        key: key.clone(),
        offer: offer(config)?,
    })?;
    Ok(Some(Arc::new(pair)))
}

/// The pair of a `[[certificate]]` section.
fn named_pair(
    index: usize,
    section: &CertificateConfig,
    config: &Config,
) -> Result<Arc<Current<Pair>>, TlsProblems> {
    let pair = Current::try_new(Pair {
        section: format!("certificate[{index}]"),
        hosts: section.hosts.clone(),
        certificate: section.certificate.clone(),
        key: section.key.clone(),
        offer: offer(config)?,
    })?;
    Ok(Arc::new(pair))
}

/// What was read; collects the problems.
fn good<T>(read: Result<T, TlsProblems>, problems: &mut Vec<TlsProblem>) -> Option<T> {
    read.map_err(|bad| problems.extend(bad)).ok()
}

fn authorities(config: &Config) -> Result<Option<Arc<Current<Authorities>>>, TlsProblems> {
    let settings = &config.backend_tls;
    let Some(ca_file) = &settings.ca_file else {
        return Ok(None);
    };
    let authorities = Current::try_new(Authorities {
        ca_file: ca_file.clone(),
        negotiation: Negotiation::since(settings.min_version),
    })?;
    Ok(Some(Arc::new(authorities)))
}

/// Keeps the metrics of a section.
fn on_read(section: &str, exporter: &Exporter) -> impl Fn(Read) + Send + use<> {
    let metrics = exporter.certificates(section);
    move |read| match read {
        Read::Good { not_after } => {
            metrics.loaded(true);
            if let Some(not_after) = not_after {
                metrics.expires(not_after);
            }
        }
        Read::Bad => metrics.loaded(false),
    }
}

fn spawn<F: Files>(current: Arc<Current<F>>, exporter: &Exporter) {
    let on_read = on_read(current.section(), exporter);
    tokio::spawn(async move {
        let Err(error) = follow(current, on_read).await;
        tracing::error!(%error, "cannot listen for SIGHUP: certificates will not be reloaded");
    });
}
