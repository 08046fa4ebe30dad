//! Listening sockets, bound before anything starts.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

/// Connections that may wait to be accepted, per worker.
const BACKLOG: i32 = 4096;

/// How long to wait when the machine is out of sockets or memory.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A peer that has vanished without a word is noticed after about this long.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// One listener per worker on `address`; the kernel spreads connections over them. With port 0
/// all of them get the same free one.
///
/// # Errors
/// As the operating system says; in particular when another program listens there.
pub(crate) fn bind(address: SocketAddr, workers: usize) -> io::Result<Vec<TcpListener>> {
    // Sockets that share a port also share it with another activator of the same user, and each
    // would get some of the requests. A socket that does not share tells whether somebody is there.
    let probe = socket(address)?;
    probe.bind(&address.into())?;
    let bound = probe.local_addr()?.as_socket();
    let address = bound.expect("a socket that was bound to an IP address has one");
    drop(probe);
    (0..workers.max(1))
        .map(|_| {
            let socket = socket(address)?;
            socket.set_reuse_port(true)?;
            // Accepted sockets inherit it.
            tune(&socket)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            Ok(socket.into())
        })
        .collect()
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A restart need not wait for old connections to time out.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// What every connection of a client wants.
pub(crate) fn tune(socket: &impl AsFd) -> io::Result<()> {
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE)
        .with_retries(3);
    let socket = SockRef::from(socket);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&keepalive)
}
