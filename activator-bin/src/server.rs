//! The proxy's side towards the clients: worker threads that accept and serve connections.
//!
//! What must not live here: what is done with a request.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep_until};
use tokio_rustls::TlsAcceptor;

use crate::drain::Draining;
use crate::proxy::{Proxy, Services};
use crate::tls::{Current, Pair};
use crate::upstream::{Pool, Recall};

mod accept;
mod connection;
mod crowd;
mod half_close;
mod handshake;
mod http1;
mod http2;
pub(crate) mod places;
mod protocol;
mod refusal;
mod requests;
mod rest;
mod stream;
#[cfg(test)]
mod tests;
mod timer;
mod wire;

pub(crate) use accept::Listener;

use connection::Http;
use places::{Place, Places};

/// A running worker.
pub(crate) struct Worker {
    ended: oneshot::Receiver<()>,
}

impl Worker {
    /// Starts a thread that serves `listeners`.
    ///
    /// # Errors
    /// The operating system has no thread or no event queue left.
    pub(crate) fn start(
        index: usize,
        listeners: Vec<Listener>,
        services: Services,
        draining: Draining,
    ) -> io::Result<Self> {
        let (started, start) = std::sync::mpsc::sync_channel(1);
        let (end, ended) = oneshot::channel();
        thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || {
                match prepare(listeners) {
                    Ok((runtime, listeners)) => {
                        let _ = started.send(Ok(()));
                        runtime.block_on(run(listeners, services, draining));
                        // Whatever is left of it ends here, and with that its requests.
                        drop(runtime);
                    }
                    Err(error) => {
                        let _ = started.send(Err(error));
                    }
                }
                let _ = end.send(());
            })?;
        start
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("a worker has ended before it started")))?;
        Ok(Self { ended })
    }

    /// Waits for its end, which a drain bounds.
    pub(crate) async fn ended(self) {
        // An error means that it ended in a panic.
        let _ = self.ended.await;
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

/// Serves until a drain begins, then waits for the connections to end, as long as they may take.
async fn run(listeners: Vec<Listener<TcpListener>>, services: Services, mut draining: Draining) {
    let (connections, mut last_gone) = Connections::new(services, draining.clone());
    let connections = Rc::new(connections);
    let mut accepting = JoinSet::new();
    for listener in listeners {
        let connections = Rc::clone(&connections);
        accepting.spawn_local(accept::accept(listener, connections, draining.clone()));
    }
    let mut sweep = interval(Pool::SWEEP);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut recalled = connections.recall.listen();
    let until = loop {
        tokio::select! {
            biased;
            until = draining.begun() => break until,
            _ = sweep.tick() => connections.sweep(),
            call = recalled.next() => connections.proxy.upstream.close(call),
        }
    };
    accepting.join_all().await;
    drop(connections);
    tokio::select! {
        biased;
        () = draining.abandoned() => {}
        None = last_gone.recv() => {}
        () = sleep_until(until) => {
            tracing::warn!("drain_timeout is over: closing the connections that are left");
        }
    }
}

/// The connections of a worker, and what each of them needs.
struct Connections {
    http: Rc<Http>,
    proxy: Rc<Proxy>,
    places: Arc<Places>,
    recall: Recall,
    draining: Draining,
    /// Every connection holds a clone.
    alive: mpsc::Sender<Infallible>,
}

impl Connections {
    /// With it comes a channel that ends when it and the last connection are gone.
    fn new(services: Services, draining: Draining) -> (Self, mpsc::Receiver<Infallible>) {
        let (alive, last_gone) = mpsc::channel(1);
        let connections = Self {
            http: Rc::new(Http::new(&services.limits, &draining)),
            places: Arc::clone(&services.places),
            recall: services.revisions.recall().clone(),
            proxy: Rc::new(Proxy::new(services)),
            draining,
            alive,
        };
        (connections, last_gone)
    }

    /// To be called every [`Pool::SWEEP`].
    fn sweep(&self) {
        self.proxy.upstream.sweep();
        self.places.sweep(self.http.limits.client_idle_timeout);
    }

    fn serve(
        &self,
        socket: TcpStream,
        peer: SocketAddr,
        place: Place,
        tls: Option<&Current<Pair>>,
    ) {
        let tls = tls.map(|pair| TlsAcceptor::from(pair.content()));
        let (http, proxy) = (Rc::clone(&self.http), Rc::clone(&self.proxy));
        let (draining, alive) = (self.draining.clone(), self.alive.clone());
        let held = (place, alive);
        let serving = connection::serve(socket, peer, held, tls, http, proxy, draining);
        // Not from within another future, which would have room for all of that as well.
        tokio::task::spawn_local(serving);
    }
}
