//! The spelling of header names, whose case is lost once hyper has parsed them.

use bytes::Bytes;
use memchr::memchr;

/// The most lines searched per head for names that are not at their expected position. Names not found are written in
/// canonical case.
const MOST_LOOKUPS: usize = 1_000;

/// The header lines of a received head, kept for their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names(Bytes);

impl Names {
    /// The names in `lines`, each of which ends with a line feed.
    pub(crate) fn of(lines: &[u8]) -> Self {
        Self::shared(Bytes::copy_from_slice(lines))
    }

    /// As [`of`](Self::of), without a copy.
    pub(crate) fn shared(lines: Bytes) -> Self {
        Self(lines)
    }

    /// Respells the names in `head`, a head or its beginning, as they were received, and all others in canonical
    /// case. Returns false if another head follows an informational response.
    pub(crate) fn put_into(&self, head: &mut [u8]) -> bool {
        let mut at = 0;
        while at < head.len() {
            let is_informational = is_informational(&head[at..]);
            let Some(first) = memchr(b'\n', &head[at..]) else {
                return true;
            };
            at += first + 1;
            let mut search = Search {
                lines: &self.0,
                next: 0,
                lookups: MOST_LOOKUPS,
            };
            while at < head.len() && head[at] != b'\r' {
                let Some(line) = memchr(b'\n', &head[at..]) else {
                    return true;
                };
                search.spell(&mut head[at..=at + line]);
                at += line + 1;
            }
            if !is_informational {
                return true;
            }
            at += b"\r\n".len();
        }
        false
    }
}

/// A search for names in the received lines.
struct Search<'a> {
    lines: &'a [u8],
    /// The line after the last match: most names keep their order.
    next: usize,
    lookups: usize,
}

impl Search<'_> {
    /// Respells the name at the start of `line`.
    fn spell(&mut self, line: &mut [u8]) {
        if !is_own(line) {
            if self.take(self.next, line) {
                return;
            }
            let next = self.next;
            if self.find(next, self.lines.len(), line) || self.find(0, next, line) {
                return;
            }
        }
        let name = line.iter().position(|&byte| byte == b':').unwrap_or(0);
        to_canonical(&mut line[..name]);
    }

    /// Copies the name from a matching line between `at` and `end`.
    fn find(&mut self, mut at: usize, end: usize, line: &mut [u8]) -> bool {
        while at < end && self.lookups > 0 {
            self.lookups -= 1;
            if self.take(at, line) {
                return true;
            }
            at = self.behind(at);
        }
        false
    }

    /// Copies the name from the line at `at` if it is the same.
    fn take(&mut self, at: usize, line: &mut [u8]) -> bool {
        let came = &self.lines[at..];
        let mut length = 0;
        loop {
            let (Some(&came), Some(&written)) = (came.get(length), line.get(length)) else {
                return false;
            };
            if came != written {
                if came.to_ascii_lowercase() != written {
                    return false;
                }
            } else if came == b':' {
                break;
            }
            length += 1;
        }
        line[..length].copy_from_slice(&came[..length]);
        // Most lines keep their length. This only guesses where the next line begins, so it may be wrong.
        self.next = match came.get(line.len() - 1) {
            Some(b'\n') => at + line.len(),
            _ => self.behind(at),
        };
        true
    }

    fn behind(&self, line: usize) -> usize {
        let end = memchr(b'\n', &self.lines[line..]);
        end.map_or(self.lines.len(), |end| line + end + 1)
    }
}

/// Headers whose value is always ours, and so is the spelling.
fn is_own(line: &[u8]) -> bool {
    const OWN: [&[u8]; 4] = [
        b"host:",
        b"k-original-host:",
        b"k-proxy-request:",
        b"x-forwarded-for:",
    ];
    matches!(line.first(), Some(b'h' | b'k' | b'x')) && OWN.iter().any(|own| line.starts_with(own))
}

/// `x-forwarded-for` becomes `X-Forwarded-For`.
pub(crate) fn to_canonical(name: &mut [u8]) {
    let mut is_first = true;
    for byte in name {
        if is_first {
            byte.make_ascii_uppercase();
        }
        is_first = *byte == b'-';
    }
}

/// Whether another response follows. 101 is final.
fn is_informational(head: &[u8]) -> bool {
    head.get(..10)
        .is_some_and(|start| start.starts_with(b"HTTP/1.") && start.ends_with(b" 1"))
        && head.get(10..12) != Some(b"01")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(came: &str, written: &str, expected: &str) {
        let mut head = format!("GET / HTTP/1.1\r\n{written}\r\nBody: x").into_bytes();
        assert!(Names::of(came.as_bytes()).put_into(&mut head));
        let head = String::from_utf8(head).unwrap();
        assert_eq!(head, format!("GET / HTTP/1.1\r\n{expected}\r\nBody: x"));
    }

    #[test]
    fn received_names_keep_their_case_and_others_are_canonical() {
        check("", "", "");
        check("", "a: b\r\nx-ab-c: d:e-f\r\n", "A: b\r\nX-Ab-C: d:e-f\r\n");
        check(
            "a: 1\r\nB: 2\r\n\r\n",
            "a: 1\r\nb: 2\r\n",
            "a: 1\r\nB: 2\r\n",
        );
        check(
            "X-ABC: 1\r\nx-d: 2\nETag: 3\r\n\r\n",
            "etag: 3\r\nx-other: 5\r\nx-d: 2\r\nx-abc: 1\r\n",
            "ETag: 3\r\nX-Other: 5\r\nx-d: 2\r\nX-ABC: 1\r\n",
        );
        // Duplicates keep their own spelling.
        check(
            "x-a: 1\r\nb: 2\r\nX-A: 3\r\n",
            "x-a: 1\r\nx-a: 3\r\nb: 2\r\n",
            "x-a: 1\r\nX-A: 3\r\nb: 2\r\n",
        );
        // Part of a name, or of a value, does not match.
        check("xx: x\r\n", "x: x\r\n", "X: x\r\n");
        check("a: b\r\n", "a-b: c\r\n", "A-B: c\r\n");
        check(
            "host: a\r\nk-x: b\r\n",
            "host: c\r\nk-x: b\r\n",
            "Host: c\r\nk-x: b\r\n",
        );
    }

    #[test]
    fn an_unordered_head_takes_a_bounded_number_of_lookups() {
        let line = |at| format!("x{at}: 1\r\n");
        let came: String = (0..2_000).map(|at| line(at).to_uppercase()).collect();
        let mut head: Vec<u8> = b"GET / HTTP/1.1\r\n".to_vec();
        for at in (0..2_000).rev() {
            head.extend_from_slice(line(at).as_bytes());
        }
        let mut search = Search {
            lines: came.as_bytes(),
            next: 0,
            lookups: MOST_LOOKUPS,
        };
        for at in (0..2_000).rev() {
            search.spell(line(at).into_bytes().as_mut());
        }
        assert_eq!(search.lookups, 0);
        assert!(Names::of(came.as_bytes()).put_into(&mut head));
    }

    #[test]
    fn another_head_follows_an_informational_response() {
        let names = Names::of(b"x-a: 1\r\n");
        let mut both = *b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nx-a: 1\r\nb: 2\r\n\r\n";
        assert!(names.put_into(&mut both));
        assert_eq!(
            &both,
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nx-a: 1\r\nB: 2\r\n\r\n"
        );
        assert!(!names.put_into(&mut b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()));
        assert!(names.put_into(&mut b"HTTP/1.1 101 Switching Protocols\r\n\r\n".to_vec()));
    }
}
