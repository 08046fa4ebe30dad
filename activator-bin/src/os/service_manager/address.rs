//! Parses `NOTIFY_SOCKET`: a path, an abstract name, or a vsock port.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use socket2::Type;

/// Where a service manager listens.
#[derive(Debug, PartialEq)]
pub(super) enum Address {
    /// A path, or a null byte and an abstract name.
    Unix(PathBuf),
    Vsock(Vsock),
}

/// A vsock port.
#[derive(Debug, PartialEq)]
pub(super) struct Vsock {
    /// The socket types to try.
    pub(super) kinds: &'static [Type],
    pub(super) cid: u32,
    pub(super) port: u32,
}

/// It is not an address of a known kind.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("expected /PATH, @NAME or vsock:CID:PORT")]
pub(super) struct UnknownAddress;

/// Prefixes of vsock addresses, and the socket types that they allow.
const VSOCK: &[(&str, &[Type])] = &[
    ("vsock:", &[Type::DGRAM, Type::SEQPACKET, Type::STREAM]),
    ("vsock-dgram:", &[Type::DGRAM]),
    ("vsock-seqpacket:", &[Type::SEQPACKET]),
    ("vsock-stream:", &[Type::STREAM]),
];

impl Address {
    pub(super) fn parse(text: &OsStr) -> Result<Self, UnknownAddress> {
        match text.as_bytes() {
            [b'/', _, ..] => Ok(Self::Unix(text.into())),
            [b'@', name @ ..] if !name.is_empty() => {
                let name = [b"\0", name].concat();
                Ok(Self::Unix(std::ffi::OsString::from_vec(name).into()))
            }
            _ => text.to_str().and_then(vsock).ok_or(UnknownAddress),
        }
    }
}

fn vsock(text: &str) -> Option<Address> {
    let (rest, kinds) = VSOCK
        .iter()
        .find_map(|(start, kinds)| Some((text.strip_prefix(start)?, *kinds)))?;
    let (cid, port) = rest.split_once(':')?;
    Some(Address::Vsock(Vsock {
        kinds,
        cid: number(cid)?,
        port: number(port)?,
    }))
}

fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_parsed() {
        let check = |text: &str, expected| {
            assert_eq!(Address::parse(text.as_ref()), expected, "{text}");
        };
        let unix = |path: &str| Ok(Address::Unix(path.into()));
        check("/run/notify", unix("/run/notify"));
        check("@name", unix("\0name"));
        check("@a/b:1", unix("\0a/b:1"));
        let vsock = |kinds, cid, port| Ok(Address::Vsock(Vsock { kinds, cid, port }));
        check("vsock:2:1234", vsock(VSOCK[0].1, 2, 1234));
        check(
            "vsock-stream:4294967295:0",
            vsock(&[Type::STREAM], u32::MAX, 0),
        );
        for bad in [
            "/",
            "@",
            "relative",
            "vsock:2",
            "vsock::1",
            "vsock:2:",
            "vsock:-1:2",
            "vsock:+1:2",
            "vsock:1:4294967296",
            "vsock:1:2:3",
            "vsock-packet:1:2",
            "http://a",
        ] {
            check(bad, Err(UnknownAddress));
        }
    }
}
