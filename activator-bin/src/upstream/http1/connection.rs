//! A connection and the exchange on it.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{Method, Request, Response, StatusCode};
use http_body::Frame;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::task::AbortHandle;
use tokio_util::io::poll_read_buf;

use super::decoder::Decoder;
use super::fault::Fault;
use super::head::HeadReader;
use super::upload::Upload;
use crate::limits::Limits;
use crate::message::head::Names;
use crate::message::interim::OnInterim;
use crate::message::request_body::RequestBody;
use crate::upstream::line::Line;
use crate::upstream::socket::Far;

/// How much is read at once of a head, with the body that comes with it.
const FIRST: usize = 8 * 1024;

/// How much is read at once of a body.
const NEXT: usize = 16 * 1024;

/// An open connection. Between two requests it holds no buffers.
pub(crate) struct Open {
    /// `None` once it is closed, or has left HTTP.
    line: Option<Line<Far>>,
    heads: HeadReader,
    /// What was read and not yet used.
    read: BytesMut,
    upload: Upload,
    /// Sends the rest of the request after its response has begun.
    uploading: Option<AbortHandle>,
    /// Waits for that.
    waiter: Option<Waker>,
    /// Why the request cannot be sent to its end.
    broken: Option<Fault>,
    method: Method,
    on_interim: Option<OnInterim>,
    /// Whether a byte of the response has arrived.
    has_response: bool,
    body: Decoder,
    is_reusable: bool,
}

/// A connection, shared by its lease and the body of its response.
pub(crate) type Shared = Rc<RefCell<Open>>;

impl Open {
    pub(crate) fn new(line: Line<Far>, limits: &Limits) -> Self {
        Self {
            line: Some(line),
            heads: HeadReader::new(limits.max_header_size, limits.http1_max_headers()),
            read: BytesMut::new(),
            upload: Upload::default(),
            uploading: None,
            waiter: None,
            broken: None,
            method: Method::GET,
            on_interim: None,
            has_response: false,
            body: Decoder::Over,
            is_reusable: true,
        }
    }

    /// Whether the next request can be sent: nothing has arrived since the last one, and the backend has not closed. Wakes
    /// `waker` when that changes.
    pub(crate) fn is_ready(&mut self, waker: &Waker) -> bool {
        self.is_reusable && self.is_silent(&mut Context::from_waker(waker))
    }

    /// Whether the backend sends nothing and has not closed.
    fn is_silent(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(line) = &mut self.line else {
            return false;
        };
        let mut byte = [0];
        let read = Pin::new(line).poll_read(cx, &mut ReadBuf::new(&mut byte));
        read.is_pending()
    }

    /// Whether the last exchange has ended and the connection can be kept.
    pub(crate) fn is_idle(&self) -> bool {
        self.line.is_some()
            && self.is_reusable
            && self.body.is_over()
            && self.upload.is_over()
            && self.read.is_empty()
    }

    /// Whether the rest of the request is still being sent.
    pub(crate) fn is_uploading(&self) -> bool {
        self.line.is_some() && self.broken.is_none() && !self.upload.is_over()
    }

    /// Begins the next exchange.
    pub(crate) fn begin(&mut self, request: Request<RequestBody>, is_recorded: bool) {
        if let Some(line) = &mut self.line {
            line.begin();
        }
        self.method.clone_from(request.method());
        self.on_interim = request.extensions().get().cloned();
        self.upload = Upload::new(request, is_recorded);
        self.has_response = false;
        self.is_reusable = false;
    }

    /// Whether a byte of the response has arrived.
    pub(crate) fn has_response(&self) -> bool {
        self.has_response
    }

    /// The head of the request, if it is kept.
    pub(crate) fn recorded(&self) -> Option<&[u8]> {
        self.upload.recorded()
    }

    /// Sends the request, and reads the head of the response. Also returns the names of its headers.
    pub(crate) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(Response<()>, Names), Fault>> {
        if let Poll::Ready(Err(fault @ Fault::RequestBody(_))) = self.poll_upload(cx) {
            return Poll::Ready(Err(fault));
        }
        loop {
            if !self.read.is_empty() {
                while let Some(head) = self.heads.take(&mut self.read)? {
                    if head.is_interim() {
                        if let Some(on_interim) = &self.on_interim {
                            on_interim.call(&head.response);
                        }
                        continue;
                    }
                    self.body = head.body(&self.method)?;
                    let switches = head.response.status() == StatusCode::SWITCHING_PROTOCOLS
                        || self.method == Method::CONNECT;
                    self.is_reusable = head.keeps_alive && !switches && self.broken.is_none();
                    self.on_interim = None;
                    self.upload.on_response();
                    return Poll::Ready(Ok((head.response, head.names)));
                }
            }
            if ready!(self.poll_read(cx, FIRST))? == 0 {
                return Poll::Ready(Err(self.broken.take().unwrap_or(Fault::Closed)));
            }
        }
    }

