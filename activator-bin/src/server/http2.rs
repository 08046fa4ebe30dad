//! HTTP/2 connections from clients, with a task per request.
//!
//! They use the h2 crate directly. With hyper one cannot reset a single stream whose client does not read, send
//! informational responses, or explain what is wrong with a head.

use std::future::poll_fn;
use std::mem;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use h2::Reason;
use h2::server::{Builder, Connection};
use reporter_metrics::ErrorReason;
use tokio::io::{AsyncRead, AsyncWrite};

use super::end::End;
use crate::client::Client;
use crate::client::leave::Leave;
use crate::drain::Draining;
use crate::frames::Frames;
use crate::limits::Limits;
use crate::proxy::Proxy;

mod date;
mod keep_alive;
mod leaving;
mod sending;
mod stream;

pub(super) use date::Date;
use keep_alive::KeepAlive;
use leaving::Leaving;
use stream::Stream;

/// What all HTTP/2 connections share.
pub(super) struct Http2 {
    settings: Builder,
    limits: Limits,
    draining: Draining,
    date: Date,
}

impl Http2 {
    pub(super) fn new(limits: &Limits, draining: Draining) -> Self {
        let mut settings = Builder::new();
        // h2 drops larger heads entirely, so they cannot be refused with a message.
        let head = limits.max_header_size.saturating_mul(2);
        let head = u32::try_from(head).unwrap_or(u32::MAX);
        settings
            .max_concurrent_streams(limits.http2_max_concurrent_streams)
            .max_header_list_size(head)
            .max_pending_accept_reset_streams(limits.http2_max_pending_resets)
            // `Frames` limits these over time.
            .max_local_error_reset_streams(None)
            .initial_window_size(limits.http2_window)
            // Uploads that wait for their backends never block the others.
            .initial_connection_window_size(
                limits.http2_connection_window(limits.http2_max_concurrent_streams),
            )
            .max_send_buffer_size(limits.http2_window as usize);
        Self {
            settings,
            limits: *limits,
            draining,
            date: Date::default(),
        }
    }

    /// Serves a connection to its end, which also ends its requests.
    ///
    /// When a drain is announced the client is told to send no further requests (GOAWAY); those it has sent are
    /// served.
    pub(super) async fn serve(
        self: Rc<Self>,
        io: impl AsyncRead + AsyncWrite + Unpin,
        proxy: &Rc<Proxy>,
        client: &Rc<Client>,
    ) -> End {
        let mut gone = pin!(client.gone());
        let mistakes = u32::try_from(self.limits.http2_max_error_resets).unwrap_or(u32::MAX);
        let (io, flood) = Frames::of_server(io, mistakes);
        let mut handshake = pin!(self.settings.handshake(io));
        let shaken = poll_fn(|cx| {
            if !client.output.is_closed() && gone.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(End::ClientGone));
            }
            let shaken = handshake.as_mut().poll(cx);
            shaken.map_err(|error| End::Http2(Err(error)))
        });
        let mut connection: Connection<_, Bytes> = match shaken.await {
            Ok(connection) => connection,
            Err(end) => return end,
        };
        let mut alive = KeepAlive::new(&mut connection, &self.limits);
        let mut asked = pin!(client.asked_to_leave());
        let mut is_watching = false;
        let mut leaving = Leaving::new(self.draining.clone());
        let mut is_flooded = false;
        poll_fn(|cx| {
            // After we have closed our side, this is what we wait for.
            if !client.output.is_closed() && gone.as_mut().poll(cx).is_ready() {
                return Poll::Ready(End::ClientGone);
            }
            // Polling once registers the waker.
            if !mem::replace(&mut is_watching, true) || client.is_asked_to_leave() {
                while asked.as_mut().poll(cx).is_ready() {
                    if client.leaves(Leave::Asked) {
                        connection.graceful_shutdown();
                    }
                    asked.set(client.asked_to_leave());
                }
            }
            leaving.poll(cx, &mut connection);
            if alive.poll_silent(cx, client).is_ready() {
                return Poll::Ready(End::ClientGone);
            }
            loop {
                match connection.poll_accept(cx) {
                    Poll::Pending if flood.has_come() && !is_flooded => {
                        is_flooded = true;
                        connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                    }
                    Poll::Pending if leaving.poll_idle(cx, &mut connection) => {}
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(_) if is_flooded => return Poll::Ready(End::Flooded),
                    Poll::Ready(None) => return Poll::Ready(End::Http2(Ok(()))),
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(End::Http2(Err(error))),
                    Poll::Ready(Some(Ok((request, respond)))) => {
                        let stream = Stream {
                            http: Rc::clone(&self),
                            proxy: Rc::clone(proxy),
                            client: Rc::clone(client),
                        };
                        tokio::task::spawn_local(stream.serve(request, respond));
                    }
                }
            }
        })
        .await
    }
}

/// Why the connection was closed with GOAWAY, if it was. Errors of a single stream (RST_STREAM) are not counted here.
pub(super) fn refusal(end: &End) -> Option<ErrorReason> {
    let error = match end {
        End::Flooded => return Some(ErrorReason::ClientFlood),
        End::Http2(Err(error)) => error,
        _ => return None,
    };
    match error.reason()? {
        _ if !error.is_go_away() || !error.is_library() => None,
        Reason::ENHANCE_YOUR_CALM => Some(ErrorReason::ClientFlood),
        _ => Some(ErrorReason::BadRequest),
    }
}
