//! TLS as configured: files, which are read at startup and watched from then on, or objects of the cluster.

use std::sync::Arc;

use arc_swap::ArcSwap;
use reporter_metrics::Exporter;
use rustls::ServerConfig;

use crate::config::Config;
use crate::tls::{
    Authorities, BackendTls, ClusterTls, Current, Files, Names, Negotiation, NoCipherSuite, Offer,
    Pair, Read, TlsProblems, follow,
};

/// The certificate for clients, and the CAs that verify backends.
pub(super) struct Tls {
    pub(super) listener: Option<Arc<ArcSwap<ServerConfig>>>,
    pub(super) backends: Option<Arc<BackendTls>>,
    pair: Option<Arc<Current<Pair>>>,
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
        let (pair, authorities) = match (pair(config), authorities(config)) {
            (Ok(pair), Ok(authorities)) => (pair, authorities),
            (Err(mut pair), Err(authorities)) => {
                pair.append(authorities);
                return Err(pair);
            }
            (Err(problems), Ok(_)) | (Ok(_), Err(problems)) => return Err(problems),
        };
        let of_files = pair.as_ref().map(|it| it.content());
        let listener = of_files.or_else(|| Some(cluster.as_ref()?.listener()));
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
            listener,
            pair,
            authorities,
            cluster,
        })
    }

    /// Reloads the files when they change, and keeps the metrics. Must be called on a tokio runtime; ends with it.
    pub(super) fn follow(&self, exporter: &Exporter) {
        match (&self.pair, &self.cluster) {
            (Some(pair), _) => spawn(Arc::clone(pair), exporter),
            (None, Some(cluster)) => {
                let (cluster, on_read) = (Arc::clone(cluster), on_read::<Pair>(exporter));
                tokio::spawn(async move { cluster.follow_certificate(on_read).await });
            }
            (None, None) => {}
        }
        match (&self.authorities, &self.cluster) {
            (Some(authorities), _) => spawn(Arc::clone(authorities), exporter),
            (None, Some(cluster)) => {
                let (cluster, on_read) = (Arc::clone(cluster), on_read::<Authorities>(exporter));
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
        certificate: certificate.clone(),
        key: key.clone(),
        offer: offer(config)?,
    })?;
    Ok(Some(Arc::new(pair)))
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
fn on_read<F: Files>(exporter: &Exporter) -> impl Fn(Read) + Send + 'static {
    let metrics = exporter.certificates(F::SECTION);
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
    let on_read = on_read::<F>(exporter);
    tokio::spawn(async move {
        let Err(error) = follow(current, on_read).await;
        tracing::error!(%error, "cannot listen for SIGHUP: certificates will not be reloaded");
    });
}
