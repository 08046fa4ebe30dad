//! The program while nobody reads what it writes: it serves, counts and ends all the same.

use std::fs;
use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Write, pipe};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::program::{ACTIVATOR, FREE, PATIENCE, Program, activator, activator_with_sockets};
use crate::sockets::{HELLO, ask, connect, listener};

/// A program whose ports are known although nobody reads its log.
struct Activator {
    process: Child,
    http: SocketAddr,
    admin: SocketAddr,
}

impl Activator {
    fn start(names: &str, arguments: &[&str], stderr: impl Into<Stdio>) -> Self {
        let ((http, http_address), (admin, admin_address)) = (listener(), listener());
        let mut command = activator_with_sockets(names, http, admin);
        let process = command.args(arguments).stderr(stderr).spawn().unwrap();
        Self {
            process,
            http: http_address,
            admin: admin_address,
        }
    }

    /// Has lines logged until some have been dropped.
    fn until_lines_are_dropped(&self) {
        let begin = Instant::now();
        let none = "\nactivator_log_lines_dropped_total 0\n";
        while get(self.admin, "/metrics").contains(none) {
            assert!(begin.elapsed() < PATIENCE, "no line is dropped");
            self.signal("HUP");
        }
    }

    fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status();
        assert!(status.unwrap().success());
    }

    /// It ends by itself, with this exit code.
    fn ends(mut self, code: i32) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                assert_eq!(status.code(), Some(code));
                return;
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Activator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\n";

fn get(address: SocketAddr, path: &str) -> String {
    ask(connect(address), HELLO, path)
}

/// A pipe that takes nothing more.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, writer) = pipe().unwrap();
    let mut filling = writer.try_clone().unwrap();
    // It stays in the last write until the test's process ends, or the reader is dropped.
    std::thread::spawn(move || while filling.write_all(b"filling\n").is_ok() {});
    (reader, writer)
}

/// A file that is good at first; later each reading of it logs as much as may be in one go.
fn verbose(test: &str) -> (PathBuf, String) {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("activator.toml"), "").unwrap();
    let long = format!(
        "{}/{}activator.toml",
        directory.display(),
        "./".repeat(1_800)
    );
    (directory.join("activator.toml"), long)
}

#[test]
fn unread_log_stops_neither_service_nor_shutdown() {
    let (_reader, stderr) = full_pipe();
    let (file, path) = verbose("stalled");
    let activator = Activator::start("http:admin", &["--config", &path], stderr);
    assert!(get(activator.admin, "/readyz").starts_with(OK));
    fs::write(file, "[[revision]]\n".repeat(100)).unwrap();
    activator.until_lines_are_dropped();
    assert!(get(activator.admin, "/readyz").starts_with(OK));
    assert!(get(activator.http, "/").starts_with("HTTP/1.1 404 "));
    activator.signal("TERM");
    activator.ends(0);
}

#[test]
fn second_signal_ends_it_while_the_log_is_unread() {
    let (_reader, stderr) = full_pipe();
    let activator = Activator::start("http:admin", &["--drain-delay", "1h"], stderr);
    assert!(get(activator.http, "/").starts_with(OK));
    activator.signal("TERM");
    let begin = Instant::now();
    while get(activator.admin, "/readyz").starts_with(OK) {
        assert!(begin.elapsed() < PATIENCE);
    }
    activator.signal("INT");
    activator.ends(1);
}

#[test]
fn failed_start_exits_while_the_log_is_unread() {
    let (_reader, stderr) = full_pipe();
    let activator = Activator::start("http:none", &[], stderr);
    activator.ends(1);
}

#[test]
fn dropped_lines_are_logged_once_the_log_is_read_again() {
    let (reader, stderr) = pipe().unwrap();
    let (file, path) = verbose("stalled-for-a-time");
    let activator = Activator::start("http:admin", &["--config", &path], stderr);
    assert!(get(activator.admin, "/readyz").starts_with(OK));
    fs::write(file, "[[revision]]\n".repeat(100)).unwrap();
    activator.until_lines_are_dropped();
    let mut lines = BufReader::new(reader).lines().map_while(Result::ok);
    let told =
        lines.find(|line| line.contains("log lines dropped: standard error did not accept them"));
    assert!(told.is_some_and(|line| line.contains(" lines=")));
    // Somebody has to read to the end, or that would not be told either.
    let reading = std::thread::spawn(move || lines.last());
    activator.signal("TERM");
    activator.ends(0);
    let last = reading.join().unwrap().unwrap();
    assert!(last.ends_with(" stopped"), "{last}");
}

#[test]
fn broken_log_delays_nothing_and_drops_are_counted() {
    let (reader, broken) = pipe().unwrap();
    drop(reader);
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    for stderr in [Stdio::from(broken), Stdio::from(full)] {
        let activator = Activator::start("http:admin", &[], stderr);
        assert!(get(activator.http, "/").starts_with(OK));
        activator.until_lines_are_dropped();
        activator.signal("TERM");
        activator.ends(0);
    }
}

#[test]
fn unread_reports_delay_neither_requests_nor_shutdown() {
    let (_reader, stdout) = full_pipe();
    let program = Program::start(
        activator(FREE)
            .args(["--reporter-interval", "10ms"])
            .args(["--reporter-flush-timeout", "100ms"])
            .stdout(stdout),
    );
    let address = program.serves();
    for _ in 0..100 {
        assert!(get(address, "/").starts_with(OK));
    }
    program.signal("TERM");
    program.logs("SIGTERM: stopping; a second signal exits at once");
    program.logs("no longer accepting connections; ");
    program.logs("the counts of these requests were not delivered");
    program.logs(" requests were not delivered");
    program.logs("stopped");
    program.ends(0);
}

#[test]
fn closed_standard_descriptors_are_not_reused() {
    let ((http, http_address), (admin, _)) = (listener(), listener());
    let script = r#"LISTEN_PID=$$ exec "$0" "$@" 3<&0 4<&1 <&- >&- 2>&-"#;
    let process = Command::new("sh")
        .args(["-c", script, ACTIVATOR, "--listen-http2", "off"])
        .env_clear()
        .envs([("LISTEN_FDS", "2"), ("LISTEN_FDNAMES", "http:admin")])
        .stdin(std::os::fd::OwnedFd::from(http))
        .stdout(std::os::fd::OwnedFd::from(admin))
        .spawn()
        .unwrap();
    let activator = Activator {
        process,
        http: http_address,
        admin: http_address,
    };
    assert!(get(activator.http, "/").starts_with(OK));
    for descriptor in 0..3 {
        let link = format!("/proc/{}/fd/{descriptor}", activator.process.id());
        assert_eq!(fs::read_link(link).unwrap(), PathBuf::from("/dev/null"));
    }
    activator.signal("TERM");
    activator.ends(0);
}
