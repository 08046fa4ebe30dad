//! The proxy's side towards the clients: worker threads that accept and serve connections.
//!
//! What must not live here: what is done with a request.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use crate::drain::Draining;
use crate::proxy::{Proxy, Services};
use crate::upstream::Pool;

pub(crate) mod client;
mod connection;
mod http2;
pub(crate) mod limits;
pub(crate) mod listen;
mod protocol;
mod stream;

use connection::Http;
use protocol::Protocol;

/// How long to wait when the machine is out of sockets or memory.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A running worker.
pub(crate) struct Worker {
    ended: oneshot::Receiver<()>,
}

impl Worker {
    /// Starts a thread that serves `listener`.
    ///
    /// # Errors
    /// The operating system has no thread or no event queue left.
    pub(crate) fn start(
        index: usize,
        listener: TcpListener,
        services: Services,
        draining: Draining,
    ) -> io::Result<Self> {
        let (started, start) = std::sync::mpsc::sync_channel(1);
        let (end, ended) = oneshot::channel();
        thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || {
                match prepare(listener) {
                    Ok((runtime, listener)) => {
                        let _ = started.send(Ok(()));
                        if let Err(error) = runtime.block_on(run(listener, services, draining)) {
                            tracing::error!(%error, "a worker has ended");
                        }
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

fn prepare(listener: TcpListener) -> io::Result<(LocalRuntime, tokio::net::TcpListener)> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())?;
    let entered = runtime.enter();
    let listener = tokio::net::TcpListener::from_std(listener)?;
    drop(entered);
    Ok((runtime, listener))
}

/// Accepts until a drain begins, then waits for the connections to end, as long as they may take.
async fn run(
    listener: tokio::net::TcpListener,
    services: Services,
    mut draining: Draining,
) -> io::Result<()> {
    let connections = Connections::new(services, draining.clone());
    let until = connections.accept(&listener, &mut draining).await;
    // The kernel has told these clients that they are connected; to close now would reset them.
    let listener = listener.into_std()?;
    while let Ok((socket, peer)) = listener.accept() {
        socket.set_nonblocking(true)?;
        connections.serve(TcpStream::from_std(socket)?, peer);
    }
    drop(listener);
    tokio::select! {
        biased;
        () = draining.abandoned() => {}
        () = connections.ended() => {}
        () = sleep_until(until) => {
            tracing::warn!("drain_timeout is over: closing the connections that are left");
        }
    }
    Ok(())
}

/// The connections of a worker, and what each of them needs.
struct Connections {
    http: Rc<Http>,
    proxy: Rc<Proxy>,
    draining: Draining,
    /// Every connection holds a clone: the last one to go ends the channel.
    alive: mpsc::Sender<Infallible>,
    last_gone: mpsc::Receiver<Infallible>,
}

impl Connections {
    fn new(services: Services, draining: Draining) -> Self {
        let (alive, last_gone) = mpsc::channel(1);
        Self {
            http: Rc::new(Http::new(&services.limits)),
            proxy: Rc::new(Proxy::new(services)),
            draining,
            alive,
            last_gone,
        }
    }

    /// Accepts until a drain begins; answers until when connections may last then.
    async fn accept(&self, listener: &tokio::net::TcpListener, draining: &mut Draining) -> Instant {
        let mut sweep = interval(Pool::SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            let accepted = tokio::select! {
                biased;
                until = draining.begun() => return until,
                accepted = listener.accept() => accepted,
                _ = sweep.tick() => {
                    self.proxy.upstream.sweep();
                    continue;
                }
            };
            match accepted {
                Ok((socket, peer)) => {
                    failing = false;
                    self.serve(socket, peer);
                }
                // It was closed again before anybody looked.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::error!(%error, "cannot accept connections, trying again");
                    }
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn serve(&self, socket: TcpStream, peer: SocketAddr) {
        let connection = connection::serve(
            socket,
            peer,
            Protocol::Detect,
            Rc::clone(&self.http),
            Rc::clone(&self.proxy),
            self.draining.clone(),
        );
        let alive = self.alive.clone();
        tokio::task::spawn_local(async move {
            connection.await;
            drop(alive);
        });
    }

    /// Waits for the last one to end.
    async fn ended(self) {
        let Self {
            alive,
            mut last_gone,
            ..
        } = self;
        drop(alive);
        let None = last_gone.recv().await;
    }
}
