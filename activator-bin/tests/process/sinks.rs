//! Files that reports and records go to: moved away, and pipes that nobody reads yet.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{FREE, PATIENCE, Program, activator, http_address};
use crate::sockets::connect;

/// A program that writes reports to `reports` in a directory of its own.
struct Activator {
    program: Program,
    directory: PathBuf,
    http: SocketAddr,
}

fn directory(test: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    directory
}

fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

impl Activator {
    fn start(directory: PathBuf, arguments: &[&str]) -> Self {
        let file = directory.join("activator.toml");
        let reports = directory.join("reports");
        let text = format!(
            "[[sink]]\nkind = \"json-lines\"\npath = {reports:?}\n[[revision]]\nnamespace = \"default\"\nname = \"hello\"\n"
        );
        fs::write(&file, text).unwrap();
        let program = Program::start(
            activator(FREE)
                .arg("--config")
                .arg(&file)
                .args(["--reporter-interval", "10ms"])
                .args(["--reporter-flush-timeout", "1s", "--drain-timeout", "1ms"])
                .args(arguments),
        );
        let serving = program.logs_at_last("serving, try: ");
        Self {
            program,
            directory,
            http: http_address(&serving),
        }
    }

    /// A client whose request waits: there is no backend. It is in each report.
    fn waiting(&self) -> impl Sized + use<> {
        let mut client = connect(self.http);
        let request = b"GET / HTTP/1.1\r\nHost: hello.default.svc.cluster.local\r\n\r\n";
        client.write_all(request).unwrap();
        client
    }

    fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.directory.join(name)).unwrap_or_default();
        text.split_inclusive('\n').map(str::to_owned).collect()
    }

    fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let begin = std::time::Instant::now();
        while !is_so() {
            assert!(begin.elapsed() < PATIENCE, "{what}");
            std::thread::yield_now();
        }
    }

    fn stop(self) {
        self.program.signal("TERM");
        self.program.logs_at_last("stopped");
        self.program.ends(0);
    }
}

fn check_line(line: &str) {
    assert!(
        line.starts_with("{\"time\":\"") && line.ends_with("]}\n"),
        "{line:?}"
    );
}

#[test]
fn hangup_reopens_a_rotated_file_without_torn_lines() {
    let it = Activator::start(directory("rotation"), &[]);
    let _client = it.waiting();
    let moved = ["reports.0", "reports.1", "reports.2"];
    for old in moved {
        it.until("there are lines", || it.lines("reports").len() > 2);
        fs::rename(it.directory.join("reports"), it.directory.join(old)).unwrap();
        it.until("lines go on where they went", || it.lines(old).len() > 5);
        it.program.signal("HUP");
        it.program.logs_at_last("SIGHUP: reopened ");
        it.until("the new file is used", || it.lines("reports").len() > 2);
        it.lines(old).iter().for_each(|line| check_line(line));
    }
    // A place that is not to be had changes nothing.
    let away = it.directory.with_extension("away");
    let _ = fs::remove_dir_all(&away);
    let before = it.lines("reports").len();
    fs::rename(&it.directory, &away).unwrap();
    it.program.signal("HUP");
    it.program
        .logs_at_last("reports still go to the old file: No such file or directory");
    fs::rename(&away, &it.directory).unwrap();
    it.until("lines go on", || it.lines("reports").len() > before + 2);
    it.lines("reports")[..before]
        .iter()
        .for_each(|line| check_line(line));
    it.stop();
}

#[test]
fn pipe_without_a_reader_delays_nothing() {
    let directory = directory("unread");
    make_pipe(&directory.join("reports"));
    let it = Activator::start(directory, &[]);
    let _client = it.waiting();
    it.program
        .logs_at_last("cannot write, trying again every second");
    let reader = fs::File::open(it.directory.join("reports")).unwrap();
    let mut lines = BufReader::new(reader).lines();
    // The first request is in the first line, however late.
    let first = lines.next().unwrap().unwrap();
    assert!(first.contains("\"cause\":\"first_request\""), "{first}");
    let draining = std::thread::spawn(move || lines.count());
    it.program.logs_at_last("can write again");
    it.stop();
    assert!(draining.join().unwrap() > 0);
}

#[test]
fn signal_ends_it_while_pipes_are_unread() {
    let directory = directory("never-read");
    make_pipe(&directory.join("reports"));
    make_pipe(&directory.join("record"));
    let record = directory.join("record");
    let record = record.to_str().unwrap().to_owned();
    let it = Activator::start(directory, &["--record", &record]);
    let _client = it.waiting();
    it.program
        .logs_at_last("cannot write, trying again every second");
    it.program.signal("TERM");
    it.program
        .logs_at_last("the recorded history is incomplete");
    it.program.logs_at_last("stopped");
    it.program.ends(0);
}

#[test]
fn record_waits_for_a_late_reader() {
    let directory = directory("late-record");
    let record = directory.join("record");
    make_pipe(&record);
    let it = Activator::start(directory, &["--record", record.to_str().unwrap()]);
    let _client = it.waiting();
    it.until("it is reported", || it.lines("reports").len() > 2);
    let mut reader = fs::File::open(&record).unwrap();
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).map(|_| text)
    });
    it.stop();
    let text = reading.join().unwrap().unwrap();
    // It is whole, from the first record on.
    let ins = text
        .lines()
        .filter(|line| line.contains("\"op\":\"in\""))
        .count();
    let outs = text
        .lines()
        .filter(|line| line.contains("\"op\":\"out\""))
        .count();
    assert_eq!((ins, outs), (1, 1), "{text}");
}
