//! The certificate authorities that a `wss://` link trusts.

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
const MAX_BYTES: u64 = 64 << 20;

/// The authorities that the autoscaler's certificate is checked against.
#[derive(Debug)]
pub(super) enum Tls {
    /// The system's, read once: there are hundreds.
    System(Arc<ClientConfig>),
    /// A file's, read for each connection: authorities are rotated while the program runs.
    File(PathBuf),
}

/// Why there are no authorities to trust.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file of certificates cannot be read, or is not PEM.
    #[error("cannot be read as PEM certificates: {0}")]
    Unreadable(#[from] pem::Error),
    /// It is a pipe, a device or a directory, or too large: it is read again for each connection.
    #[error("is not a regular file of at most {} MiB", MAX_BYTES >> 20)]
    NotAFile,
    /// It contains no certificate.
    #[error("contains no certificate")]
    NoCertificate,
    /// It contains an invalid certificate.
    #[error("contains an invalid certificate: {0}")]
    BadCertificate(rustls::Error),
    /// There is no file, and the system has no usable certificates.
    #[error("is not set, and this system has no CA certificates")]
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

/// Does not wait for the writer of a pipe.
fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let nonblock = i32::try_from(OFlags::NONBLOCK.bits()).expect("it is one of the lower bits");
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nonblock)
        .open(path);
    let file = file.map_err(pem::Error::Io)?;
    let metadata = file.metadata().map_err(pem::Error::Io)?;
    if !metadata.is_file() || metadata.len() > MAX_BYTES {
        return Err(TlsError::NotAFile);
    }
    let mut text = Vec::new();
    let read = file.take(MAX_BYTES).read_to_end(&mut text);
    read.map_err(pem::Error::Io)?;
    Ok(text)
}

fn system() -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs().certs;
    // A system's store may contain a few that cannot be parsed.
    let (usable, _) = roots.add_parsable_certificates(found);
    match usable {
        0 => Err(TlsError::NoSystemCertificates),
        _ => Ok(trusting(roots)),
    }
}

fn trusting(roots: RootCertStore) -> Arc<ClientConfig> {
    // Named here, so that this works whatever the process-wide provider is.
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
    fn only_regular_files_are_read() {
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
