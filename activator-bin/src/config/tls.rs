//! The TLS settings, and the checks across them.

use std::path::PathBuf;

use super::file::Locations;
use super::problem::{Location, Problems};
use super::{Config, RevisionSpec};
use crate::settings::{Value, settings};
use crate::tls::{NAMESPACE, TlsVersion};

settings! {
    /// The certificate of the TLS listener.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct TlsConfig in "tls." {
        /// Certificate chain for listen.https (PEM, leaf first).
        certificate: Option<PathBuf> = None, path();
        /// Private key of the leaf certificate (PEM).
        key: Option<PathBuf> = None, path();
        /// The oldest TLS version accepted from clients: 1.3 or 1.2.
        min_version: TlsVersion = "1.3", choice(TLS_VERSIONS);
        /// Whether ALPN offers HTTP/2 on listen.https: true or false.
        http2: bool = "true", truth();
    }
}

settings! {
    /// How TLS backends are verified.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct BackendTlsConfig in "backend_tls." {
        /// CA certificates (PEM) that verify the backends of revisions with tls = true.
        ca_file: Option<PathBuf> = None, path();
        /// The name that these backends' certificates must be valid for; {namespace} stands for the revision's. Unset:
        /// the backend's IP address.
        server_name: Option<String> = None, by(server_name);
        /// The oldest TLS version accepted from these backends: 1.3 or 1.2.
        min_version: TlsVersion = "1.3", choice(TLS_VERSIONS);
    }
}

/// The name that backends' certificates must be valid for.
fn server_name(value: &Value<'_>) -> Result<String, String> {
    let template = value.string("a name in quotes")?;
    match Value::Text(&template.replace(NAMESPACE, "namespace")).dns_name() {
        Ok(_) => Ok(template.to_owned()),
        Err(_) if template.contains(['{', '}']) => {
            Err(value.instead_of(&format!("a DNS name, which may contain {NAMESPACE}")))
        }
        Err(message) => Err(message),
    }
}

const TLS_VERSIONS: &[(&str, TlsVersion)] = &[("1.3", TlsVersion::V1_3), ("1.2", TlsVersion::V1_2)];

/// Checks across several TLS settings.
pub(super) fn check_together(config: &Config, locations: &Locations, problems: &mut Problems) {
    let location = |field: &str| locations.get(field).cloned().unwrap_or(Location::Default);
    let files = [
        ("tls.certificate", &config.tls.certificate),
        ("tls.key", &config.tls.key),
    ];
    for (field, file) in files {
        match (config.listen.https, file) {
            (Some(_), None) if !problems.mention(field) => {
                let message = format!("needs {field}");
                problems.push(location("listen.https"), "listen.https", message);
            }
            (None, Some(_)) if !problems.mention("listen.https") => {
                let message = "has no effect without listen.https".to_owned();
                problems.push(location(field), field, message);
            }
            _ => {}
        }
    }
    let tls = config.revisions.iter().find(|revision| revision.tls);
    if let Some(RevisionSpec { key, .. }) = tls
        && config.backend_tls.ca_file.is_none()
        && !problems.mention("backend_tls.")
    {
        let field = "backend_tls.ca_file";
        let message = format!("is needed by {key}, which has tls = true");
        problems.push(location(field), field, message);
    }
}
