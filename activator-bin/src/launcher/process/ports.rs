//! Free ports of this machine, each for one instance.

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use parking_lot::Mutex;

/// How many ports are tried before it is an error that all are reserved.
const TRIES: usize = 1000;

/// The ports that are reserved for instances of this process.
#[derive(Debug, Default)]
pub(super) struct Ports(Mutex<HashSet<u16>>);

/// A port that no other instance gets while this is held.
#[derive(Debug)]
pub(super) struct ReservedPort {
    number: u16,
    ports: Arc<Ports>,
}

impl Ports {
    /// A port that was free a moment ago. Nothing but another program can take it now.
    pub(super) fn reserve(self: &Arc<Self>) -> io::Result<ReservedPort> {
        // They stay bound until one is found, so that none is found twice.
        let mut taken = Vec::new();
        for _ in 0..TRIES {
            let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let number = socket.local_addr()?.port();
            if self.0.lock().insert(number) {
                let ports = Arc::clone(self);
                return Ok(ReservedPort { number, ports });
            }
            taken.push(socket);
        }
        Err(io::Error::other(
            "all free ports are reserved for other instances",
        ))
    }
}

impl ReservedPort {
    pub(super) fn number(&self) -> u16 {
        self.number
    }
}

impl Drop for ReservedPort {
    fn drop(&mut self) {
        self.ports.0.lock().remove(&self.number);
    }
}

/// Whether nothing listens on this port of 127.0.0.1.
pub(super) fn check_free(port: u16) -> io::Result<()> {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_reserved_twice() {
        let ports = Arc::new(Ports::default());
        let reserved: Vec<_> = (0..500).map(|_| ports.reserve().unwrap()).collect();
        let numbers: HashSet<u16> = reserved.iter().map(ReservedPort::number).collect();
        assert_eq!(numbers.len(), reserved.len());
        drop(reserved);
        assert!(ports.0.lock().is_empty());
    }

    #[test]
    fn a_port_in_use_is_not_free() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let error = check_free(port).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        drop(socket);
        check_free(port).unwrap();
    }
}
