//! The connections of one worker.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::Services;
use super::connection::{self, Http};
use super::connection_limit::{ConnectionLimit, Permit};
use crate::drain::Draining;
use crate::proxy::Proxy;
use crate::tls::Certificates;

/// The connections of a worker, and what they share.
pub(super) struct Connections {
    http: Rc<Http>,
    pub(super) proxy: Rc<Proxy>,
    pub(super) connection_limit: Arc<ConnectionLimit>,
    draining: Draining,
    /// Every connection holds a clone.
    alive: mpsc::Sender<Infallible>,
}

impl Connections {
    /// Also returns a channel that is closed when this and the last connection have been dropped.
    pub(super) fn new(
        services: Services,
        draining: Draining,
    ) -> (Self, mpsc::Receiver<Infallible>) {
        let (alive, last_closed) = mpsc::channel(1);
        let Services {
            proxy,
            connection_limit,
            handshakes,
        } = services;
        let errors = proxy.errors.clone();
        let connections = Self {
            http: Rc::new(Http::new(&proxy.limits, &draining, handshakes, errors)),
            connection_limit,
            proxy: Rc::new(Proxy::new(proxy)),
            draining,
            alive,
        };
        (connections, last_closed)
    }

    /// Asks connections that have been idle for too long to close. To be called every [`SWEEP`](super::SWEEP).
    pub(super) fn sweep(&self) {
        self.connection_limit
            .sweep(self.http.limits.client_idle_timeout);
    }

    pub(super) fn serve(
        &self,
        socket: TcpStream,
        peer: SocketAddr,
        permit: Permit,
        tls: Option<&Arc<Certificates>>,
    ) {
        let tls = tls.map(Arc::clone);
        let (http, proxy) = (Rc::clone(&self.http), Rc::clone(&self.proxy));
        let (draining, alive) = (self.draining.clone(), self.alive.clone());
        let held = (permit, alive);
        let serving = connection::serve(socket, peer, held, tls, http, proxy, draining);
        // Not inside another future, which would reserve space for all of this as well.
        tokio::task::spawn_local(serving);
    }
}
