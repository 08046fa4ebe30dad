//! What can be said of TLS, and which settings of it only make sense together.

use std::path::PathBuf;

use rustls::version::TLS13;
use rustls::{ALL_VERSIONS, SupportedProtocolVersion};

use super::file::Places;
use super::problem::{Place, Problems};
use super::value::Value;
use super::{Config, RevisionConfig};

/// What the listener for requests over TLS shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfig {
    /// The certificate, and those that lead from it to one that clients know.
    pub certificate: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
    /// The oldest TLS that clients may speak; 1.3 by default.
    pub min_version: TlsVersion,
    /// Whether clients are offered HTTP/2 by ALPN; `true` by default.
    pub http2: bool,
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self {
            certificate: None,
            key: None,
            min_version: TlsVersion::default(),
            http2: true,
        }
    }
}

/// How backends are verified that are reached over TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackendTlsConfig {
    /// The certificates that theirs are checked against.
    pub ca_file: Option<PathBuf>,
    /// The name that theirs must be valid for, with `{namespace}` where that of the revision stands;
    /// each one's IP address when there is none.
    pub server_name: Option<String>,
    /// The oldest TLS that they may speak; 1.3 by default.
    pub min_version: TlsVersion,
}

/// What stands for the revision's namespace in [`BackendTlsConfig::server_name`].
pub(crate) const NAMESPACE: &str = "{namespace}";

/// The name that backends show.
pub(super) fn server_name(value: &Value<'_>) -> Result<Option<String>, String> {
    let template = value.string("a name in quotes")?;
    match Value::Text(&template.replace(NAMESPACE, "namespace")).dns_name() {
        Ok(_) => Ok(Some(template.to_owned())),
        Err(_) if template.contains(['{', '}']) => {
            Err(value.instead_of(&format!("a DNS name in which {NAMESPACE} may stand")))
        }
        Err(message) => Err(message),
    }
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersion {
    /// 1.2, RFC 5246.
    V1_2,
    /// 1.3, RFC 8446.
    #[default]
    V1_3,
}

pub(super) const TLS_VERSIONS: &[(&str, TlsVersion)] =
    &[("1.3", TlsVersion::V1_3), ("1.2", TlsVersion::V1_2)];

static ONLY_1_3: [&SupportedProtocolVersion; 1] = [&TLS13];

impl TlsVersion {
    /// This version and all that came after it.
    pub(crate) fn and_later(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            Self::V1_2 => ALL_VERSIONS,
            Self::V1_3 => &ONLY_1_3,
        }
    }
}

/// What no setting of TLS can check on its own.
pub(super) fn check_together(config: &Config, places: &Places, problems: &mut Problems) {
    let place = |field: &str| places.get(field).cloned().unwrap_or(Place::Default);
    let files = [
        ("tls.certificate", &config.tls.certificate),
        ("tls.key", &config.tls.key),
    ];
    for (field, file) in files {
        match (config.listen.https, file) {
            (Some(_), None) if !problems.mention(field) => {
                let message = format!("needs {field}");
                problems.push(place("listen.https"), "listen.https", message);
            }
            (None, Some(_)) if !problems.mention("listen.https") => {
                let message = "is of no use without listen.https".to_owned();
                problems.push(place(field), field, message);
            }
            _ => {}
        }
    }
    let tls = config.revisions.iter().find(|revision| revision.tls);
    if let Some(RevisionConfig { key, .. }) = tls
        && config.backend_tls.ca_file.is_none()
        && !problems.mention("backend_tls.")
    {
        let field = "backend_tls.ca_file";
        let message = format!("is needed by {key}, which has tls = true");
        problems.push(place(field), field, message);
    }
}
