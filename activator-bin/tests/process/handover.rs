//! Sockets that the program is started with, as systemd starts it.

use std::net::{TcpStream, UdpSocket};
use std::os::fd::OwnedFd;

use socket2::{Domain, Socket, Type};

use crate::program::{FREE, Program, activator, activator_with_sockets};
use crate::sockets::{HELLO, ask, connect, listener};

/// The first line of the response.
fn first_line(stream: TcpStream, path: &str) -> String {
    let response = ask(stream, HELLO, path);
    response.lines().next().unwrap_or_default().to_owned()
}

const OK: &str = "HTTP/1.1 200 OK";

#[test]
fn passed_sockets_are_handed_over_without_losing_clients() {
    let (http, http_address) = listener();
    let (admin, admin_address) = listener();
    let start = || {
        let sockets = (http.try_clone().unwrap(), admin.try_clone().unwrap());
        let program = Program::start(
            activator_with_sockets("http:admin", sockets.0, sockets.1).args(["--workers", "2"]),
        );
        program.logs("serving, try: ");
        program
    };
    let first = start();
    // With one socket for two workers each of them gets some.
    for _ in 0..10 {
        assert_eq!(first_line(connect(http_address), "/"), OK);
    }
    assert_eq!(first_line(connect(admin_address), "/readyz"), OK);
    first.stop();

    // Nobody serves. Whoever connects now is kept for the next process.
    let waiting = connect(http_address);
    let second = start();
    assert_eq!(first_line(waiting, "/"), OK);

    // Both serve, then the older one goes: nobody meets a closed door or a process that is not ready.
    let third = start();
    second.stop();
    for _ in 0..10 {
        assert_eq!(first_line(connect(http_address), "/"), OK);
        assert_eq!(first_line(connect(admin_address), "/readyz"), OK);
    }
    third.stop();
}

#[test]
fn more_sockets_than_workers_are_all_served() {
    let (first, first_address) = listener();
    let (second, second_address) = listener();
    let mut command = activator_with_sockets("http:http", first, second);
    command.args(["--workers", "1", "--listen-admin", "127.0.0.1:0"]);
    let program = Program::start(&mut command);
    program.logs("serving, try: ");
    assert_eq!(first_line(connect(first_address), "/"), OK);
    assert_eq!(first_line(connect(second_address), "/"), OK);
    program.stop();
}

#[test]
fn unusable_sockets_are_refused() {
    let check = |names: &str, third: OwnedFd, expected: &str| {
        let program = Program::start(&mut activator_with_sockets(names, third, listener().0));
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
    let cannot = r#"LISTEN_FDS: the socket named "http" cannot be served: "#;
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
fn sockets_for_another_process_are_ignored() {
    let program = Program::start(activator(FREE).envs([("LISTEN_PID", "1"), ("LISTEN_FDS", "1")]));
    program.logs("serving, try: ");
    program.stop();
}
