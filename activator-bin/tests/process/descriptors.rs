//! The program when it is out of descriptors.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Barrier, Mutex};

use crate::directory::Directory;
use crate::program::{FREE, PATIENCE, Program, activator_after};
use crate::sockets::{ask, connect};

/// Requests at once. So many clients, and as many connections to one backend and to another, are more than fit.
const REQUESTS: usize = 60;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A backend that keeps its connections, and responds when `wait` is over.
fn backend(wait: impl Fn() + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let wait = Arc::new(wait);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let (mut connection, wait) = (connection.unwrap(), Arc::clone(&wait));
            std::thread::spawn(move || {
                while until_end(&mut connection, b"\r\n\r\n").is_some() {
                    wait();
                    connection.write_all(OK).unwrap();
                }
            });
        }
    });
    address
}

fn revision(name: &str, backend: SocketAddr) -> String {
    format!(
        "[[revision]]\nnamespace = \"default\"\nname = \"{name}\"\nprobe = \"none\"\nbackends = [\"{backend}\"]\n"
    )
}

fn get(revision: &str) -> String {
    format!(
        "GET / HTTP/1.1\r\nHost: a\r\nKnative-Serving-Namespace: default\r\nKnative-Serving-Revision: {revision}\r\n\r\n"
    )
}

/// Starts the program with 256 descriptors, a quarter of which is kept for operators. Returns where it serves.
fn start(file: &Path, admin: SocketAddr) -> (Program, SocketAddr) {
    let program = Program::start(
        activator_after("ulimit -n 256", admin)
            .args(["--workers", "2"])
            .arg("--config")
            .arg(file)
            .args(["--limits-max-connections", "150"])
            .args(["--limits-max-backend-idle-connections", "1000"]),
    );
    program.logs("limits.max_connections is 150, but");
    let address = program.serves();
    (program, address)
}

fn stop(program: Program) {
    program.signal("TERM");
    program.logs_at_last("stopped");
    program.ends(0);
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
fn idle_backend_connections_are_closed_when_descriptors_run_out() {
    let together = || {
        let all_are_there = Barrier::new(REQUESTS);
        backend(move || {
            all_are_there.wait();
        })
    };
    let revisions = revision("one", together()) + &revision("other", together());
    let directory = Directory::new();
    let file = directory.write("activator.toml", &revisions);
    let (program, address) = start(&file, FREE);
    let mut clients: Vec<TcpStream> = (0..REQUESTS).map(|_| connect(address)).collect();
    for revision in ["one", "other", "one"] {
        for client in &mut clients {
            client.write_all(get(revision).as_bytes()).unwrap();
        }
        for client in &mut clients {
            let response = until_end(client, b"ok").expect("a response in time");
            assert!(response.starts_with(b"HTTP/1.1 200 OK\r\n"));
        }
    }
    program.logs_at_last("too many open files: closing idle connections to backends");
    drop(clients);
    stop(program);
}

/// A client that a worker has answered, from a revision that does not exist.
fn accepted(address: SocketAddr) -> TcpStream {
    let mut client = connect(address);
    client.write_all(get("none").as_bytes()).unwrap();
    let head = until_end(&mut client, b"\r\n\r\n").expect("a response in time");
    assert!(head.starts_with(b"HTTP/1.1 404 "));
    until_end(&mut client, b"\n").expect("a body in time");
    client
}

#[test]
fn request_without_a_descriptor_gets_503() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Mutex::new(released);
    // Until the sender is gone.
    let backend = backend(move || {
        let _ = released.lock().unwrap().recv();
    });
    // An address that is only this test's.
    let [high, low] = (std::process::id() as u16).to_be_bytes();
    let admin = SocketAddr::from(([127, 78, high, low], 9090));
    let directory = Directory::new();
    let file = directory.write("activator.toml", &revision("one", backend));
    let (program, address) = start(&file, admin);
    let (said, responses) = std::sync::mpsc::channel();
    let clients = 2 * REQUESTS;
    // All are accepted before any of them needs a backend: the descriptors must not run out while accepting.
    let accepted: Vec<TcpStream> = (0..clients).map(|_| accepted(address)).collect();
    for mut client in accepted {
        let said = said.clone();
        client.write_all(get("one").as_bytes()).unwrap();
        std::thread::spawn(move || {
            let head = until_end(&mut client, b"\r\n\r\n").expect("a response in time");
            let is_ok = head.starts_with(b"HTTP/1.1 200 OK\r\n");
            let body = until_end(&mut client, if is_ok { b"ok" } else { b"files\n" });
            let text = [head, body.expect("a body in time")].concat();
            said.send(String::from_utf8(text).unwrap()).unwrap();
        });
    }
    let next = || responses.recv_timeout(PATIENCE).unwrap();
    let refused = next();
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    let why = format!("cannot connect to backend {backend}: too many open files\n");
    assert!(refused.ends_with(&why), "{refused}");
    drop(release);
    let served = (1..clients)
        .filter(|_| next().starts_with("HTTP/1.1 200 "))
        .count();
    let refused = clients - served;
    let text = ask(connect(admin), "localhost", "/metrics");
    let counted = |reason: &str, count: usize| {
        text.contains(&format!(
            "activator_errors_total{{reason=\"{reason}\"}} {count}\n"
        ))
    };
    assert!(
        counted("out_of_descriptors", refused) && counted("backend_refused", 0),
        "{text}"
    );
    assert!(
        text.contains("activator_backends{state=\"ready\"} 1\n"),
        "{text}"
    );
    stop(program);
}
