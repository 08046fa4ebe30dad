//! A request on its way to the backend.

use std::io::{self, IoSlice, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use http::header::{CONTENT_LENGTH, TRAILER, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, Version};
use http_body::{Body as _, Frame};
use tokio::io::AsyncWrite;

use super::fault::Fault;
use crate::message::head::Names;
use crate::message::headers::tokens;
use crate::message::request_body::RequestBody;
use crate::message::target::Target;

/// The usual size of a head, in bytes.
const USUAL_HEAD: usize = 1024;

/// A request whose head and body are being written.
#[derive(Debug, Default)]
pub(super) struct Upload {
    /// The head, and what goes around chunks. The first `written` bytes are out.
    framing: Vec<u8>,
    written: usize,
    /// A part of the body, behind that.
    data: Bytes,
    /// What follows it.
    after: &'static [u8],
    /// `None` once all of it was taken.
    body: Option<Body>,
    /// The length of the head if it is kept in `framing`.
    recorded: Option<usize>,
    needs_flush: bool,
}

#[derive(Debug)]
struct Body {
    from: RequestBody,
    /// The bytes that are left, unless it goes in chunks.
    left: Option<u64>,
    /// The announced trailers; no others are sent.
    trailers: Vec<HeaderName>,
}

impl Upload {
    /// `is_recorded` keeps the head until a response begins. Only for requests without a body.
    pub(super) fn new(request: Request<RequestBody>, is_recorded: bool) -> Self {
        let (mut head, from) = request.into_parts();
        let body = if from.is_end_stream() {
            head.headers.remove(TRANSFER_ENCODING);
            None
        } else {
            Some(Body::new(&mut head.headers, from))
        };
        let mut framing = Vec::with_capacity(USUAL_HEAD);
        framing.extend_from_slice(head.method.as_str().as_bytes());
        framing.push(b' ');
        write_target(&mut framing, &head.uri, head.extensions.get());
        framing.extend_from_slice(match head.version {
            Version::HTTP_10 => b" HTTP/1.0\r\n",
            _ => b" HTTP/1.1\r\n",
        });
        write_lines(&mut framing, head.headers.iter());
        framing.extend_from_slice(b"\r\n");
        match head.extensions.get::<Names>() {
            Some(names) => names.put_into(&mut framing),
            None => Names::default().put_into(&mut framing),
        };
        Self {
            recorded: is_recorded.then_some(framing.len()),
            framing,
            written: 0,
            data: Bytes::new(),
            after: b"",
            body,
            needs_flush: false,
        }
    }

    /// The head, if it is kept.
    pub(super) fn recorded(&self) -> Option<&[u8]> {
        self.framing.get(..self.recorded?)
    }

    /// Releases the head.
    pub(super) fn on_response(&mut self) {
        self.recorded = None;
        if self.is_written() {
            self.framing = Vec::new();
            self.written = 0;
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.body.is_none() && self.is_written() && !self.needs_flush
    }

    fn is_written(&self) -> bool {
        self.written == self.framing.len() && self.data.is_empty() && self.after.is_empty()
    }

    /// Writes what there is. Ready once all of the request is out.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<Result<(), Fault>> {
        loop {
            let is_between = self.data.is_empty() && self.after.is_empty();
            let waits = is_between && self.take_part(cx)?.is_pending();
            if self.is_written() {
                if self.body.is_some() && !waits {
                    continue;
                }
                if self.needs_flush {
                    ready!(Pin::new(&mut *to).poll_flush(cx))?;
                    self.needs_flush = false;
                }
                return match self.body {
                    None => Poll::Ready(Ok(())),
                    Some(_) => Poll::Pending,
                };
            }
            ready!(self.poll_write(cx, to))?;
        }
    }

    /// Takes the next part of the body, if there is any.
    fn take_part(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(Ok(()));
        };
        let frame = ready!(Pin::new(&mut body.from).poll_frame(cx));
        if self.written == self.framing.len() {
            self.framing.clear();
            self.written = 0;
        }
        let frame = frame.transpose().map_err(Fault::RequestBody)?;
        Poll::Ready(match frame.map(Frame::into_data) {
            None => self.end(None),
            Some(Ok(data)) => self.put(data),
            Some(Err(frame)) => self.end(frame.into_trailers().ok()),
        })
    }

    fn put(&mut self, data: Bytes) -> Result<(), Fault> {
        let Some(body) = &mut self.body else {
            return Ok(());
        };
        let is_last = body.from.is_end_stream();
        match &mut body.left {
            Some(left) => {
                let rest = left.checked_sub(data.len() as u64);
                *left = rest.ok_or_else(|| wrong_length("longer"))?;
                self.data = data;
                if is_last {
                    self.end(None)?;
                }
            }
            None if data.is_empty() => {}
            None => {
                // A write to a vector does not fail.
                let _ = write!(self.framing, "{:X}\r\n", data.len());
                self.data = data;
                self.after = b"\r\n";
                if is_last {
                    self.after = b"\r\n0\r\n\r\n";
                    self.body = None;
                }
            }
        }
        Ok(())
    }

    /// All of the body was taken.
    fn end(&mut self, trailers: Option<HeaderMap>) -> Result<(), Fault> {
        match self.body.take() {
            Some(Body {
                left: Some(1..), ..
            }) => Err(wrong_length("shorter")),
            Some(Body {
                left: None,
                trailers: announced,
                ..
            }) => {
                self.framing.extend_from_slice(b"0\r\n");
                let trailers = trailers.unwrap_or_default();
                let sent = trailers.iter().filter(|(name, _)| announced.contains(name));
                write_lines(&mut self.framing, sent);
                self.framing.extend_from_slice(b"\r\n");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<io::Result<()>> {
        let parts = [&self.framing[self.written..], &self.data, self.after];
        let mut to = Pin::new(to);
        let written = if parts[1].is_empty() && parts[2].is_empty() {
            ready!(to.as_mut().poll_write(cx, parts[0]))?
        } else if to.is_write_vectored() {
            ready!(
                to.as_mut()
                    .poll_write_vectored(cx, &parts.map(IoSlice::new))
            )?
        } else {
            let first = parts.into_iter().find(|part| !part.is_empty());
            ready!(to.as_mut().poll_write(cx, first.unwrap_or_default()))?
        };
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.needs_flush = true;
        let mut left = written;
        let part = left.min(self.framing.len() - self.written);
        self.written += part;
        left -= part;
        let part = left.min(self.data.len());
        self.data.advance(part);
        self.after = &self.after[left - part..];
        Poll::Ready(Ok(()))
    }
}

impl Body {
    /// Sets the header that says how the body ends, unless it is set.
    fn new(headers: &mut HeaderMap, from: RequestBody) -> Self {
        let length = from.size_hint().exact();
        let left = length.filter(|_| !headers.contains_key(TRANSFER_ENCODING));
        match left {
            Some(length) => {
                let entry = headers.entry(CONTENT_LENGTH);
                entry.or_insert_with(|| length.into());
            }
            None => {
                headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
                headers.remove(CONTENT_LENGTH);
            }
        }
        let announced = match left {
            None => tokens(headers, TRAILER)
                .filter_map(|name| HeaderName::from_bytes(name).ok())
                .collect(),
            Some(_) => Vec::new(),
        };
        Self {
            from,
            left,
            trailers: announced,
        }
    }
}

fn wrong_length(what: &str) -> Fault {
    let why = format!("the request body is {what} than its Content-Length");
    Fault::RequestBody(why.into())
}

fn write_target(to: &mut Vec<u8>, uri: &Uri, odd: Option<&Target>) {
    match (odd, uri.path_and_query()) {
        (Some(odd), _) => {
            let odd = odd.as_bytes();
            if !odd.starts_with(b"/") {
                to.push(b'/');
            }
            to.extend_from_slice(odd);
        }
        (None, Some(path)) if uri.authority().is_none() => {
            to.extend_from_slice(path.path().as_bytes());
            if let Some(query) = path.query() {
                to.push(b'?');
                to.extend_from_slice(query.as_bytes());
            }
        }
        // A write to a vector does not fail.
        (None, _) => drop(write!(to, "{uri}")),
    }
}

fn write_lines<'a>(
    to: &mut Vec<u8>,
    headers: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>,
) {
    for (name, value) in headers {
        to.extend_from_slice(name.as_str().as_bytes());
        to.extend_from_slice(b": ");
        to.extend_from_slice(value.as_bytes());
        to.extend_from_slice(b"\r\n");
    }
}
