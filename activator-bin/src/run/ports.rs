//! The listening sockets, bound or handed over: all are open before anything starts.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use super::{Handover, StartError};
use crate::config::Config;
use crate::os::listen;
use crate::server::Listener;
use crate::tls::Certificates;

/// All ports.
pub(super) struct Ports {
    pub(super) http: Port,
    /// `None` when it is off, like `https`.
    pub(super) http2: Option<Port>,
    pub(super) https: Option<Port>,
    pub(super) admin: Port,
}

/// One port.
pub(super) struct Port {
    name: &'static str,
    pub(super) address: SocketAddr,
    tls: Option<Arc<Certificates>>,
    pub(super) sockets: Vec<TcpListener>,
    /// Whether the sockets outlive this process.
    pub(super) handed_over: bool,
}

impl Ports {
    /// Takes the sockets that were handed over, and binds the other ports in `config`. `https` uses `tls`.
    pub(super) fn open(
        config: &Config,
        tls: Option<&Arc<Certificates>>,
        mut handover: Handover,
    ) -> Result<Self, StartError> {
        let (listen, workers) = (&config.listen, config.workers);
        let mut open = |name, address: Option<SocketAddr>, sockets| match handover.take(name) {
            handed_over if handed_over.is_empty() => address
                .map(|address| Port::bind(name, address, sockets))
                .transpose(),
            handed_over => Port::take(name, handed_over).map(Some),
        };
        let there = "its address is not optional";
        let mut https = open("https", listen.https, workers)?;
        if let Some(port) = &mut https {
            let tls = tls.ok_or(StartError::NoCertificate)?;
            port.tls = Some(Arc::clone(tls));
        }
        Ok(Self {
            http: open("http", Some(listen.http), workers)?.expect(there),
            http2: open("http2", listen.http2, workers)?,
            https,
            admin: open("admin", Some(listen.admin), 1)?.expect(there),
        })
    }

    /// The listeners of each worker: at least one for every port but the admin port.
    pub(super) fn deal(&self, workers: usize) -> io::Result<Vec<Vec<Listener>>> {
        let mut hands: Vec<Vec<Listener>> = Vec::new();
        hands.resize_with(workers.max(1), Vec::new);
        for port in [Some(&self.http), self.http2.as_ref(), self.https.as_ref()]
            .into_iter()
            .flatten()
        {
            let count = hands.len().max(port.sockets.len());
            let sockets = port.sockets.iter().cycle().take(count);
            for (index, socket) in sockets.enumerate() {
                let worker = index % hands.len();
                hands[worker].push(Listener {
                    port: port.name,
                    tls: port.tls.clone(),
                    socket: socket.try_clone()?,
                    handed_over: port.handed_over,
                });
            }
        }
        Ok(hands)
    }
}

impl Port {
    fn take(name: &'static str, sockets: Vec<TcpListener>) -> Result<Self, StartError> {
        Ok(Self {
            name,
            address: sockets[0].local_addr()?,
            tls: None,
            sockets,
            handed_over: true,
        })
    }

    fn bind(name: &'static str, address: SocketAddr, sockets: usize) -> Result<Self, StartError> {
        let failed = |source| StartError::Listen {
            setting: name,
            address,
            source,
        };
        let sockets = listen::bind(address, sockets).map_err(failed)?;
        let address = sockets[0].local_addr().map_err(failed)?;
        Ok(Self {
            name,
            address,
            tls: None,
            sockets,
            handed_over: false,
        })
    }
}
