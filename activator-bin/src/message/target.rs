//! Valid request targets that `http::Uri` cannot hold: quotes and angle brackets that RFC 3986 wants escaped, bytes
//! that are not UTF-8, and very long ones.
//!
//! Hyper reads a stand-in of the same form, in which the odd bytes are replaced.

use bytes::Bytes;
use http::Uri;
use http::uri::PathAndQuery;

/// The longest that `http::Uri` holds, in bytes.
pub(crate) const LONGEST: usize = u16::MAX as usize - 1;

/// Replaces each odd byte.
const STAND_IN: u8 = b'_';

/// The original path and query of a request whose URI cannot hold them. A request extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target(Bytes);

/// How a byte of a request target is treated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Allowed anywhere in a path and a query.
    Plain,
    /// `http::Uri` may reject it.
    Odd,
    /// Starts a fragment, which is never sent to a server (RFC 9112, 3.2).
    Fragment,
    /// Ends the target.
    End,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Plain; 256];
    let mut byte = 0;
    while byte < classes.len() {
        classes[byte] = match byte as u8 {
            0..=b' ' | 0x7f => Class::End,
            b'#' => Class::Fragment,
            b'"' | b'<' | b'>' | b'`' | 0x80.. => Class::Odd,
            _ => Class::Plain,
        };
        byte += 1;
    }
    classes
};

impl Class {
    pub(crate) fn of(byte: u8) -> Self {
        CLASSES[usize::from(byte)]
    }
}

/// Where path and query begin in a target or its beginning: after the authority, if any. `None` for forms without a
/// path.
pub(crate) fn path_start(target: &[u8]) -> Option<usize> {
    if target.starts_with(b"/") {
        return Some(0);
    }
    let scheme = target.iter().position(|byte| b":/?".contains(byte))?;
    let authority = scheme + b"://".len();
    let rest = target.get(scheme..)?.strip_prefix(b"://")?;
    let path = rest.iter().position(|byte| b"/?".contains(byte))?;
    Some(authority + path)
}

/// Replaces the odd bytes of a path and query. Returns whether there were any.
pub(crate) fn disguise(path: &mut [u8]) -> bool {
    let mut is_odd = false;
    for byte in path {
        if Class::of(*byte) == Class::Odd {
            *byte = STAND_IN;
            is_odd = true;
        }
    }
    is_odd
}

impl Target {
    /// The original path and query.
    pub(crate) fn new(path: Bytes) -> Self {
        Self(path)
    }

    /// `uri` with this target, for HTTP/2, which always uses `http::Uri`. `None` if that cannot hold it.
    pub(crate) fn put_into(&self, uri: &Uri) -> Option<Uri> {
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::from_maybe_shared(self.0.clone()).ok()?);
        Uri::from_parts(parts).ok()
    }

    /// As written in a request line.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_begins_with_the_target_or_behind_the_authority() {
        let check = |target: &str, path: Option<&str>| {
            let start = path_start(target.as_bytes());
            assert_eq!(start.map(|start| &target[start..]), path, "{target}");
        };
        check("/", Some("/"));
        check("/a://b/c", Some("/a://b/c"));
        check("//a/b", Some("//a/b"));
        check("http://a/b?c", Some("/b?c"));
        check("http://a?b/c", Some("?b/c"));
        check("http://a", None);
        check("http:///a", Some("/a"));
        check("http:/a", None);
        check("a/b://c/d", None);
        check("a?b://c/d", None);
        check("*", None);
        check("a:80", None);
        check("", None);
    }

    #[test]
    fn the_stand_in_for_any_path_and_query_is_a_valid_uri() {
        for byte in 0..=u8::MAX {
            if matches!(Class::of(byte), Class::End | Class::Fragment) {
                continue;
            }
            for mut target in [vec![b'/', byte], vec![b'/', b'?', byte]] {
                let is_plain = Class::of(byte) == Class::Plain;
                assert!(!is_plain || PathAndQuery::try_from(&*target).is_ok());
                disguise(&mut target);
                let held = PathAndQuery::try_from(&*target).unwrap();
                assert_eq!(held.as_str().as_bytes(), target);
            }
        }
    }

    #[test]
    fn over_http2_a_target_must_fit_a_uri() {
        let check = |target: &'static [u8], uri: Option<&str>| {
            let disguised = Uri::from_static("http://a/_");
            let found = Target::new(Bytes::from_static(target)).put_into(&disguised);
            assert_eq!(found.map(|uri| uri.to_string()).as_deref(), uri);
        };
        check(b"/\"a\"", Some("http://a/\"a\""));
        check("/\u{e4}?\u{e4}".as_bytes(), Some("http://a/\u{e4}?\u{e4}"));
        check(b"?`", Some("http://a/?`"));
        check(b"/?\"", None);
        check(b"/<", None);
        check(b"/\xe4", None);
    }
}
