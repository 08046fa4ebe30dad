//! What is wrong with the files of TLS: every message an operator reads about one comes from here.

use std::fmt;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem;

use crate::os::regular_file::Unread;

/// All that is wrong with the files of TLS. Printed one problem a line.
#[derive(Debug, thiserror::Error)]
pub struct TlsProblems(Vec<TlsProblem>);

/// A file that is not what it has to be.
#[derive(Debug, thiserror::Error)]
#[error("{setting}: {path} {what}", path = .path.display())]
pub struct TlsProblem {
    /// The setting that names it: `tls.key`.
    pub setting: &'static str,
    pub path: PathBuf,
    /// What is wrong with it, and what would be right.
    what: What,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub(super) enum What {
    #[error(transparent)]
    Unread(#[from] Unread),
    #[error("is not valid PEM: {0}")]
    NotPem(pem::Error),
    #[error("has no certificate in it; a PEM file with -----BEGIN CERTIFICATE----- is expected")]
    NoCertificate,
    #[error(
        "has no private key in it; a PEM file with -----BEGIN PRIVATE KEY-----, without a password, is expected"
    )]
    NoKey,
    #[error("has a certificate in it that cannot be used: {0}")]
    BadCertificate(rustls::Error),
    #[error("has a private key in it that cannot be used: {0}; ECDSA, Ed25519 or RSA is expected")]
    BadKey(rustls::Error),
    #[error(
        "has a private key in it that does not belong to the first certificate of {}",
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

/// No item of the kind that was looked for is the caller's to say: it knows the kind.
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

    /// Whether a file could not be read, which may be different the next time.
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
