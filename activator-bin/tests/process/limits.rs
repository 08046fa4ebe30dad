//! What the program does about the limits that it is started with.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::program::{FREE, PATIENCE, Program, activator_after};
use crate::sockets::{ask, connect};

/// Starts it with 64 open files allowed at first and 1,000 at most; it says its process id and serves one port.
fn start(max_connections: &str) -> Program {
    Program::start(
        activator_after("ulimit -Sn 64; ulimit -Hn 1000; echo process $$ >&2", FREE).args([
            "--workers",
            "1",
            "--limits-max-connections",
            max_connections,
        ]),
    )
}

#[test]
fn open_file_limit_is_raised_and_a_low_one_is_logged() {
    let program = start("373");
    let process = program.logs("process ");
    program.logs("limits.max_connections is 373, but");
    program.logs("serving, try: ");
    let limits = format!("/proc/{}/limits", process.trim_start_matches("process "));
    let limits = std::fs::read_to_string(limits).unwrap();
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let words: Vec<&str> = files.unwrap().split_whitespace().collect();
    assert_eq!(words[3..5], ["1000", "1000"]);
    program.stop();
}

#[test]
fn connection_limit_is_logged_once_until_there_is_room() {
    let program = start("1");
    program.logs("process ");
    let address = program.serves();
    for _ in 0..2 {
        let first = connect(address);
        let waiting = [connect(address), connect(address)];
        program.logs("limits.max_connections (1) reached: ");
        drop(first);
        for client in waiting {
            assert!(ask(client, "nobody", "/").starts_with("HTTP/1.1 404 "));
        }
        program.logs("client connections are below limits.max_connections again");
    }
    program.stop();
}

#[test]
fn admin_port_works_when_clients_hold_all_descriptors() {
    // An address that is only this test's.
    let [high, low] = (std::process::id() as u16).to_be_bytes();
    let admin = SocketAddr::from(([127, 77, high, low], 9090));
    let program = Program::start(activator_after("ulimit -n 256", admin).args([
        "--workers",
        "1",
        "--limits-max-connections",
        "1000",
    ]));
    program.logs("limits.max_connections is 1000, but");
    let address = program.serves();
    let clients: Vec<TcpStream> = (0..400).map(|_| connect(address)).collect();
    program.logs_at_last("cannot accept connections, trying again");
    // As many as there are places for silent operators, and one more.
    let _silent: Vec<TcpStream> = (0..60).map(|_| connect(admin)).collect();
    assert!(ask(connect(admin), "nobody", "/nothing").starts_with("HTTP/1.1 404 "));
    // Those who say nothing make room for whoever does.
    assert!(ask(connect(address), "nobody", "/").starts_with("HTTP/1.1 404 "));
    drop(clients);
    program.stop();
}

/// Elsewhere the allocator is the system's.
#[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
#[test]
fn memory_is_released_after_load() {
    let program = start("300");
    let process = program.logs("process ");
    let status = format!("/proc/{}/status", process.trim_start_matches("process "));
    let resident = || -> u64 {
        let status = std::fs::read_to_string(&status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.unwrap().trim().trim_end_matches(" kB");
        kib.parse().unwrap()
    };
    let address = program.serves();
    let before = resident();
    let head = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(60_000));
    let clients: Vec<TcpStream> = (0..250)
        .map(|_| {
            let mut client = connect(address);
            client.write_all(head.as_bytes()).unwrap();
            client
        })
        .collect();
    let wait_until = |what: &str, is_so: &dyn Fn() -> bool| {
        let until = Instant::now() + PATIENCE * 4;
        while !is_so() {
            assert!(Instant::now() < until, "{what}: {} KiB", resident());
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let (loaded, left) = (before + 15_000, before + 7_500);
    wait_until("it is taken", &|| resident() > loaded);
    drop(clients);
    wait_until("it is given back", &|| resident() < left);
    program.stop();
}
