//! Takes the response of a watch apart: one event per line. Pure.

use memchr::memchr;
use serde::Deserialize;

use super::piece::Piece;

/// The lines of a watch, as far as they have been received.
#[derive(Debug)]
pub(super) struct WatchLines {
    max: usize,
    /// The line that has begun.
    line: Vec<u8>,
    is_too_large: bool,
}

impl WatchLines {
    /// Lines of more than `max` bytes are left out.
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            line: Vec::new(),
            is_too_large: false,
        }
    }

    /// Hands out the lines that are complete with these bytes, without those that are blank.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut on_line: impl FnMut(Piece<'_>)) {
        while let Some(end) = memchr(b'\n', bytes) {
            let (rest, following) = (&bytes[..end], &bytes[end + 1..]);
            self.keep(rest);
            if std::mem::take(&mut self.is_too_large) {
                on_line(Piece::TooLarge);
            } else if !self.line.trim_ascii().is_empty() {
                on_line(Piece::Whole(&self.line));
            }
            self.line.clear();
            bytes = following;
        }
        self.keep(bytes);
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.line.len().saturating_add(bytes.len()) > self.max {
            self.is_too_large = true;
            self.line = Vec::new();
        }
        if !self.is_too_large {
            self.line.extend_from_slice(bytes);
        }
    }
}

/// An event of a watch.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", content = "object", rename_all = "UPPERCASE")]
pub(super) enum WatchEvent<T> {
    /// An object is new.
    Added(T),
    /// An object has changed.
    Modified(T),
    /// An object is gone.
    Deleted(T),
    /// Nothing has changed up to a version.
    Bookmark(Bookmark),
    /// The watch has failed.
    Error(Failure),
}

/// How far a watch has come.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Bookmark {
    pub(super) metadata: super::list_page::Head,
}

/// What the API server says about a failure: a `Status` of Kubernetes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Failure {
    pub(super) code: u16,
    pub(super) message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(max: usize, chunks: &[&str], expected: &[Option<&str>]) {
        let mut lines = WatchLines::new(max);
        let mut found = Vec::new();
        for chunk in chunks {
            lines.push(chunk.as_bytes(), |piece| {
                found.push(match piece {
                    Piece::Whole(line) => Some(str::from_utf8(line).unwrap().to_owned()),
                    Piece::TooLarge => None,
                });
            });
        }
        let expected: Vec<_> = expected.iter().map(|it| it.map(str::to_owned)).collect();
        assert_eq!(found, expected, "{chunks:?}");
    }

    #[test]
    fn lines_arrive_whole() {
        check(9, &[], &[]);
        check(9, &["a\nb\n"], &[Some("a"), Some("b")]);
        check(
            9,
            &["a", "b\nc", "", "\n", "\r\n\n", "d"],
            &[Some("ab"), Some("c")],
        );
        check(2, &["ab\nabc\nab\n"], &[Some("ab"), None, Some("ab")]);
        check(2, &["a", "b", "c", "d", "e\nf", "\n"], &[None, Some("f")]);
    }

    #[test]
    fn an_event_is_read() {
        let event = r#"{"type":"BOOKMARK","object":{"kind":"X","metadata":{"resourceVersion":"5","annotations":{}}}}"#;
        let event: WatchEvent<()> = serde_json::from_str(event).unwrap();
        assert!(matches!(event, WatchEvent::Bookmark(it) if it.metadata.resource_version == "5"));
        let event = r#"{"object":{"kind":"Status","code":410,"reason":"Expired"},"type":"ERROR"}"#;
        let event: WatchEvent<()> = serde_json::from_str(event).unwrap();
        assert!(matches!(event, WatchEvent::Error(it) if it.code == 410));
        assert!(serde_json::from_str::<WatchEvent<()>>(r#"{"type":"NEW","object":null}"#).is_err());
    }
}
