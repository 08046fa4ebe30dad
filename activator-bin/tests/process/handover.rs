//! Sockets that the program is started with, as systemd starts it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use socket2::{Domain, Socket, Type};

use crate::program::{ACTIVATOR, PATIENCE, Program};

/// Starts the program with two sockets of these names.
pub(crate) fn command(
    names: &str,
    third: impl Into<OwnedFd>,
    fourth: impl Into<OwnedFd>,
) -> Command {
    // Only the process itself knows its number, and a shell puts descriptors where they belong.
    let script = r#"LISTEN_PID=$$ exec "$0" "$@" 3<&0 4<&1 </dev/null >/dev/null"#;
    let mut command = Command::new("sh");
    command
        .args(["-c", script, ACTIVATOR])
        .args(["--listen-http2", "off"])
        .env_clear()
        .envs([("LISTEN_FDS", "2"), ("LISTEN_FDNAMES", names)])
        .stdin(third.into())
        .stdout(Stdio::from(fourth.into()));
    command
}

pub(crate) fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn ask(mut stream: TcpStream, path: &str) -> String {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: hello.default.svc.cluster.local\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

const OK: &str = "HTTP/1.1 200 OK";

#[test]
fn sockets_that_were_passed_are_served_by_one_process_after_the_other_and_no_client_is_lost() {
    let (http, http_address) = listener();
    let (admin, admin_address) = listener();
    let start = || {
        let sockets = (http.try_clone().unwrap(), admin.try_clone().unwrap());
        let program =
            Program::start(command("http:admin", sockets.0, sockets.1).args(["--workers", "2"]));
        program.logs("serving, try: ");
        program
    };
    let first = start();
    // With one socket for two workers each of them gets some.
    for _ in 0..10 {
        assert_eq!(ask(connect(http_address), "/"), OK);
    }
    assert_eq!(ask(connect(admin_address), "/readyz"), OK);
    first.stop();

    // Nobody serves. Whoever connects now is kept for the next process.
    let waiting = connect(http_address);
    let second = start();
    assert_eq!(ask(waiting, "/"), OK);

    // Both serve, then the older one goes: nobody meets a closed door or a process that is not ready.
    let third = start();
    second.stop();
    for _ in 0..10 {
        assert_eq!(ask(connect(http_address), "/"), OK);
        assert_eq!(ask(connect(admin_address), "/readyz"), OK);
    }
    third.stop();
}

#[test]
fn every_socket_of_a_name_is_served_also_when_there_are_more_than_workers() {
    let (first, first_address) = listener();
    let (second, second_address) = listener();
    let mut command = command("http:http", first, second);
    command.args(["--workers", "1", "--listen-admin", "127.0.0.1:0"]);
    let program = Program::start(&mut command);
    program.logs("serving, try: ");
    assert_eq!(ask(connect(first_address), "/"), OK);
    assert_eq!(ask(connect(second_address), "/"), OK);
    program.stop();
}

#[test]
fn what_cannot_be_served_is_refused() {
    let check = |names: &str, third: OwnedFd, expected: &str| {
        let program = Program::start(&mut command(names, third, listener().0));
        program.logs(&format!("activator: {expected}"));
        program.ends(1);
    };
    let good = || listener().0.into();
    check(
        "grpc:admin",
        good(),
        r#"LISTEN_FDNAMES: expected one of ["http", "http2", "https", "admin"], found "grpc""#,
    );
    check(
        "https:admin",
        good(),
        "the port `https` needs `https` in `[listen]`, and `certificate` and `key` in `[tls]`",
    );
    check(
        "http",
        good(),
        r#"LISTEN_FDNAMES has 1 names for 2 sockets; each needs one of ["http", "http2", "https", "admin"]"#,
    );
    let cannot = r#"LISTEN_FDS: the socket called "http" cannot be served: "#;
    let file = std::fs::File::open("/dev/null").unwrap();
    check(
        "http:admin",
        file.into(),
        &format!("{cannot}fd 3 is not a socket"),
    );
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    check(
        "http:admin",
        udp.into(),
        &format!("{cannot}fd 3 is not a valid tcp socket"),
    );
    let silent = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    check(
        "http:admin",
        silent.into(),
        &format!("{cannot}it does not listen"),
    );
}

#[test]
fn what_is_meant_for_another_process_is_left_alone() {
    let program = Program::start(
        Command::new(ACTIVATOR)
            .args(["--listen-http", "127.0.0.1:0", "--listen-http2", "off"])
            .args(["--listen-admin", "127.0.0.1:0"])
            .env_clear()
            .envs([("LISTEN_PID", "1"), ("LISTEN_FDS", "1")]),
    );
    program.logs("serving, try: ");
    program.stop();
}
