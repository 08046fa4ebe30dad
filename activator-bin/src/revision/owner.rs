//! Who owns a revision.

use std::fmt;

use reporter_core::RevisionKey;

use crate::host::HostPattern;

/// The owner of a revision: a source, or the admin port.
///
/// Only its owner may change a revision: another source is refused until the owner has removed it. The admin port may
/// change and remove any revision, which does not change its owner, and any source may take over a revision that the
/// admin port has added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner(&'static str);

/// Why a revision was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Another source owns it.
    #[error("the revision belongs to {0}")]
    Owner(Owner),
    /// Another revision has a host that it lists.
    #[error("\"{0}\" is a host of {1} already")]
    Host(HostPattern, RevisionKey),
}

impl Owner {
    /// The configuration: its file, flags and the environment.
    pub const FILE: Self = Self("the configuration");
    /// The admin port.
    pub const ADMIN_PORT: Self = Self("the admin port");

    /// The source of this name.
    #[must_use]
    pub const fn source(name: &'static str) -> Self {
        Self(name)
    }

    /// The owner of a revision of `self` after a change by `other`.
    ///
    /// # Errors
    /// `other` may not change it; returns the owner.
    pub(super) fn after_change_by(self, other: Self) -> Result<Self, Self> {
        match other {
            Self::ADMIN_PORT => Ok(self),
            _ if self == other || self == Self::ADMIN_PORT => Ok(other),
            _ => Err(self),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
