//! The name of a revision, validated once.

use alloc::string::String;
use alloc::sync::Arc;
use core::borrow::Borrow;
use core::fmt;
use core::hash::BuildHasher;
use core::str::FromStr;

use foldhash::fast::FixedState;

mod error;

use error::excerpt;
pub use error::{KeyError, KeyPart, KeyPartError};

/// The longest namespace: a DNS label (RFC 1123).
const NAMESPACE_MAX: usize = 63;
/// The longest revision name: a DNS subdomain (RFC 1123).
const NAME_MAX: usize = 253;
/// The longest part between two dots of a name.
const LABEL_MAX: usize = 63;

/// A revision's namespace and name; printed and parsed as `namespace/name`.
///
/// Cloning costs one atomic increment: the text is shared.
///
/// ```
/// use reporter_core::RevisionKey;
///
/// let key: RevisionKey = "default/hello-00001".parse()?;
/// assert_eq!(key, RevisionKey::try_new("default", "hello-00001")?);
/// assert_eq!((key.namespace(), key.name()), ("default", "hello-00001"));
///
/// let error = "default/Hello".parse::<RevisionKey>().unwrap_err();
/// assert_eq!(error.to_string(), "name \"Hello\": 'H' at byte 0 is not a lower-case letter, a digit, '-' or '.'");
/// # Ok::<(), reporter_core::KeyError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RevisionKey(
    // `namespace/name`. Neither part has a slash, so the text stands for the pair, and the
    // derived order, equality and hash are those of the printed form.
    Arc<str>,
);

impl RevisionKey {
    /// A key from its two parts.
    ///
    /// # Errors
    /// Names the part that is not a DNS label (namespace) or DNS subdomain (name), and why.
    pub fn try_new(namespace: &str, name: &str) -> Result<Self, KeyError> {
        check_namespace(namespace)?;
        check_name(name)?;
        let mut text = String::with_capacity(namespace.len() + 1 + name.len());
        text.push_str(namespace);
        text.push('/');
        text.push_str(name);
        Ok(Self(text.into()))
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.parts().0
    }

    /// The name within the namespace.
    #[must_use]
    pub fn name(&self) -> &str {
        self.parts().1
    }

    /// `namespace/name`, without a copy.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key with its hash, computed once.
    #[inline]
    #[must_use]
    pub fn hashed(&self) -> HashedKey<'_> {
        HashedKey {
            key: self,
            hash: FixedState::default().hash_one(self.as_str()),
        }
    }

    /// Whether the keys are equal. Between clones the text is not read.
    #[inline]
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.identity() == other.identity() || self.0 == other.0
    }

    /// Equal for clones of one key, and only for those while one of them lives.
    pub(crate) fn identity(&self) -> Identity {
        Identity(Arc::as_ptr(&self.0).cast::<u8>() as usize)
    }

    fn parts(&self) -> (&str, &str) {
        self.0
            .split_once('/')
            .expect("both constructors put exactly one slash between the parts")
    }
}

/// Identifies a key without its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity(usize);

/// A [`RevisionKey`] whose hash is known.
#[derive(Clone, Copy, Debug)]
pub struct HashedKey<'a> {
    pub(crate) key: &'a RevisionKey,
    pub(crate) hash: u64,
}

impl HashedKey<'_> {
    /// The key.
    #[must_use]
    pub fn key(&self) -> &RevisionKey {
        self.key
    }

    /// A number below `shards`, which is a power of two of at most 2^25: the reporter that counts this key when
    /// keys are divided among several. The same on every machine for one version of this crate.
    ///
    /// ```
    /// use reporter_core::{Accounting, Report, Reporter, RevisionKey, Timestamp};
    ///
    /// // Each of them could be behind a lock of its own.
    /// let mut shards: Vec<_> = (0..8).map(|_| Reporter::new(Accounting::Snapshot)).collect();
    /// let now = Timestamp::default();
    /// for text in ["default/hello", "default/world", "shop/cart"] {
    ///     let key: RevisionKey = text.parse()?;
    ///     let key = key.hashed();
    ///     let _ticket = shards[key.shard(8)].on_in(key, now)?;
    /// }
    ///
    /// let mut report = Report::default();
    /// for shard in &mut shards {
    ///     shard.on_tick(now, &mut report);
    /// }
    /// assert_eq!(report.messages.len(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn shard(&self, shards: usize) -> usize {
        // Neither the lowest nor the highest bits: a shard's own table uses those.
        (self.hash >> 32) as usize & (shards - 1)
    }
}

/// Its printed form, by which a map of keys is searched without making one.
impl Borrow<str> for RevisionKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for RevisionKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (namespace, name) = text.split_once('/').ok_or_else(|| KeyError::MissingSlash {
            text: excerpt(text),
        })?;
        check_namespace(namespace)?;
        check_name(name)?;
        Ok(Self(text.into()))
    }
}

impl fmt::Display for RevisionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RevisionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RevisionKey({})", self.0)
    }
}

fn check_namespace(text: &str) -> Result<(), KeyError> {
    check_part(KeyPart::Namespace, text, NAMESPACE_MAX)
}

fn check_name(text: &str) -> Result<(), KeyError> {
    check_part(KeyPart::Name, text, NAME_MAX)
}

fn check_part(part: KeyPart, text: &str, limit: usize) -> Result<(), KeyError> {
    check_labels(text, limit, part == KeyPart::Name).map_err(|error| KeyError::Part {
        part,
        text: excerpt(text),
        error,
    })
}

fn check_labels(text: &str, limit: usize, dots: bool) -> Result<(), KeyPartError> {
    if text.is_empty() {
        return Err(KeyPartError::Empty);
    }
    if text.len() > limit {
        return Err(KeyPartError::TooLong {
            length: text.len(),
            limit,
        });
    }
    if let Some((position, character)) = text.char_indices().find(|&(_, c)| {
        !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || (dots && c == '.'))
    }) {
        return Err(KeyPartError::BadCharacter {
            character,
            position,
        });
    }
    let mut position = 0;
    for label in text.split('.') {
        if label.is_empty() {
            return Err(KeyPartError::EmptyLabel { position });
        }
        if label.len() > LABEL_MAX {
            return Err(KeyPartError::LongLabel { position });
        }
        if label.starts_with('-') {
            return Err(KeyPartError::Hyphen { position });
        }
        if label.ends_with('-') {
            return Err(KeyPartError::Hyphen {
                position: position + label.len() - 1,
            });
        }
        position += label.len() + 1;
    }
    Ok(())
}
