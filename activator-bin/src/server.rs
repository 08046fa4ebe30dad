//! The client side of the proxy: worker threads that accept and serve connections.
//!
//! What must not live here: the handling of requests.

use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use reporter_metrics::HandshakeMetrics;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::drain::Draining;
use crate::proxy;

mod accept;
mod bad_head;
mod connection;
pub(crate) mod connection_limit;
mod connections;
mod crowd;
mod detect;
mod end;
mod half_close;
mod handshake;
mod http1;
mod http2;
mod http_io;
mod idle;
mod protocol;
pub(crate) mod pulse;
mod requests;
mod socket;
#[cfg(test)]
mod tests;
mod timer;

pub(crate) use accept::Listener;

use connection_limit::ConnectionLimit;
use connections::Connections;
use pulse::Pulse;

/// How often to look for connections that have been idle for too long.
const SWEEP: Duration = Duration::from_secs(5);

/// Shared by all workers.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) proxy: proxy::Services,
    pub(crate) connection_limit: Arc<ConnectionLimit>,
    pub(crate) handshakes: HandshakeMetrics,
}

/// A running worker.
pub(crate) struct Worker {
    /// True once it has ended. Closed before that, it has panicked.
    ended: watch::Receiver<bool>,
    pulse: Pulse,
}

impl Worker {
    /// Starts a thread that serves `listeners`.
    ///
    /// # Errors
    /// The machine is out of threads or descriptors.
    pub(crate) fn start(
        index: usize,
        listeners: Vec<Listener>,
        services: Services,
        draining: Draining,
    ) -> io::Result<Self> {
        let (started, start) = std::sync::mpsc::sync_channel(1);
        let (end, ended) = watch::channel(false);
        let (pulse, beat) = Pulse::new(ended.clone());
        thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || {
                match prepare(listeners) {
                    Ok((runtime, listeners)) => {
                        let _ = started.send(Ok(()));
                        runtime.spawn_local(beat.run());
                        runtime.block_on(run(listeners, services, draining));
                        // Ends the remaining connections and their requests.
                        drop(runtime);
                    }
                    Err(error) => {
                        let _ = started.send(Err(error));
                    }
                }
                end.send_replace(true);
            })?;
        start
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("a worker ended before it started")))?;
        Ok(Self { ended, pulse })
    }

    /// Waits for its end. A drain bounds this.
    pub(crate) async fn ended(mut self) {
        // An error means that it panicked.
        let _ = self.ended.wait_for(|ended| *ended).await;
    }

    pub(crate) fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }
}

fn prepare(listeners: Vec<Listener>) -> io::Result<(LocalRuntime, Vec<Listener<TcpListener>>)> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())?;
    let entered = runtime.enter();
    let listeners = listeners.into_iter().map(Listener::watched);
    let listeners = listeners.collect::<io::Result<_>>()?;
    drop(entered);
    Ok((runtime, listeners))
}

/// Serves until a drain begins, then waits for the connections to end, up to the drain's deadline.
async fn run(listeners: Vec<Listener<TcpListener>>, services: Services, mut draining: Draining) {
    let (connections, mut last_closed) = Connections::new(services, draining.clone());
    let connections = Rc::new(connections);
    let mut accepting = JoinSet::new();
    for listener in listeners {
        let connections = Rc::clone(&connections);
        accepting.spawn_local(accept::accept(listener, connections, draining.clone()));
    }
    let until = serving(&connections, &mut draining).await;
    accepting.join_all().await;
    drop(connections);
    tokio::select! {
        biased;
        () = draining.abandoned() => {}
        None = last_closed.recv() => {}
        () = sleep_until(until) => {
            tracing::warn!("drain_timeout is over: closing the remaining connections");
        }
    }
}

/// Maintains all connections until a drain begins. Returns the drain's deadline.
async fn serving(connections: &Connections, draining: &mut Draining) -> Instant {
    let mut maintenance = pin!(connections.proxy.maintain());
    let mut sweep = interval(SWEEP);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            until = draining.begun() => return until,
            _ = sweep.tick() => connections.sweep(),
            never = &mut maintenance => match never {},
        }
    }
}
