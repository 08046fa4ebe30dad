//! `activator healthcheck` beside an activator, and beside what is none.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use crate::directory::Directory;
use crate::program::{ACTIVATOR, FREE, Program, activator};
use crate::sockets::listener;

/// Asks with these arguments and variables.
#[track_caller]
fn check(arguments: &[&str], variables: &[(&str, &str)], expected: Result<(), &str>) {
    let mut command = Command::new(ACTIVATOR);
    command.arg("healthcheck").args(arguments);
    command.env_clear().envs(variables.iter().copied());
    let output = command.output().expect("it starts and ends");
    let (code, said) = match expected {
        Ok(()) => (0, String::new()),
        Err(why) => (1, format!("activator: {why}\n")),
    };
    assert_eq!(String::from_utf8_lossy(&output.stderr), said);
    assert_eq!(output.status.code(), Some(code));
    assert!(output.stdout.is_empty());
}

#[test]
fn an_activator_is_found_by_the_sources_of_its_own_configuration() {
    let directory = Directory::new();
    let file = directory.path("activator.toml");
    // An address that no other test uses.
    let [.., high, low] = std::process::id().to_be_bytes();
    let admin = SocketAddr::from(([127, 79, high, low], 9090));
    let text = format!("listen.admin = '{admin}'\n");
    std::fs::write(&file, &text).unwrap();
    let path = file.to_str().unwrap();
    let program = Program::start(activator(admin).args(["--drain-delay", "1h"]));
    program.logs("serving, try: ");
    let address = admin.to_string();
    check(&["--listen-admin", &address], &[], Ok(()));
    check(&[], &[("ACTIVATOR_LISTEN_ADMIN", &address)], Ok(()));
    check(&["--config", path], &[], Ok(()));
    check(&[], &[("ACTIVATOR_CONFIG", path)], Ok(()));

    // Somebody edits the file: only the address matters, and without the file not even that.
    std::fs::write(&file, format!("{text}workers = 'many'\nrevisions = []\n")).unwrap();
    check(&["--config", path], &[], Ok(()));
    std::fs::write(&file, "listen.admin = '127").unwrap();
    let both = [
        ("ACTIVATOR_CONFIG", path),
        ("ACTIVATOR_LISTEN_ADMIN", &address),
    ];
    check(&[], &both, Ok(()));
    let unknown = format!(
        "it is not known where the admin port is; with --listen-admin no file is needed\n\
         {path}:1:20: invalid literal string, expected `'`"
    );
    check(&["--config", path], &[], Err(&unknown));

    // Alive until the end.
    program.signal("TERM");
    program.logs("SIGTERM: stopping");
    check(&["--listen-admin", &address], &[], Ok(()));
    program.signal("TERM");
    program.logs_at_last("exiting at once");
    program.ends(1);
}

/// A server that does this with its first connection.
fn server(serve: fn(&mut TcpStream)) -> SocketAddr {
    let (listener, address): (TcpListener, _) = listener();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        serve(&mut stream);
        // Until the other side has closed: a reset would take away what was sent.
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    address
}

/// Asks a server that does this.
#[track_caller]
fn check_served(timeout: &str, serve: fn(&mut TcpStream), expected: Result<(), &str>) {
    let address = server(serve).to_string();
    let why = expected.map_err(|why| format!("http://{address}/livez: {why}"));
    let arguments = ["--listen-admin", &address, "--timeout", timeout];
    match why {
        Ok(()) => check(&arguments, &[], Ok(())),
        Err(why) => check(&arguments, &[], Err(&why)),
    }
}

fn send(stream: &mut TcpStream, response: &str) {
    stream.write_all(response.as_bytes()).unwrap();
}

#[test]
fn only_the_status_200_is_alive() {
    check_served("1h", |it| send(it, "HTTP/1.1 200 OK\r\n\r\n"), Ok(()));
    check_served("1h", |it| send(it, "HTTP/1.0 200\n"), Ok(()));
    check_served(
        "1h",
        |it| send(it, "HTTP/1.1 503 Service Unavailable\r\n\r\n"),
        Err("the response is \"HTTP/1.1 503 Service Unavailable\""),
    );
    check_served(
        "1h",
        |it| send(it, "220 mail.example.org ESMTP\r\n"),
        Err("the response is \"220 mail.example.org ESMTP\""),
    );
    check_served(
        "1h",
        |_| {},
        Err("the connection was closed without a response"),
    );
}

#[test]
fn time_and_bytes_have_bounds() {
    fn drip(stream: &mut TcpStream) {
        while stream.write_all(b"H").is_ok() {
            std::thread::yield_now();
        }
    }
    fn be_silent(stream: &mut TcpStream) {
        let _ = stream.read_to_end(&mut Vec::new());
    }
    fn trickle(stream: &mut TcpStream) {
        while stream.write_all(b"H").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    check_served("100ms", be_silent, Err("no response within 100ms"));
    check_served("100ms", trickle, Err("no response within 100ms"));
    let long = "H".repeat(80);
    check_served("1h", drip, Err(&format!("the response is \"{long}\"...")));
}

#[test]
fn nobody_listens() {
    let expected = Err("http://127.0.0.1:1/livez: Connection refused (os error 111)");
    check(&["--listen-admin", "127.0.0.1:1"], &[], expected);
    check(&["--listen-admin", "0.0.0.0:1"], &[], expected);
    check(
        &["--listen-admin", &FREE.to_string()],
        &[],
        Err("listen.admin leaves the port to the system; say by --listen-admin which it is"),
    );
}
