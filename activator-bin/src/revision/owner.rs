//! Whose a revision is.

use std::fmt;

/// Who says what a revision is: a source, or the admin port.
///
/// A revision is its source's alone: another source is refused, until its own one has removed it. The admin port may
/// change and remove every revision and takes none away from its source, and any source may take over what the admin
/// port has added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner(&'static str);

impl Owner {
    /// The configuration: its file, flags and the environment.
    pub const FILE: Self = Self("the configuration");
    /// Requests to the admin port.
    pub const ADMIN_PORT: Self = Self("the admin port");

    /// A source of this name, which is the same source as any other one of this name.
    #[must_use]
    pub const fn source(name: &'static str) -> Self {
        Self(name)
    }

    /// Whose what is `self`'s is after `other` has changed it.
    ///
    /// # Errors
    /// It may not.
    pub(super) fn after_word_of(self, other: Self) -> Result<Self, Self> {
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
