//! HTTP/2 connections of clients: many requests at once, each of which is a task of its own.

use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use h2::Reason;
use hyper::body::Incoming;
use hyper::server::conn::http2::{Builder, Connection};
use hyper::service::HttpService;
use hyper_util::rt::{TokioIo, TokioTimer};
use reporter_metrics::ErrorReason;
use tokio::io::{AsyncRead, AsyncWrite};

use super::client::Client;
use super::connection::End;
use super::limits::Limits;
use crate::body::Body;
use crate::drain::Draining;
use crate::executor::LocalExecutor;

/// The settings of all connections.
pub(super) fn settings(limits: &Limits) -> Builder<LocalExecutor> {
    let mut http = Builder::new(LocalExecutor);
    let head = u32::try_from(limits.max_header_size).unwrap_or(u32::MAX);
    http.max_concurrent_streams(limits.http2_max_concurrent_streams)
        .max_header_list_size(head)
        .max_pending_accept_reset_streams(limits.http2_max_pending_resets)
        .max_local_error_reset_streams(limits.http2_max_error_resets)
        .initial_stream_window_size(limits.http2_window)
        // Uploads that wait for their backends never hold up the others.
        .initial_connection_window_size(
            limits.http2_connection_window(limits.http2_max_concurrent_streams),
        )
        .max_send_buf_size(limits.http2_window as usize)
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.http2_ping_interval)
        .keep_alive_timeout(limits.http2_ping_timeout);
    http
}

/// Why the client was sent away (GOAWAY), if it was. What ends a single stream (RST_STREAM) nobody hears of.
pub(super) fn refusal(end: &End) -> Option<ErrorReason> {
    let End::Closed(Err(error)) = end else {
        return None;
    };
    let error = error.source()?.downcast_ref::<h2::Error>()?;
    match error.reason()? {
        _ if !error.is_go_away() || !error.is_library() => None,
        Reason::ENHANCE_YOUR_CALM => Some(ErrorReason::ClientFlood),
        _ => Some(ErrorReason::BadRequest),
    }
}

/// Drives `connection` and drops it at its end; with it go the requests that it still had.
///
/// A drain tells the client to send no further requests (GOAWAY); those it has sent are served.
pub(super) async fn run<I, S>(
    connection: Connection<TokioIo<I>, S, LocalExecutor>,
    client: &Client,
    mut draining: Draining,
) -> End
where
    I: AsyncRead + AsyncWrite + Unpin,
    S: HttpService<Incoming, ResBody = Body, Error = Infallible, Future: 'static>,
{
    let mut connection = pin!(connection);
    let mut gone = pin!(client.gone());
    let mut drain_begun = pin!(draining.begun());
    let mut is_last = false;
    poll_fn(|cx| {
        // Behind our own end that is what is waited for.
        if !client.is_closed() && gone.as_mut().poll(cx).is_ready() {
            return Poll::Ready(End::ClientGone);
        }
        if !is_last && drain_begun.as_mut().poll(cx).is_ready() {
            connection.as_mut().graceful_shutdown();
            is_last = true;
        }
        connection.as_mut().poll(cx).map(End::Closed)
    })
    .await
}
