//! Takes the response of a watch apart: one event per line. Pure.

use memchr::memchr;
use serde::Deserialize;

use super::piece::{Partial, Piece};

/// The lines of a watch, as far as they have been received.
#[derive(Debug)]
pub(super) struct WatchLines {
    /// The line that has begun.
    line: Partial,
}

impl WatchLines {
    /// Lines of more than `max` bytes are left out.
    pub(super) fn new(max: usize) -> Self {
        Self {
            line: Partial::new(max),
        }
    }

    /// Hands out the lines that are complete with these bytes, without those that are blank.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut on_line: impl FnMut(Piece<'_>)) {
        while let Some(end) = memchr(b'\n', bytes) {
            self.line.complete(&bytes[..end], |line| match line {
                Piece::Whole(text) if text.trim_ascii().is_empty() => {}
                line => on_line(line),
            });
            bytes = &bytes[end + 1..];
        }
        self.line.keep(bytes);
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