    /// The next part of the body; `None` at its end.
    pub(crate) fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        if self.is_uploading() {
            self.waiter = Some(cx.waker().clone());
        }
        loop {
            if let Some(fault) = self
                .broken
                .take_if(|it| matches!(it, Fault::RequestBody(_)))
            {
                self.close();
                return Poll::Ready(Some(Err(fault)));
            }
            match self.body.next(&mut self.read) {
                Ok(None) if self.body.is_over() => return Poll::Ready(None),
                Ok(None) => {}
                part => return Poll::Ready(part.map_err(Fault::from).transpose()),
            }
            let most = self.body.left().unwrap_or(u64::MAX);
            let most = usize::try_from(most).unwrap_or(usize::MAX).min(NEXT);
            if ready!(self.poll_read(cx, most))? == 0 {
                self.is_reusable = false;
                self.body.on_close()?;
            }
        }
    }

    pub(crate) fn is_body_over(&self) -> bool {
        self.body.is_over()
    }

    /// The bytes of the body that are left, if that is known.
    pub(crate) fn body_left(&self) -> Option<u64> {
        self.body.left()
    }

    /// Reads at most `most` bytes behind what was read. Returns how many.
    fn poll_read(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<Result<usize, Fault>> {
        let Some(line) = &mut self.line else {
            return Poll::Ready(Err(Fault::Closed));
        };
        if self.read.is_empty() && self.read.capacity() < most {
            self.read = BytesMut::with_capacity(most);
        } else {
            self.read.reserve(most);
        }
        let mut room = (&mut self.read).limit(most);
        let read = ready!(poll_read_buf(Pin::new(line), cx, &mut room))?;
        self.has_response |= read > 0;
        Poll::Ready(Ok(read))
    }

    /// Sends what there is of the request. Ready once all of it is sent, or cannot be because the backend does not take
    /// it: it may respond nevertheless.
    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let Some(line) = self.line.as_mut().filter(|_| self.broken.is_none()) else {
            return Poll::Ready(Ok(()));
        };
        match ready!(self.upload.poll(cx, line)) {
            Err(fault @ Fault::Io(_)) => {
                self.on_broken(fault);
                Poll::Ready(Ok(()))
            }
            sent => Poll::Ready(sent),
        }
    }

    fn on_broken(&mut self, fault: Fault) {
        self.broken = Some(fault);
        self.is_reusable = false;
    }

    /// Sends the rest of the request by a task of the current worker, if the response has overtaken it. Returns whether
    /// it has.
    pub(crate) fn upload_rest(shared: &Shared) -> bool {
        let mut open = shared.borrow_mut();
        if !open.is_uploading() {
            return false;
        }
        let first = open.poll_rest(&mut Context::from_waker(Waker::noop()));
        if first.is_pending() {
            let connection = Rc::clone(shared);
            let rest = poll_fn(move |cx| connection.borrow_mut().poll_rest(cx));
            open.uploading = Some(tokio::task::spawn_local(rest).abort_handle());
        }
        true
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_uploading()
            && let Err(fault) = ready!(self.poll_upload(cx))
        {
            self.on_broken(fault);
        }
        if let Some(waiter) = self.waiter.take() {
            waiter.wake();
        }
        Poll::Ready(())
    }

    /// Ready when the rest of the request was sent, or cannot be.
    pub(crate) fn poll_uploaded(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_uploading() {
            return Poll::Ready(());
        }
        if self.body.is_over() && !self.is_silent(cx) {
            self.on_broken(Fault::Closed);
            return Poll::Ready(());
        }
        self.waiter = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Takes the connection, which has left HTTP, with what was already read.
    pub(crate) fn take_line(&mut self) -> Option<(Line<Far>, Bytes)> {
        Some((self.line.take()?, self.read.split().freeze()))
    }

    /// Releases what is not needed until the next request.
    pub(crate) fn rest(&mut self) {
        self.read = BytesMut::new();
        self.upload = Upload::default();
        self.uploading = None;
        self.waiter = None;
    }

    /// Closes it.
    pub(crate) fn close(&mut self) {
        self.line = None;
        self.is_reusable = false;
        if let Some(task) = &self.uploading {
            task.abort();
        }
        self.rest();
    }
}
