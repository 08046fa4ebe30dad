//! The body of a response: where it ends, and what is in it.

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use memchr::memchr;

use super::fault::{Fault, Invalid};

/// The most bytes of all chunk extensions in a body.
const EXTENSIONS: usize = 16 * 1024;

/// The longest line of a chunk's size: that of the largest number, with as much before it as anyone sends.
const DIGITS: usize = 64;

/// The most bytes, and the most lines, of trailers.
const TRAILERS: (usize, usize) = (16 * 1024, 100);

/// Ends nearly all chunked bodies.
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

/// Takes a body out of what was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decoder {
    /// This many bytes are left.
    Length(u64),
    Chunked {
        at: At,
        /// The bytes of extensions so far.
        extensions: usize,
    },
    UntilClose,
    /// Nothing is left.
    Over,
}

/// Where the next byte of a chunked body belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    Size,
    /// To a chunk with this many bytes left.
    Data(u64),
    DataEnd,
    Trailers,
}

impl Decoder {
    pub(super) fn length(length: u64) -> Self {
        match length {
            0 => Self::Over,
            length => Self::Length(length),
        }
    }

    pub(super) fn chunked() -> Self {
        Self::Chunked {
            at: At::Size,
            extensions: 0,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        *self == Self::Over
    }

    /// The bytes that are left, if that is known.
    pub(super) fn left(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Over => Some(0),
            Self::Chunked { .. } | Self::UntilClose => None,
        }
    }

    /// The next part in `read`; `None` if more must be read, or if it is over.
    pub(super) fn next(&mut self, read: &mut BytesMut) -> Result<Option<Frame<Bytes>>, Invalid> {
        match self {
            Self::Over => Ok(None),
            _ if read.is_empty() => Ok(None),
            Self::UntilClose => Ok(Some(Frame::data(read.split().freeze()))),
            Self::Length(left) => {
                let data = take(read, left);
                if *left == 0 {
                    *self = Self::Over;
                }
                Ok(Some(Frame::data(data)))
            }
            Self::Chunked { .. } => self.next_of_chunks(read),
        }
    }

    fn next_of_chunks(&mut self, read: &mut BytesMut) -> Result<Option<Frame<Bytes>>, Invalid> {
        while let Self::Chunked { at, extensions } = self {
            match at {
                At::Size => {
                    let Some(end) = memchr(b'\n', read) else {
                        return match read.len() > DIGITS + EXTENSIONS {
                            true => Err(Invalid::ChunkExtensions),
                            false => chunk_start(read).map(|()| None),
                        };
                    };
                    let (size, extension) = chunk_size(&read[..end])?;
                    *extensions = extensions.saturating_add(extension);
                    if *extensions >= EXTENSIONS {
                        return Err(Invalid::ChunkExtensions);
                    }
                    read.advance(end + 1);
                    *at = match size {
                        0 => At::Trailers,
                        size => At::Data(size),
                    };
                }
                At::Data(_) if read.is_empty() => return Ok(None),
                At::Data(left) => {
                    let data = take(read, left);
                    if *left == 0 {
                        *at = At::DataEnd;
                        // So that the end is known with the last bytes.
                        if **read == *LAST_CHUNK {
                            read.clear();
                            *self = Self::Over;
                        }
                    }
                    return Ok(Some(Frame::data(data)));
                }
                At::DataEnd => {
                    if !b"\r\n".starts_with(&read[..read.len().min(2)]) {
                        return Err(Invalid::ChunkEnd);
                    }
                    if read.len() < 2 {
                        return Ok(None);
                    }
                    read.advance(2);
                    *at = At::Size;
                }
                At::Trailers => {
                    let Some(trailers) = trailers(read)? else {
                        return Ok(None);
                    };
                    *self = Self::Over;
                    return Ok(trailers.map(Frame::trailers));
                }
            }
        }
        Ok(None)
    }

    /// The connection was closed.
    pub(super) fn on_close(&mut self) -> Result<(), Fault> {
        match self {
            Self::UntilClose | Self::Over => {
                *self = Self::Over;
                Ok(())
            }
            Self::Length(_) | Self::Chunked { .. } => Err(Fault::Closed),
        }
    }
}

/// Takes as much as there is, and at most `left`.
fn take(read: &mut BytesMut, left: &mut u64) -> Bytes {
    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(read.len());
    *left -= length as u64;
    read.split_to(length).freeze()
}

/// Whether this can be the start of a chunk's size.
fn chunk_start(line: &[u8]) -> Result<(), Invalid> {
    let is_digit = |byte: &u8| byte.is_ascii_hexdigit();
    match line.first().is_none_or(is_digit) {
        true => Ok(()),
        false => Err(Invalid::ChunkSize),
    }
}

/// The size that a line without its line feed says, and the bytes of its extensions.
fn chunk_size(line: &[u8]) -> Result<(u64, usize), Invalid> {
    let line = line.strip_suffix(b"\r").ok_or(Invalid::ChunkSize)?;
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit());
    let (digits, rest) = line.split_at(digits.count());
    let size = std::str::from_utf8(digits)
        .ok()
        .filter(|_| digits.len() <= DIGITS)
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .ok_or(Invalid::ChunkSize)?;
    let spaces = rest.iter().take_while(|byte| b" \t".contains(byte)).count();
    match &rest[spaces..] {
        [] => Ok((size, 0)),
        [b';', ..] if !rest.contains(&b'\r') => Ok((size, rest.len())),
        _ => Err(Invalid::ChunkSize),
    }
}

/// Takes the trailers, up to the empty line behind them. `None` if they are incomplete; there may be none.
fn trailers(read: &mut BytesMut) -> Result<Option<Option<HeaderMap>>, Invalid> {
    if read.starts_with(b"\r\n") {
        read.advance(2);
        return Ok(Some(None));
    }
    let mut headers = [httparse::EMPTY_HEADER; TRAILERS.1];
    let (length, lines) = match httparse::parse_headers(read, &mut headers) {
        Ok(httparse::Status::Complete(parsed)) => parsed,
        Ok(httparse::Status::Partial) if read.len() < TRAILERS.0 => return Ok(None),
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            return Err(Invalid::ManyTrailers);
        }
        Err(_) => return Err(Invalid::Trailers),
    };
    if length > TRAILERS.0 {
        return Err(Invalid::ManyTrailers);
    }
    // A bare line feed ends a line for some and not for others.
    let mut parts = read[..length].split(|byte| *byte == b'\n');
    parts.next_back();
    if !parts.all(|line| line.ends_with(b"\r")) {
        return Err(Invalid::Trailers);
    }
    let mut trailers = HeaderMap::with_capacity(lines.len());
    for line in lines {
        let name = HeaderName::from_bytes(line.name.as_bytes());
        let value = HeaderValue::from_bytes(line.value);
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(Invalid::Trailers);
        };
        trailers.append(name, value);
    }
    read.advance(length);
    Ok(Some(Some(trailers)))
}
