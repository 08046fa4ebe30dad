//! Whom a `wss://` link trusts.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, pem};
use rustls::{ClientConfig, RootCertStore};

/// The largest file that is read.
const MOST_BYTES: u64 = 64 << 20;

/// The certificates that the autoscaler's is checked against.
#[derive(Debug)]
pub(super) enum Tls {
    /// The system's, read once: there are hundreds.
    System(Arc<ClientConfig>),
    /// A file's, read for each connection: certificate authorities are rotated under running programs.
    File(PathBuf),
}

/// Why there is nobody to trust.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file of certificates cannot be read, or is not PEM.
    #[error("cannot be read as PEM certificates: {0}")]
    Unreadable(#[from] pem::Error),
    /// It is a pipe, a device or a directory, or too large: it is read again for each connection.
    #[error("is not a regular file of at most {} MiB", MOST_BYTES >> 20)]
    NotAFile,
    /// There is not a certificate in it.
    #[error("there is no certificate in it")]
    NoCertificate,
    /// A certificate in it is broken.
    #[error("one of its certificates is not valid: {0}")]
    BadCertificate(rustls::Error),
    /// There is no file, and the system has no certificates that can be used.
    #[error("is not set, and this system has no certificates of its own")]
    NoSystemCertificates,
}

impl Tls {
    pub(super) fn try_new(ca_file: Option<PathBuf>) -> Result<Self, TlsError> {
        let tls = match ca_file {
            Some(file) => Self::File(file),
            None => Self::System(system()?),
        };
        tls.client_config().map(|_| tls)
    }

    pub(super) fn client_config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let file = match self {
            Self::System(config) => return Ok(Arc::clone(config)),
            Self::File(file) => file,
        };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&read(file)?) {
            roots.add(certificate?).map_err(TlsError::BadCertificate)?;
        }
        if roots.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        Ok(trusting(roots))
    }
}

/// Waits for no writer of a pipe.
fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let nonblock = i32::try_from(OFlags::NONBLOCK.bits()).expect("it is one of the lower bits");
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nonblock)
        .open(path);
    let file = file.map_err(pem::Error::Io)?;
    let metadata = file.metadata().map_err(pem::Error::Io)?;
    if !metadata.is_file() || metadata.len() > MOST_BYTES {
        return Err(TlsError::NotAFile);
    }
    let mut text = Vec::new();
    let read = file.take(MOST_BYTES).read_to_end(&mut text);
    read.map_err(pem::Error::Io)?;
    Ok(text)
}

fn system() -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs().certs;
    // A system's store may hold a few that nobody can parse.
    let (usable, _) = roots.add_parsable_certificates(found);
    match usable {
        0 => Err(TlsError::NoSystemCertificates),
        _ => Ok(trusting(roots)),
    }
}

fn trusting(roots: RootCertStore) -> Arc<ClientConfig> {
    // The provider is named here, so that this works whatever the process has set for everybody.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has cipher suites for every protocol version")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn what_is_no_file_is_refused_at_once() {
        let pipe = std::env::temp_dir().join(format!("reporter-ca-{}", std::process::id()));
        let made = Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        for path in [&pipe, Path::new("/dev/zero"), Path::new("/")] {
            let refused = Tls::try_new(Some(path.into()));
            assert!(matches!(refused, Err(TlsError::NotAFile)), "{refused:?}");
        }
        std::fs::remove_file(pipe).unwrap();
    }
}
