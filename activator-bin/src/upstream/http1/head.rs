//! The head of a response: when it is complete, what it says, and how its body ends.

use std::mem::MaybeUninit;

use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version};
use httparse::{Header, ParserConfig};
use hyper::ext::ReasonPhrase;
use memchr::memchr;

use super::decoder::Decoder;
use super::fault::Invalid;
use crate::message::head::{HeadEnd, Names};
use crate::message::headers::{split, tokens};

/// The most headers of a response that are parsed without an allocation.
const FEW: usize = 100;

/// Finds and parses the heads on a connection.
#[derive(Debug)]
pub(super) struct HeadReader {
    /// The longest head, in bytes.
    longest: usize,
    most_headers: usize,
    end: HeadEnd,
    /// How much of the head was looked at.
    seen: usize,
    /// An incomplete head is parsed once it is this long, to find out early that it is none.
    next_look: usize,
}

/// A head.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) response: Response<()>,
    pub(super) names: Names,
    /// Whether the connection may be used again.
    pub(super) keeps_alive: bool,
}

impl HeadReader {
    pub(super) fn new(longest: usize, most_headers: Option<usize>) -> Self {
        Self {
            longest,
            most_headers: most_headers.unwrap_or(FEW),
            end: HeadEnd::Line,
            seen: 0,
            next_look: 0,
        }
    }

    /// Takes the head at the start of `read`. `None` if it is incomplete.
    pub(super) fn take(&mut self, read: &mut BytesMut) -> Result<Option<Head>, Invalid> {
        if self.seen == 0 {
            while let [b'\r', b'\n', ..] | [b'\n', ..] = **read {
                read.advance(if read[0] == b'\n' { 1 } else { 2 });
            }
            if **read == *b"\r" {
                return Ok(None);
            }
        }
        let Some(end) = self.end.find(&read[self.seen..]) else {
            self.seen = read.len();
            if self.seen >= self.longest {
                return Err(Invalid::TooLarge);
            }
            if self.seen >= self.next_look {
                self.next_look = 2 * self.seen;
                self.parse(read, |_, _| ())?;
            }
            return Ok(None);
        };
        let length = self.seen + end;
        if length > self.longest {
            return Err(Invalid::TooLarge);
        }
        (self.end, self.seen, self.next_look) = (HeadEnd::Line, 0, 0);
        let bytes = read.split_to(length).freeze();
        let head = self.parse(&bytes, |head, length| {
            let is_whole = length == bytes.len();
            is_whole.then(|| Head::of(&bytes, head))
        })?;
        head.flatten().ok_or(Invalid::End)?.map(Some)
    }

    /// What `read` makes of a complete head, with its length.
    fn parse<'a, T>(
        &self,
        bytes: &'a [u8],
        read: impl FnOnce(&httparse::Response<'_, 'a>, usize) -> T,
    ) -> Result<Option<T>, Invalid> {
        let mut few = [MaybeUninit::uninit(); FEW];
        let mut many;
        let headers: &mut [MaybeUninit<Header<'a>>] = if self.most_headers <= FEW {
            &mut few
        } else {
            many = vec![MaybeUninit::uninit(); self.most_headers];
            &mut many
        };
        let mut head = httparse::Response::new(&mut []);
        let config = ParserConfig::default();
        let parsed = config.parse_response_with_uninit_headers(&mut head, bytes, headers)?;
        Ok(match parsed {
            httparse::Status::Complete(length) => Some(read(&head, length)),
            httparse::Status::Partial => None,
        })
    }
}

impl Head {
    fn of(bytes: &Bytes, head: &httparse::Response<'_, '_>) -> Result<Self, Invalid> {
        let mut response = Response::new(());
        let status = head.code.unwrap_or_default();
        *response.status_mut() = StatusCode::from_u16(status).map_err(|_| Invalid::Status)?;
        let is_http11 = head.version == Some(1);
        if !is_http11 {
            *response.version_mut() = Version::HTTP_10;
        }
        let reason = head.reason.unwrap_or_default();
        if response.status().canonical_reason() != Some(reason)
            && let Ok(reason) = ReasonPhrase::try_from(reason.as_bytes())
        {
            response.extensions_mut().insert(reason);
        }
        let (mut keeps_alive, mut closes) = (is_http11, false);
        let headers = response.headers_mut();
        headers.reserve(head.headers.len());
        for header in &*head.headers {
            let name = HeaderName::from_bytes(header.name.as_bytes());
            let name = name.map_err(|_| Invalid::TooLarge)?;
            let value = HeaderValue::from_maybe_shared(bytes.slice_ref(header.value));
            let value = value.map_err(|_| httparse::Error::HeaderValue)?;
            if name == CONNECTION {
                let has = |token: &[u8]| split(&value).any(|it| it.eq_ignore_ascii_case(token));
                closes |= has(b"close");
                keeps_alive = !closes && (keeps_alive || has(b"keep-alive"));
            }
            headers.append(name, value);
        }
        let lines = memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1);
        Ok(Self {
            response,
            names: Names::shared(bytes.slice(lines..)),
            keeps_alive,
        })
    }

    /// Whether another head follows (RFC 9110, 15.2). 101 is final.
    pub(super) fn is_interim(&self) -> bool {
        let status = self.response.status();
        status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS
    }

    /// How the body ends (RFC 9112, 6.3) in a response to a request with this method.
    pub(super) fn body(&self, to: &Method) -> Result<Decoder, Invalid> {
        let status = self.response.status();
        let headers = self.response.headers();
        let has_none = matches!(status.as_u16(), 101 | 204 | 304)
            || *to == Method::HEAD
            || (*to == Method::CONNECT && status.is_success());
        if has_none {
            return Ok(Decoder::Over);
        }
        if let Some(last) = tokens(headers, TRANSFER_ENCODING).last() {
            return match self.response.version() {
                Version::HTTP_10 => Err(Invalid::TransferEncoding),
                _ if last.eq_ignore_ascii_case(b"chunked") => Ok(Decoder::chunked()),
                _ => Ok(Decoder::UntilClose),
            };
        }
        if headers.contains_key(CONTENT_LENGTH) {
            return content_length(headers).map(Decoder::length);
        }
        Ok(Decoder::UntilClose)
    }
}

/// The length that all values of `Content-Length` agree on.
fn content_length(headers: &HeaderMap) -> Result<u64, Invalid> {
    let mut length = None;
    for number in tokens(headers, CONTENT_LENGTH) {
        let is_number = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
        let number = std::str::from_utf8(number).ok().filter(|_| is_number);
        let number: Option<u64> = number.and_then(|it| it.parse().ok());
        if number.is_none() || length.is_some_and(|it| Some(it) != number) {
            return Err(Invalid::ContentLength);
        }
        length = number;
    }
    length.ok_or(Invalid::ContentLength)
}
