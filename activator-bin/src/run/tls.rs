//! TLS as configured: the files are read at startup and watched from then on.

use std::sync::Arc;

use reporter_metrics::Exporter;

use crate::config::Config;
use crate::tls::{Authorities, BackendTls, Current, Files, Pair, Read, TlsProblems, follow};

/// The certificate for clients, and the CAs that verify backends.
pub(super) struct Tls {
    pub(super) pair: Option<Arc<Current<Pair>>>,
    pub(super) backends: Option<Arc<BackendTls>>,
}

impl Tls {
    /// Reads the configured files. Blocks.
    ///
    /// # Errors
    /// All problems found.
    pub(super) fn try_new(config: &Config) -> Result<Self, TlsProblems> {
        match (pair(config), backends(config)) {
            (Ok(pair), Ok(backends)) => Ok(Self { pair, backends }),
            (Err(mut pair), Err(backends)) => {
                pair.append(backends);
                Err(pair)
            }
            (Err(problems), Ok(_)) | (Ok(_), Err(problems)) => Err(problems),
        }
    }

    /// Reloads the files when they change. Must be called on a tokio runtime; ends with it.
    pub(super) fn follow(&self, exporter: &Exporter) {
        if let Some(pair) = &self.pair {
            spawn(Arc::clone(pair), exporter);
        }
        if let Some(backends) = &self.backends {
            spawn(Arc::clone(&backends.authorities), exporter);
        }
    }
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
        min_version: settings.min_version,
        http2: settings.http2,
    })?;
    Ok(Some(Arc::new(pair)))
}

fn backends(config: &Config) -> Result<Option<Arc<BackendTls>>, TlsProblems> {
    let settings = &config.backend_tls;
    let Some(ca_file) = &settings.ca_file else {
        return Ok(None);
    };
    let authorities = Current::try_new(Authorities {
        ca_file: ca_file.clone(),
        min_version: settings.min_version,
    })?;
    Ok(Some(Arc::new(BackendTls {
        authorities: Arc::new(authorities),
        server_name: settings.server_name.clone(),
    })))
}

fn spawn<F: Files>(current: Arc<Current<F>>, exporter: &Exporter) {
    let metrics = exporter.certificates(F::SECTION);
    let on_read = move |read: Read| match read {
        Read::Good { not_after } => {
            metrics.loaded(true);
            if let Some(not_after) = not_after {
                metrics.expires(not_after);
            }
        }
        Read::Bad => metrics.loaded(false),
    };
    tokio::spawn(async move {
        let Err(error) = follow(current, on_read).await;
        tracing::error!(%error, "cannot listen for SIGHUP: certificates will not be reloaded");
    });
}
