//! `activator replay` as a program: files, pipes, exit codes.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

const IN: &str = "{\"t_ns\":0,\"op\":\"in\",\"id\":1,\"key\":\"ns/a\"}\n";
const TICK: &str = "{\"t_ns\":1,\"op\":\"tick\"}\n";
const FIRST: &str = "{\"t_ns\":0,\"cause\":\"first_request\",\"messages\":[{\"key\":\"ns/a\",\"average_concurrent_requests\":1.0,\"request_count\":1}]}\n";

fn activator(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_activator"));
    command
        .arg("replay")
        .args(arguments)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs it with `input` on standard input.
fn replay(arguments: &[&str], input: &str) -> Output {
    let mut child = activator(arguments).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    let input = input.to_owned();
    // It may stop reading before the end.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("no panic");
    output
}

fn check(arguments: &[&str], input: &str, code: i32, stdout: &str, stderr: &str) {
    let output = replay(arguments, input);
    assert_eq!(String::from_utf8_lossy(&output.stderr), stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), stdout);
    assert_eq!(output.status.code(), Some(code));
}

fn file(name: &str, content: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).expect("the directory is there to be written to");
    path
}

#[test]
fn standard_input_is_the_default() {
    check(&[], IN, 0, FIRST, "");
    check(&["-"], IN, 0, FIRST, "");
}

#[test]
fn file_is_replayed_in_the_given_accounting() {
    let file = file("replay.ndjson", &format!("{IN}{TICK}"));
    let file = file.to_str().expect("UTF-8");
    let tick = |average, count, gauge| {
        format!(
            "{FIRST}{{\"t_ns\":1,\"cause\":\"tick\",\"messages\":[{{\"key\":\"ns/a\",\"average_concurrent_requests\":{average},\"request_count\":{count}}}],\"gauges\":{{\"ns/a\":{gauge}}}}}\n"
        )
    };
    check(&[file], "", 0, &tick("1.0", 1, "1.0"), "");
    check(
        &["--accounting", "snapshot", file],
        "",
        0,
        &tick("1.0", 1, "1.0"),
        "",
    );
    check(
        &["--accounting=average", file],
        "",
        0,
        &tick("0.0", 0, "1.0"),
        "",
    );
}

#[test]
fn bad_line_exits_with_65_and_its_number() {
    let bad = format!("{IN}nonsense\n{TICK}");
    let stderr = "activator: standard input: line 2: is not a JSON object\n";
    check(&[], &bad, 65, FIRST, stderr);
    let file = file("bad.ndjson", &bad);
    let file = file.to_str().expect("UTF-8");
    let stderr = format!("activator: {file}: line 2: is not a JSON object\n");
    check(&[file], "", 65, FIRST, &stderr);
}

#[test]
fn unmatched_outs_are_reported_at_the_end() {
    let out = "{\"t_ns\":0,\"op\":\"out\",\"id\":9}\n";
    let stderr = "activator: standard input: 2 request ends were ignored, as no request was in flight; the first is on line 2\n";
    check(&[], &format!("{IN}{out}{out}"), 0, FIRST, stderr);
}

#[test]
fn missing_file_is_a_failure() {
    let stderr = "activator: /nonexistent: cannot read: No such file or directory (os error 2)\n";
    check(&["/nonexistent"], "", 1, "", stderr);
    check(
        &["/"],
        "",
        1,
        "",
        "activator: /: cannot read: Is a directory (os error 21)\n",
    );
}

#[test]
fn full_disk_is_a_failure() {
    let mut command = activator(&["/dev/stdin"]);
    let full = std::fs::File::create("/dev/full").expect("every Linux has it");
    let mut child = command.stdout(full).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(IN.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let stderr =
        "activator: standard output: cannot write: No space left on device (os error 28)\n";
    assert_eq!(String::from_utf8_lossy(&output.stderr), stderr);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn unknown_accounting_is_wrong_usage() {
    let output = replay(&["--accounting", "mean"], "");
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("possible values: snapshot, average"),
        "{stderr}"
    );
}

#[test]
fn closed_output_ends_it_quietly() {
    let mut child = activator(&[]).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    let writer = std::thread::spawn(move || {
        let lines = (0..)
            .map(|id| format!("{{\"t_ns\":0,\"op\":\"in\",\"id\":{id},\"key\":\"ns/a\"}}\n{TICK}"));
        // Until nobody reads any more.
        lines
            .into_iter()
            .find_map(|line| stdin.write_all(line.as_bytes()).err())
    });
    stdout.read_line(&mut String::new()).expect("a line comes");
    drop(stdout);
    writer.join().expect("no panic");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn growing_history_is_followed() {
    let mut child = activator(&[]).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    let (lines, seen) = mpsc::channel();
    std::thread::spawn(move || stdout.lines().try_for_each(|line| lines.send(line)));
    // A bound for a broken build, not an expectation.
    let patience = Duration::from_secs(30);
    stdin.write_all(IN.as_bytes()).expect("it reads");
    let line = seen
        .recv_timeout(patience)
        .expect("a line before the end")
        .expect("UTF-8");
    assert_eq!(line, FIRST.trim_end());
    stdin.write_all(TICK.as_bytes()).expect("it reads");
    let line = seen
        .recv_timeout(patience)
        .expect("a line before the end")
        .expect("UTF-8");
    assert!(line.contains("\"tick\""), "{line}");
    drop(stdin);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn program_and_library_agree() {
    let histories = include_str!("../../reporter-core/tests/vectors/snapshot.ndjson");
    for history in histories.lines().step_by(16) {
        let history: serde_json::Value = serde_json::from_str(history).expect("JSON");
        let ops = history["ops"].as_array().expect("a list");
        let lines: String = ops.iter().map(|op| format!("{op}\n")).collect();
        let mut expected = Vec::new();
        let accounting = reporter_core::Accounting::Snapshot;
        activator_bin::testing::replay(lines.as_bytes(), &mut expected, accounting)
            .expect("a good history");
        assert!(!expected.is_empty());
        check(&[], &lines, 0, &String::from_utf8_lossy(&expected), "");
    }
}
