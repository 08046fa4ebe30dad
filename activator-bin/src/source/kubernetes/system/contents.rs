//! What is read of ConfigMaps and of the Secret with the certificate.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use serde::Deserialize;

use crate::source::kubernetes::object::{Lenient, Metadata, Object};

/// What the Secret contains, as PEM; what is missing or not Base64 is empty.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Certificate {
    /// `tls.crt`.
    pub tls_crt: Vec<u8>,
    /// `tls.key`.
    pub tls_key: Vec<u8>,
    /// `ca.crt`.
    pub ca_crt: Vec<u8>,
}

/// A key is not shown.
impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ConfigMap {
    metadata: Lenient<Metadata>,
    pub(crate) data: Lenient<BTreeMap<String, Lenient<String>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Secret {
    metadata: Lenient<Metadata>,
    data: Lenient<SecretData>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SecretData {
    #[serde(rename = "tls.crt")]
    tls_crt: Lenient<ByteString>,
    #[serde(rename = "tls.key")]
    tls_key: Lenient<ByteString>,
    #[serde(rename = "ca.crt")]
    ca_crt: Lenient<ByteString>,
}

/// A key is not shown.
impl std::fmt::Debug for SecretData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretData").finish_non_exhaustive()
    }
}

impl Object for ConfigMap {
    const GROUP: &'static str = "";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "ConfigMap";
    const PLURAL: &'static str = "configmaps";

    fn metadata(&self) -> &Lenient<Metadata> {
        &self.metadata
    }
}

impl Object for Secret {
    const GROUP: &'static str = "";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "Secret";
    const PLURAL: &'static str = "secrets";

    fn metadata(&self) -> &Lenient<Metadata> {
        &self.metadata
    }
}

/// The values that are text.
pub(crate) fn texts(data: Lenient<BTreeMap<String, Lenient<String>>>) -> BTreeMap<String, String> {
    let Lenient::Is(data) = data else {
        return BTreeMap::new();
    };
    let text = |(key, value)| match value {
        Lenient::Is(text) => Some((key, text)),
        Lenient::Missing | Lenient::Bad(_) => None,
    };
    data.into_iter().filter_map(text).collect()
}

pub(crate) fn certificate(secret: Secret) -> Certificate {
    let Lenient::Is(data) = secret.data else {
        return Certificate::default();
    };
    let bytes = |value: Lenient<ByteString>| match value {
        Lenient::Is(ByteString(bytes)) => bytes,
        Lenient::Missing | Lenient::Bad(_) => Vec::new(),
    };
    Certificate {
        tls_crt: bytes(data.tls_crt),
        tls_key: bytes(data.tls_key),
        ca_crt: bytes(data.ca_crt),
    }
}
