//! Certificates, keys and tokens of the control plane, made anew for each cluster.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::json;

use super::control_plane::{NAME_OF_API, SERVER};
use super::network::NODE;

/// The token of a user who may do anything.
pub(crate) const ADMIN: &str = "admin-of-the-end-to-end-scenes";

/// Files in one folder.
pub(crate) struct Credentials(PathBuf);

impl Credentials {
    /// Writes them.
    pub(crate) fn make(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let credentials = Self(folder.to_owned());
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority
            .distinguished_name
            .push(DnType::CommonName, "the cluster of the end-to-end scenes");
        let key = KeyPair::generate()?;
        let certificate = authority.self_signed(&key)?;
        fs::write(credentials.authority(), certificate.pem())?;
        let issuer = Issuer::new(authority, key);

        let names = vec![NODE.to_string(), NAME_OF_API.to_owned()];
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(names)?.signed_by(&key, &issuer)?;
        fs::write(credentials.server_certificate(), certificate.pem())?;
        fs::write(credentials.server_key(), key.serialize_pem())?;

        // Signs the tokens of service accounts.
        let key = KeyPair::generate()?;
        fs::write(credentials.account_key(), key.serialize_pem())?;
        fs::write(credentials.account_public_key(), key.public_key_pem())?;

        let line = format!("{ADMIN},admin,admin,\"system:masters\"\n");
        fs::write(credentials.tokens(), line)?;
        credentials.write_kubeconfig(&credentials.kubeconfig(), ADMIN)?;
        Ok(credentials)
    }

    /// Writes a kubeconfig for the bearer of `token`.
    pub(crate) fn write_kubeconfig(&self, path: &Path, token: &str) -> Result<()> {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "e2e",
            "clusters": [{"name": "e2e", "cluster": {
                "server": SERVER, "certificate-authority": self.authority(),
            }}],
            "users": [{"name": "e2e", "user": {"token": token}}],
            "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": "e2e"}}],
        });
        // JSON is YAML.
        Ok(fs::write(path, serde_json::to_string_pretty(&config)?)?)
    }

    /// The certificate of the authority that signs the API server's.
    pub(crate) fn authority(&self) -> PathBuf {
        self.0.join("ca.crt")
    }

    pub(crate) fn server_certificate(&self) -> PathBuf {
        self.0.join("server.crt")
    }

    pub(crate) fn server_key(&self) -> PathBuf {
        self.0.join("server.key")
    }

    pub(crate) fn account_key(&self) -> PathBuf {
        self.0.join("accounts.key")
    }

    pub(crate) fn account_public_key(&self) -> PathBuf {
        self.0.join("accounts.pub")
    }

    pub(crate) fn tokens(&self) -> PathBuf {
        self.0.join("tokens.csv")
    }

    /// The administrator's.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.0.join("kubeconfig")
    }
}
