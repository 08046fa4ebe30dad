//! The body of a response, as it arrives.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::connection::Shared;
use super::fault::Fault;

/// A body. The connection belongs to whoever has its lease.
pub(crate) struct Http1Body {
    /// `None` at its end: by then others may use the connection.
    from: Option<Shared>,
    /// Said once what came before it had time to be passed on.
    fault: Option<Fault>,
}

impl Http1Body {
    pub(crate) fn new(from: &Shared) -> Self {
        let is_over = from.borrow().is_body_over();
        Self {
            from: (!is_over).then(|| Rc::clone(from)),
            fault: None,
        }
    }
}

impl Body for Http1Body {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        if let Some(fault) = self.fault.take() {
            return Poll::Ready(Some(Err(fault)));
        }
        let Some(from) = &self.from else {
            return Poll::Ready(None);
        };
        let mut open = from.borrow_mut();
        let polled = ready!(open.poll_body(cx));
        let is_over = open.is_body_over();
        drop(open);
        if is_over {
            self.from = None;
        }
        match polled.transpose() {
            Ok(frame) => Poll::Ready(frame.map(Ok)),
            Err(fault) => {
                self.fault = Some(fault);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.from.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let Some(from) = &self.from else {
            return SizeHint::with_exact(0);
        };
        let left = from.borrow().body_left();
        left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
