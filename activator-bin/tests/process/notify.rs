//! What a service manager hears, wherever it listens.

use std::ffi::OsStr;
use std::io::Write;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::directory::Directory;
use crate::program::{FREE, PATIENCE, Program, activator, activator_with_sockets};
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

/// A manager, and where it listens.
struct Manager(UnixDatagram, String);

impl Manager {
    fn new(name: &str) -> Self {
        let name = format!("activator/{name}-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        manager.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(manager, format!("@{name}"))
    }

    fn next(&self) -> String {
        let mut buffer = [0; 4_096];
        let length = self.0.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    /// Expects both messages of a reload.
    fn hears_reload(&self, since: Timespec, outcome: &str) {
        let begin = self.next();
        let time = begin.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        let time = Duration::from_micros(time.parse().unwrap());
        let since = Duration::try_from(since).unwrap();
        let now = Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap();
        let least = Duration::from_micros(u64::try_from(since.as_micros()).unwrap());
        assert!(least <= time && time <= now, "{least:?} {time:?} {now:?}");
        assert_eq!(self.next(), format!("READY=1\nSTATUS={outcome}"));
    }
}

#[test]
fn a_reload_is_told_from_its_begin_to_its_end_however_it_ends() {
    let manager = Manager::new("reload");
    let directory = Directory::new();
    let file = directory.write("activator.toml", "workers = 1\n");
    let mut command = activator(FREE);
    command.arg("--config").arg(&file);
    let program = Program::start(command.env("NOTIFY_SOCKET", &manager.1));
    assert_eq!(manager.next(), "READY=1");
    let reload = |outcome: &str| {
        let before = clock_gettime(ClockId::Monotonic);
        program.signal("HUP");
        manager.hears_reload(before, outcome);
    };
    reload("the configuration was read again");
    reload("the configuration was read again");

    // A change is used without a signal: what people see is told, and no reload.
    let range = "workers: expected a whole number from 1 to 1024, found 0";
    let bad = format!(
        "the configuration is invalid, the previous one stays in force: {}:1:11: {range}",
        file.display()
    );
    directory.write("activator.toml", "workers = 0\n");
    assert_eq!(manager.next(), format!("STATUS={bad}"));
    reload(&bad);
    directory.write("activator.toml", "workers = 1\n");
    let good = "STATUS=the configuration was read again";
    assert_eq!(manager.next(), good);
    program.signal("TERM");
    program.logs_at_last("stopped");
    assert_eq!(manager.next(), "STOPPING=1");
    program.ends(0);
}

#[test]
fn a_reload_without_a_file_ends_too() {
    let manager = Manager::new("no-file");
    let program = start(&manager.1);
    assert_eq!(manager.next(), "READY=1");
    let before = clock_gettime(ClockId::Monotonic);
    program.signal("HUP");
    manager.hears_reload(before, "there is no configuration file to reload");
    program.logs_at_last("serving, try: ");
    program.logs("SIGHUP: there is no configuration file to reload");
    program.stop();
}

#[test]
fn a_reload_of_a_pipe_ends_too() {
    let manager = Manager::new("pipe");
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"workers = 1\n").unwrap();
    drop(writer);
    let mut command = activator(FREE);
    command.args(["--config", "/dev/stdin"]).stdin(reader);
    let program = Program::start(command.env("NOTIFY_SOCKET", &manager.1));
    assert_eq!(manager.next(), "READY=1");
    program.logs_at_last("it is not watched");
    let before = clock_gettime(ClockId::Monotonic);
    program.signal("HUP");
    let kept = "/dev/stdin is a pipe, which cannot be read twice: keeping the configuration";
    manager.hears_reload(before, kept);
    program.signal("TERM");
    program.logs_at_last("stopped");
    program.ends(0);
}

#[test]
fn the_watchdog_is_notified_until_the_end() {
    let manager = Manager::new("watchdog");
    let (http, admin) = (listener().0, listener().0);
    let program = Program::start(
        activator_with_sockets("http:admin", http, admin)
            .env("NOTIFY_SOCKET", &manager.1)
            .env("WATCHDOG_USEC", "200000"),
    );
    assert_eq!(manager.next(), "READY=1");
    for _ in 0..3 {
        assert_eq!(manager.next(), "WATCHDOG=1");
    }
    program.logs_at_last("serving, try: ");
    program.stop();
    let rest = std::iter::from_fn(|| Some(manager.next()));
    let before_the_end = rest.take_while(|state| state != "STOPPING=1");
    assert!(
        before_the_end
            .into_iter()
            .all(|state| state == "WATCHDOG=1")
    );
}

#[test]
fn a_watchdog_for_another_process_or_of_no_time_is_not_notified() {
    for (pid, usec) in [("1", "200000"), ("", "soon")] {
        let manager = Manager::new("no-watchdog");
        let mut command = activator(FREE);
        command
            .env("NOTIFY_SOCKET", &manager.1)
            .env("WATCHDOG_USEC", usec);
        if !pid.is_empty() {
            command.env("WATCHDOG_PID", pid);
        }
        let program = Program::start(&mut command);
        assert_eq!(manager.next(), "READY=1");
        if usec == "soon" {
            let expected = "expected a number of microseconds above 0";
            program.logs_at_last(&format!("WATCHDOG_USEC=\"soon\": {expected}"));
        }
        program.signal("TERM");
        program.logs_at_last("stopped");
        assert_eq!(manager.next(), "STOPPING=1");
        program.ends(0);
    }
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
