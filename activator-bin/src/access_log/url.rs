//! A request target as Go's `net/url` sees it.

use std::borrow::Cow;

/// The parts of a request target, as they were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Url<'e> {
    /// Empty unless the target names it, as the host.
    pub(super) scheme: &'e str,
    pub(super) host: &'e str,
    /// With its escapes.
    path: &'e str,
    query: Option<&'e str>,
}

impl<'e> Url<'e> {
    pub(super) fn new(target: &'e str) -> Self {
        let (scheme, rest) = match target.split_once("://") {
            Some((scheme, rest)) if scheme.bytes().all(is_scheme) => (scheme, Some(rest)),
            _ => ("", None),
        };
        let (host, rest) = match rest {
            Some(rest) => rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len())),
            None if target.starts_with('/') || target == "*" => ("", target),
            None => (target, ""),
        };
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        Self {
            scheme,
            host,
            path,
            query,
        }
    }

    /// The path without its escapes.
    pub(super) fn path(&self) -> Cow<'e, str> {
        match unescaped(self.path) {
            Some(path) => Cow::Owned(String::from_utf8_lossy(&path).into_owned()),
            None => Cow::Borrowed(self.path),
        }
    }

    /// The path as it was sent, with escapes for the characters that need them.
    pub(super) fn escaped_path(&self) -> Cow<'e, str> {
        if self
            .path
            .bytes()
            .all(|byte| byte == b'%' || is_allowed(byte))
        {
            return Cow::Borrowed(self.path);
        }
        let path = unescaped(self.path).unwrap_or_else(|| self.path.into());
        let mut escaped = String::with_capacity(path.len() + 16);
        for byte in path {
            match byte {
                byte if is_kept(byte) => escaped.push(byte.into()),
                byte => escaped.push_str(&format!("%{byte:02X}")),
            }
        }
        Cow::Owned(escaped)
    }

    /// The part behind the question mark.
    pub(super) fn query(&self) -> &'e str {
        self.query.unwrap_or_default()
    }

    /// All of it.
    pub(super) fn text(&self) -> String {
        let Self { scheme, host, .. } = self;
        let mut text = scheme.to_ascii_lowercase();
        if !text.is_empty() {
            text.push(':');
        }
        if !(scheme.is_empty() && host.is_empty()) {
            text.push_str("//");
            text.push_str(host);
        }
        text.push_str(&self.escaped_path());
        if let Some(query) = self.query {
            text.push('?');
            text.push_str(query);
        }
        text
    }
}

fn is_scheme(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)
}

/// Whether Go leaves the byte as it is in a path that was sent.
fn is_allowed(byte: u8) -> bool {
    is_kept(byte) || b"!'()*[]".contains(&byte)
}

/// Whether Go leaves the byte as it is when it escapes a path.
fn is_kept(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&byte)
}

/// The bytes that a path stands for; `None` if it has none or a bad escape.
fn unescaped(path: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut parts = path.split('%');
    bytes.extend(parts.next()?.bytes());
    for part in parts {
        let digits = part
            .get(..2)
            .filter(|it| it.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend(part[2..].bytes());
    }
    Some(bytes)
}
