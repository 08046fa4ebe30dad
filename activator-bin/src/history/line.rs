//! One line of a history: how to write and parse it, and what can be wrong with it.

use std::borrow::Cow;

use reporter_core::{KeyError, RevisionKey};
use serde::{Deserialize, Serialize};

/// The longest accepted line in bytes: leaves room for the extra fields of a tick with many keys.
pub const LINE_LIMIT: usize = 16 << 20;

/// One line of a history. Unknown fields are ignored.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct HistoryLine<'a> {
    /// Nanoseconds from an origin that the whole history shares.
    pub(crate) t_ns: u64,
    pub(crate) op: Op,
    /// The request's number. It may be reused once the request has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<u64>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<Cow<'a, str>>,
}

/// What happened.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Op {
    /// A request began.
    In,
    /// A request ended.
    Out,
    /// A period ended.
    Tick,
}

/// Why a line is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// It exceeds [`LINE_LIMIT`].
    #[error("is longer than {} MiB", LINE_LIMIT >> 20)]
    TooLong,
    /// It is not an object.
    #[error("is not a JSON object")]
    NoObject,
    /// It is not JSON, or a field has the wrong type.
    #[error("column {column}: {message}")]
    Json {
        /// In bytes, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// An `in` without an `id`, or an `out` with neither `id` nor `key`.
    #[error("`id` is missing")]
    NoId,
    /// An `in` without a `key`.
    #[error("`key` is missing")]
    NoKey,
    /// The key is not a `namespace/name`.
    #[error("key: {0}")]
    Key(KeyError),
    /// The number of a request that has not ended.
    #[error("the request with id {id} has not ended yet")]
    IdInFlight { id: u64 },
    /// A request began for one revision and ended for another.
    #[error("the request with id {id} began for {came} but ended for {went}")]
    OtherKey {
        id: u64,
        came: RevisionKey,
        went: RevisionKey,
    },
}

impl<'a> HistoryLine<'a> {
    /// Parses a line. `None` if it is blank.
    pub(super) fn parse(line: &'a [u8]) -> Result<Option<Self>, LineError> {
        let line_start = line.trim_ascii_start();
        if line_start.is_empty() {
            return Ok(None);
        }
        // Serde would also accept the fields as an array.
        if !line_start.starts_with(b"{") {
            return Err(LineError::NoObject);
        }
        serde_json::from_slice(line).map(Some).map_err(|error| {
            let text = error.to_string();
            // The position is reported separately, and its line number would always be 1.
            let message = text
                .rsplit_once(" at line ")
                .map_or(&*text, |(what, _)| what);
            LineError::Json {
                column: error.column(),
                message: shortened(message),
            }
        })
    }

    pub(super) fn key(&self) -> Result<Option<RevisionKey>, LineError> {
        let parse = |text: &Cow<'_, str>| text.parse().map_err(LineError::Key);
        self.key.as_ref().map(parse).transpose()
    }
}

/// The start of a message, which may quote untrusted text, without control characters.
fn shortened(message: &str) -> String {
    const LIMIT: usize = 200;
    let start = message.chars().take(LIMIT);
    let visible = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut text: String = start.map(visible).collect();
    if message.chars().nth(LIMIT).is_some() {
        text.push_str("...");
    }
    text
}
