//! Listening sockets.

use std::io;
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

/// How many connections may wait to be accepted, per worker.
const BACKLOG: i32 = 4096;

/// How long to wait when the machine is out of sockets or memory.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The interval of keep-alive probes, which detect a vanished peer.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Binds one listener per worker to `address`; the kernel distributes connections over them. With port 0 all of them
/// get the same free port.
///
/// # Errors
/// From the operating system, in particular when another program listens there.
pub(crate) fn bind(address: SocketAddr, workers: usize) -> io::Result<Vec<TcpListener>> {
    // Sockets with SO_REUSEPORT would also share the port with another activator of the same user, and each would get
    // some of the requests. A socket without it detects that.
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
    if address.is_ipv6() && address.ip().is_unspecified() {
        // All addresses are those of IPv4 as well, whatever the system's default is.
        socket.set_only_v6(false)?;
    }
    Ok(socket)
}

/// Whether this machine has IPv6, so that `[::]` can be bound.
pub(crate) fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok()
}

/// Sets the options of every client connection.
pub(crate) fn tune(socket: &impl AsFd) -> io::Result<()> {
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE)
        .with_retries(3);
    let socket = SockRef::from(socket);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&keepalive)
}
