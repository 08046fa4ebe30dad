//! Why a text is not a valid key.

use alloc::string::String;
use core::fmt;

use super::LABEL_MAX;

/// Why a text is not a [`RevisionKey`](crate::RevisionKey).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// There is no slash between namespace and name.
    MissingSlash {
        /// The start of the text.
        text: String,
    },
    /// One of the two parts breaks the rules of DNS names.
    Part {
        /// Which one.
        part: KeyPart,
        /// The start of its text.
        text: String,
        /// What is wrong with it.
        error: KeyPartError,
    },
}

/// The two parts of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPart {
    /// A DNS label of at most 63 characters.
    Namespace,
    /// A DNS subdomain of at most 253 characters.
    Name,
}

/// What is wrong with one part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyPartError {
    /// It has no characters.
    Empty,
    /// It is longer than its kind may be.
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// The longest that is allowed, in bytes.
        limit: usize,
    },
    /// It contains a character that is not allowed.
    BadCharacter {
        /// The character.
        character: char,
        /// Where it starts, in bytes.
        position: usize,
    },
    /// A label (the text before, between or after dots) is empty.
    EmptyLabel {
        /// Where the label would start, in bytes.
        position: usize,
    },
    /// A label has more than 63 characters.
    LongLabel {
        /// Where the label starts, in bytes.
        position: usize,
    },
    /// A label starts or ends with a hyphen.
    Hyphen {
        /// Where the hyphen is, in bytes.
        position: usize,
    },
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingSlash { text } => {
                write!(f, "{text:?} has no '/' between namespace and name")
            }
            Self::Part { part, text, error } => {
                let name = match part {
                    KeyPart::Namespace => "namespace",
                    KeyPart::Name => "name",
                };
                write!(f, "{name} {text:?}: ")?;
                match error {
                    KeyPartError::Empty => f.write_str("it is empty"),
                    KeyPartError::TooLong { length, limit } => {
                        write!(f, "{length} bytes, at most {limit} are allowed")
                    }
                    KeyPartError::BadCharacter {
                        character,
                        position,
                    } => {
                        let allowed = match part {
                            KeyPart::Namespace => "a lower-case letter, a digit or '-'",
                            KeyPart::Name => "a lower-case letter, a digit, '-' or '.'",
                        };
                        write!(f, "{character:?} at byte {position} is not {allowed}")
                    }
                    KeyPartError::EmptyLabel { position } => {
                        write!(f, "the label at byte {position} is empty")
                    }
                    KeyPartError::LongLabel { position } => write!(
                        f,
                        "the label at byte {position} has more than {LABEL_MAX} characters"
                    ),
                    KeyPartError::Hyphen { position } => write!(
                        f,
                        "the hyphen at byte {position} may not start or end a label"
                    ),
                }
            }
        }
    }
}

impl core::error::Error for KeyError {}

/// The start of the text: an error never grows with its input.
pub(super) fn excerpt(text: &str) -> String {
    const LIMIT: usize = 80;
    if text.chars().nth(LIMIT).is_none() {
        return text.into();
    }
    text.chars().take(LIMIT).chain("...".chars()).collect()
}
