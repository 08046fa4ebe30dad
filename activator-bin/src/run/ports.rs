//! The sockets that the activator listens on, all of them open before anything starts.

use std::io;
use std::net::{SocketAddr, TcpListener};

use super::StartError;
use crate::config::Config;
use crate::server::{Listener, listen};

/// Every port.
pub(super) struct Ports {
    pub(super) http: Port,
    /// None when it is off.
    pub(super) http2: Option<Port>,
    pub(super) admin: Port,
}

/// One port.
pub(super) struct Port {
    name: &'static str,
    pub(super) address: SocketAddr,
    pub(super) sockets: Vec<TcpListener>,
}

impl Ports {
    /// Binds every port that `config` names.
    pub(super) fn open(config: &Config) -> Result<Self, StartError> {
        let (listen, workers) = (&config.listen, config.workers);
        let http2 = listen.http2.map(|it| Port::bind("http2", it, workers));
        Ok(Self {
            http: Port::bind("http", listen.http, workers)?,
            http2: http2.transpose()?,
            admin: Port::bind("admin", listen.admin, 1)?,
        })
    }

    /// What each of the workers serves: at least one socket of every port for requests.
    pub(super) fn deal(&self, workers: usize) -> io::Result<Vec<Vec<Listener>>> {
        let mut hands: Vec<Vec<Listener>> = Vec::new();
        hands.resize_with(workers.max(1), Vec::new);
        for port in [Some(&self.http), self.http2.as_ref()]
            .into_iter()
            .flatten()
        {
            let most = hands.len().max(port.sockets.len());
            let sockets = port.sockets.iter().cycle().take(most);
            for (index, socket) in sockets.enumerate() {
                let worker = index % hands.len();
                hands[worker].push(Listener {
                    port: port.name,
                    socket: socket.try_clone()?,
                });
            }
        }
        Ok(hands)
    }
}

impl Port {
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
            sockets,
        })
    }
}
