//! The TLS settings, and the checks across them.

use std::path::PathBuf;

use rustls::{CipherSuite, NamedGroup};

use super::certificate::SECTION;
use super::file::Locations;
use super::problem::{Location, Problems};
use super::{Config, RevisionSpec};
use crate::settings::{Value, settings};
use crate::tls::{CIPHER_SUITES, CURVES, NAMESPACE, Negotiation, NoCipherSuite, TlsVersion};

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
        /// The newest TLS version accepted from clients: 1.3 or 1.2.
        max_version: TlsVersion = "1.3", choice(TLS_VERSIONS);
        /// The cipher suites accepted from clients, in a list or with commas: IANA names, like TLS_AES_128_GCM_SHA256.
        /// TLS 1.3 keeps all of its own unless one of them is named. Unset: all that are supported.
        cipher_suites: Vec<CipherSuite> = [], choices(CIPHER_SUITES);
        /// The curves accepted from clients for the key exchange, in a list or with commas: X25519, P-256 or P-384.
        /// Unset: all of these.
        curve_preferences: Vec<NamedGroup> = [], choices(CURVES);
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

impl TlsConfig {
    /// What may be negotiated with clients.
    pub(crate) fn negotiation(&self) -> Result<Negotiation, NoCipherSuite> {
        let versions = self.min_version..=self.max_version;
        Negotiation::try_new(versions, &self.cipher_suites, &self.curve_preferences)
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
    let has_others = !config.certificates.is_empty() || problems.mention(SECTION);
    if has_others && config.listen.https.is_none() && !problems.mention("listen.https") {
        let message = "has no effect without listen.https".to_owned();
        problems.push(location(SECTION), SECTION, message);
    }
    // A cluster has its own, and others may be enough, unless there are files.
    let is_any = files.iter().any(|(_, file)| file.is_some());
    let are_needed = is_any || (config.cluster.is_none() && !has_others);
    for (field, file) in files {
        match (config.listen.https, file) {
            (Some(_), None) if are_needed && !problems.mention(field) => {
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
    if config.tls.max_version < config.tls.min_version && !problems.mention("tls.") {
        let field = "tls.max_version";
        let message = "must not be older than tls.min_version".to_owned();
        problems.push(location(field), field, message);
    } else if let Err(error) = config.tls.negotiation()
        && !problems.mention("tls.")
    {
        let field = "tls.cipher_suites";
        problems.push(location(field), field, error.to_string());
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
