//! The program when it is out of descriptors.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Barrier};

use crate::program::{ACTIVATOR, PATIENCE, Program};

/// Requests at once. So many clients, and as many connections to one backend and to another, are more than fit.
const REQUESTS: usize = 60;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A backend that keeps its connections, and responds when so many requests have come.
fn backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let all_are_there = Arc::new(Barrier::new(REQUESTS));
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let (mut connection, all_are_there) = (connection.unwrap(), Arc::clone(&all_are_there));
            std::thread::spawn(move || {
                while until_end(&mut connection, b"\r\n\r\n").is_some() {
                    all_are_there.wait();
                    connection.write_all(OK).unwrap();
                }
            });
        }
    });
    address
}

/// Reads up to this end; none when the other side closes before.
fn until_end(connection: &mut TcpStream, end: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end) {
        let mut byte = [0];
        match connection.read(&mut byte) {
            Ok(1) => bytes.push(byte[0]),
            _ => return None,
        }
    }
    Some(bytes)
}

#[test]
fn idle_connections_to_backends_are_closed_for_a_request_that_needs_a_descriptor() {
    let revision = |name: &str| {
        let backend = backend();
        format!(
            "[[revision]]\nnamespace = \"default\"\nname = \"{name}\"\nprobe = \"none\"\nbackends = [\"{backend}\"]\n"
        )
    };
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("descriptors");
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("activator.toml");
    std::fs::write(&file, revision("one") + &revision("other")).unwrap();
    // A quarter of them is kept for operators.
    let script = "ulimit -n 256; exec \"$@\"";
    let program = Program::start(
        Command::new("sh")
            .args(["-c", script, "sh", ACTIVATOR, "--workers", "2"])
            .arg("--config")
            .arg(&file)
            .args(["--listen-http", "127.0.0.1:0", "--listen-http2", "off"])
            .args(["--listen-admin", "127.0.0.1:0"])
            .args(["--limits-max-connections", "100"])
            .args(["--limits-max-backend-idle-connections", "1000"])
            .env_clear(),
    );
    program.logs("limits.max_connections is 100, but");
    let serving = program.logs("serving, try: ");
    let (_, address) = serving.rsplit_once(" http://").unwrap();
    let address: SocketAddr = address.trim_end_matches('/').parse().unwrap();
    let mut clients: Vec<TcpStream> = Vec::new();
    for _ in 0..REQUESTS {
        let client = TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        clients.push(client);
    }
    for revision in ["one", "other", "one"] {
        for client in &mut clients {
            let request = format!(
                "GET / HTTP/1.1\r\nHost: a\r\nKnative-Serving-Namespace: default\r\nKnative-Serving-Revision: {revision}\r\n\r\n"
            );
            client.write_all(request.as_bytes()).unwrap();
        }
        for client in &mut clients {
            let response = until_end(client, b"ok").expect("a response in time");
            assert!(response.starts_with(b"HTTP/1.1 200 OK\r\n"));
        }
    }
    program.logs_at_last("too many open files: closing idle connections to backends");
    drop(clients);
    program.signal("TERM");
    program.logs_at_last("stopped");
    program.ends(0);
}
