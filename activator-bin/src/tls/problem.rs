//! What is wrong with certificates, keys and CAs: the messages that operators read.

use std::fmt;

use rustls::pki_types::pem;

use super::negotiation::NoCipherSuite;
use crate::os::regular_file::Unread;

/// All problems with TLS files or objects. Displayed one per line.
#[derive(Debug, thiserror::Error)]
pub struct TlsProblems(Vec<TlsProblem>);

/// A problem with a file, or with a value of an object.
#[derive(Debug, thiserror::Error)]
#[error("{subject} {what}")]
pub struct TlsProblem {
    /// The setting and the file, or the object and its key.
    subject: String,
    /// What is wrong, and what is expected.
    what: What,
}

/// What is wrong.
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
    #[error("contains a private key that does not match the first certificate of {0}")]
    OtherKey(String),
    #[error("contains a private key that none of tls.cipher_suites can use")]
    UnsuitedKey,
    #[error("is not used: the trust bundles have more than {0} certificates")]
    TooMany(usize),
    #[error(transparent)]
    NoCipherSuite(#[from] NoCipherSuite),
}

impl TlsProblem {
    /// The setting that names the file, sections in front.
    pub(crate) fn setting(&self) -> &str {
        let (setting, _) = self.subject.split_once(": ").unwrap_or((&self.subject, ""));
        setting
    }
}

impl What {
    pub(super) fn of(self, subject: impl Into<String>) -> TlsProblem {
        TlsProblem {
            subject: subject.into(),
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
}

impl From<TlsProblem> for TlsProblems {
    fn from(problem: TlsProblem) -> Self {
        Self(vec![problem])
    }
}

impl From<Vec<TlsProblem>> for TlsProblems {
    fn from(problems: Vec<TlsProblem>) -> Self {
        Self(problems)
    }
}

impl IntoIterator for TlsProblems {
    type Item = TlsProblem;
    type IntoIter = std::vec::IntoIter<TlsProblem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl From<NoCipherSuite> for TlsProblems {
    fn from(error: NoCipherSuite) -> Self {
        What::from(error).of("tls.cipher_suites").into()
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
