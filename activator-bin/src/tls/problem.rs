//! What is wrong with TLS files: the messages that operators read.

use std::fmt;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem;

use crate::os::regular_file::Unread;

/// All problems with TLS files. Displayed one per line.
#[derive(Debug, thiserror::Error)]
pub struct TlsProblems(Vec<TlsProblem>);

/// A problem with a file.
#[derive(Debug, thiserror::Error)]
#[error("{setting}: {path} {what}", path = .path.display())]
pub struct TlsProblem {
    /// The setting that names the file, such as `tls.key`.
    pub setting: &'static str,
    pub path: PathBuf,
    /// What is wrong, and what is expected.
    what: What,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub(super) enum What {
    #[error(transparent)]
    Unread(#[from] Unread),
    #[error("is not valid PEM: {0}")]
    NotPem(pem::Error),
    #[error("contains no certificate; a PEM file with -----BEGIN CERTIFICATE----- is expected")]
    NoCertificate,
    #[error(
        "contains no private key; a PEM file with -----BEGIN PRIVATE KEY-----, without a password, is expected"
    )]
    NoKey,
    #[error("contains a certificate that cannot be used: {0}")]
    BadCertificate(rustls::Error),
    #[error("contains a private key that cannot be used: {0}; ECDSA, Ed25519 or RSA is expected")]
    BadKey(rustls::Error),
    #[error(
        "contains a private key that does not match the first certificate of {}",
        .0.display()
    )]
    OtherKey(PathBuf),
}

impl What {
    pub(super) fn of(self, setting: &'static str, path: &Path) -> TlsProblem {
        TlsProblem {
            setting,
            path: path.to_owned(),
            what: self,
        }
    }
}

/// `NoItemsFound` is handled by callers, who know what was expected.
impl From<pem::Error> for What {
    fn from(error: pem::Error) -> Self {
        match error {
            pem::Error::Io(error) => Self::Unread(error.into()),
            error => Self::NotPem(error),
        }
    }
}

impl TlsProblems {
    /// The problems, in the order of the settings.
    #[must_use]
    pub fn as_slice(&self) -> &[TlsProblem] {
        &self.0
    }

    /// Whether a file could not be read, which may succeed the next time.
    pub(super) fn are_passing(&self) -> bool {
        let passing =
            |problem: &TlsProblem| matches!(problem.what, What::Unread(Unread::Failed(_)));
        self.0.iter().any(passing)
    }

    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }
}

impl From<TlsProblem> for TlsProblems {
    fn from(problem: TlsProblem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for TlsProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let line_end = if index == 0 { "" } else { "\n" };
            write!(f, "{line_end}{problem}")?;
        }
        Ok(())
    }
}
