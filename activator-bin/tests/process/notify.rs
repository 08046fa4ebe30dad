//! What a service manager hears, wherever it listens.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use crate::program::{PATIENCE, Program, activator_with_sockets};
use crate::sockets::listener;

fn start(notify_socket: impl AsRef<OsStr>) -> Program {
    let (http, admin) = (listener().0, listener().0);
    Program::start(
        activator_with_sockets("http:admin", http, admin).env("NOTIFY_SOCKET", notify_socket),
    )
}

/// A manager hears when service begins and ends.
fn check(manager: &UnixDatagram, notify_socket: impl AsRef<OsStr>) {
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let hears = |expected: &str| {
        let mut buffer = [0; 64];
        let length = manager.recv(&mut buffer).unwrap();
        assert_eq!(std::str::from_utf8(&buffer[..length]).unwrap(), expected);
    };
    let program = start(notify_socket);
    hears("READY=1");
    program.logs("serving, try: ");
    program.stop();
    hears("STOPPING=1");
}

#[test]
fn ready_and_stopping_over_a_path() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("notify.sock");
    let _ = std::fs::remove_file(&path);
    check(&UnixDatagram::bind(&path).unwrap(), path);
}

#[test]
fn ready_and_stopping_over_an_abstract_name() {
    let name = format!("activator/notify-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let manager = UnixDatagram::bind_addr(&address).unwrap();
    check(&manager, format!("@{name}"));
}

#[test]
fn ready_and_stopping_over_vsock() {
    const THIS_MACHINE: u32 = 1;
    const ANY_PORT: u32 = u32::MAX;
    for kind in [Type::SEQPACKET, Type::STREAM] {
        let manager = || {
            let socket = Socket::new(Domain::VSOCK, kind, None)?;
            socket.bind(&SockAddr::vsock(THIS_MACHINE, ANY_PORT))?;
            socket.listen(4)?;
            let address = socket.local_addr()?;
            let client = Socket::new(Domain::VSOCK, kind, None)?;
            client.connect_timeout(&address, Duration::from_secs(1))?;
            drop(socket.accept()?);
            Ok::<_, std::io::Error>((socket, address))
        };
        let (manager, address) = match manager() {
            Ok(found) => found,
            Err(error) => {
                eprintln!("skipped for {kind:?}: this kernel has no loopback for vsock: {error}");
                continue;
            }
        };
        let hears = |expected: &str| {
            let (socket, _) = manager.accept().unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut text = String::new();
            std::io::Read::read_to_string(&mut &socket, &mut text).unwrap();
            assert_eq!(text, expected);
        };
        let (cid, port) = address.as_vsock_address().unwrap();
        let program = start(format!("vsock:{cid}:{port}"));
        hears("READY=1");
        program.logs("serving, try: ");
        program.stop();
        hears("STOPPING=1");
    }
}

#[test]
fn bad_or_deaf_address_is_logged_without_delay() {
    for (notify_socket, problem) in [
        ("relative", "expected /PATH, @NAME or vsock:CID:PORT"),
        ("/nowhere/at/all", "No such file or directory"),
        ("@activator-nobody", "Connection refused"),
        // Who is called there differs, and so does what is said then.
        ("vsock:1:4294967294", ""),
    ] {
        let program = start(notify_socket);
        program.logs("serving, try: ");
        let told = |state: &str| {
            let told = format!("cannot notify the service manager of {state}: NOTIFY_SOCKET=");
            program.logs_at_last(&format!("{told}{notify_socket:?}: {problem}"));
        };
        told("READY=1");
        program.signal("TERM");
        told("STOPPING=1");
        program.logs_at_last("stopped");
        program.ends(0);
    }
}
