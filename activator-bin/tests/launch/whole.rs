//! The program with its instances: nothing that it has reaches them, and nothing of them outlives it.

use std::process::Command;

use serde_json::json;

use crate::directory::Directory;
use crate::orphans::{FAMILY, members};
use crate::program::{FREE, Program, activator, activator_with_sockets};
use crate::scene::{eventually, state};
use crate::sockets::{ask, connect, listener};

/// Says what it has, to whoever asks.
const OPEN: &str = "
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        files = [os.readlink(f'/proc/self/fd/{number}') for number in range(3)]
        kinds = [file.split(':')[0] for file in files]
        body = f'{len(os.listdir(\"/proc/self/fd\"))} {kinds} {sorted(os.environ)}'.encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()";

/// A file with one revision, whose instances run this command.
fn config(directory: &Directory, command: &[&str], more: &str) -> String {
    let command = json!(command);
    let text = format!(
        "[[revision]]\nnamespace = \"default\"\nname = \"app\"\nhosts = [\"*\"]\nmax_scale = 1\n\
         command = {command}\n{more}\n"
    );
    directory.write("config.toml", &text).display().to_string()
}

#[test]
fn what_the_program_was_given_does_not_reach_its_instances() {
    let directory = Directory::new();
    let more =
        "env = { HOME = \"/\", LC_CTYPE = \"C.UTF-8\", PATH = \"/usr/local/bin:/usr/bin:/bin\" }";
    let config = config(&directory, &["python3", "-c", OPEN, "{port}"], more);
    let (http, address) = listener();
    let mut command = activator_with_sockets("http:admin", http, listener().0);
    // Whoever it tells is not there.
    let nobody = directory.path("nobody");
    command
        .args(["--config", &config])
        .env("NOTIFY_SOCKET", nobody)
        .env("SECRET", "1");
    let program = Program::start(&mut command);
    program.logs_at_last("serving, try: ");
    let connections: Vec<_> = (0..100).map(|_| connect(address)).collect();
    let response = ask(connect(address), "app.example", "/");
    // What it listens on, the connection, and the directory that it looks into.
    let expected = "6 ['/dev/null', 'pipe', 'pipe'] ['HOME', 'LC_CTYPE', 'PATH', 'PORT']";
    assert!(response.ends_with(expected), "{response}");
    drop(connections);
    program.signal("TERM");
    program.logs_at_last("stopped");
    program.ends(0);
}

#[tokio::test]
async fn nothing_is_left_of_an_instance_when_the_program_is_killed() {
    let directory = Directory::new();
    let log = directory.path("log");
    let more = format!("min_scale = 1\nready = \"tcp\"\nlog = {}", json!(log));
    let config = config(&directory, &["sh", "-c", FAMILY], &more);
    let mut command: Command = activator(FREE);
    let program = Program::start(
        command
            .args(["--config", &config])
            .env("PATH", "/usr/bin:/bin"),
    );
    let family = eventually("all say who they are", || {
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<_> = log.lines().map(str::to_owned).collect();
        members(&lines)
    })
    .await;
    assert!(family.iter().all(|pid| state(*pid).is_some()));
    program.signal("KILL");
    let gone = || family.iter().all(|pid| state(*pid).is_none()).then_some(());
    eventually("all end", gone).await;
}

#[tokio::test]
async fn a_flood_of_output_is_cut_in_the_log() {
    let directory = Directory::new();
    let more = "min_scale = 1\nready = \"tcp\"";
    let script = "seq 1 100000; sleep 1; echo the end; sleep 1000";
    let config = config(&directory, &["sh", "-c", script], more);
    let mut command = activator(FREE);
    let program = Program::start(
        command
            .args(["--config", &config])
            .env("PATH", "/usr/bin:/bin"),
    );
    let mut log = Vec::new();
    let instance = "activator_bin::launcher::process::output: default/app-0: ";
    eventually("the end is logged", || {
        let lines = program.log().into_iter();
        log.extend(lines.filter_map(|line| Some(line.split_once(instance)?.1.to_owned())));
        let is_said = log.iter().any(|line| line == "the end");
        (is_said && log.iter().any(|line| line.contains("were left out"))).then_some(())
    })
    .await;
    assert_eq!(
        log[..1000],
        (1..=1000)
            .map(|number| number.to_string())
            .collect::<Vec<_>>()
    );
    let said = "lines of its output were left out: it prints too fast for the log";
    let left_out: usize = log
        .iter()
        .filter_map(|line| line.strip_suffix(said)?.trim().parse::<usize>().ok())
        .sum();
    let logged = log
        .iter()
        .filter(|line| line.parse::<u32>().is_ok())
        .count();
    assert_eq!(left_out + logged, 100_000);
}
