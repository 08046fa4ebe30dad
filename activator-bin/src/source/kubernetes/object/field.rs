//! The types of single fields.

use std::fmt;
use std::ops::Deref;

use md5::{Digest, Md5};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, Visitor};

/// The longest text that is read. No name in Kubernetes is longer.
const TEXT_LIMIT: usize = 253;

/// A text of at most 253 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text(Box<str>);

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Identifies an object for all time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Uid([u8; 16]);

impl Uid {
    /// The 16 bytes of a UUID, as all are; of another text its hash.
    fn of(text: &str) -> Self {
        Self(uuid(text).unwrap_or_else(|| Md5::digest(text).into()))
    }
}

fn uuid(text: &str) -> Option<[u8; 16]> {
    let text: &[u8; 36] = text.as_bytes().try_into().ok()?;
    let mut bytes = [0; 16];
    let mut digits = 0;
    for (at, &byte) in text.iter().enumerate() {
        if matches!(at, 8 | 13 | 18 | 23) {
            if byte != b'-' {
                return None;
            }
            continue;
        }
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            // Upper case would be another text.
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        bytes[digits / 2] = bytes[digits / 2] << 4 | digit;
        digits += 1;
    }
    Some(bytes)
}

/// A field that is only looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Present;

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_ignored_any(IgnoredAny)?;
        Ok(Self)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Str(|text: &str| {
            (text.len() <= TEXT_LIMIT).then(|| Self(text.into()))
        }))
    }
}

impl<'de> Deserialize<'de> for Uid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Str(|text: &str| (!text.is_empty()).then(|| Self::of(text))))
    }
}

/// Reads a text that is not kept as it is.
struct Str<F>(F);

impl<T, F: FnOnce(&str) -> Option<T>> Visitor<'_> for Str<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a short text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).ok_or_else(|| E::invalid_length(text.len(), &"a short text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_is_a_uuid_or_any_other_text() {
        let uuid = Uid::of("00112233-4455-6677-8899-aabbccddeeff");
        let bytes = [
            0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd,
            0xee, 0xff,
        ];
        assert_eq!(uuid, Uid(bytes));
        let others = [
            "00112233-4455-6677-8899-AABBCCDDEEFF",
            "00112233445566778899aabbccddeeff",
            "00112233-4455-6677-8899-aabbccddeef",
            "00112233-4455-6677-8899-aabbccddeefg",
            "00112233-4455-6677-8899aabb-ccddeeff",
            "a",
            "b",
        ];
        let mut all: Vec<Uid> = others.into_iter().map(Uid::of).chain([uuid]).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), others.len() + 1);
    }
}
