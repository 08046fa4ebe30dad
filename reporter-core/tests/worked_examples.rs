//! The worked examples of the reporter's specification, one line each, and further ones for details.
//!
//! A history is a list of steps: `0 in A` is a request for `A` at 0 ms, `out` its end, `tick` the end of a
//! period. Results read `A 1/1` for average and count, `g A 0` for a gauge, `- A` for a forgotten key.

use reporter_core::{Accounting, Report, Reporter, ReqEvent, RevisionKey, StatMessage, Timestamp};

use Accounting::{Average, Snapshot};

fn check(accounting: Accounting, history: &str, expected: &str) {
    let mut reporter = Reporter::new(accounting);
    let mut said = Vec::new();
    for step in history.split(", ") {
        let answer = apply(&mut reporter, step);
        if !answer.is_empty() {
            said.push(answer);
        }
    }
    assert_eq!(said.join("; "), expected, "{accounting}: {history}");
}

fn apply(reporter: &mut Reporter, step: &str) -> String {
    let words: Vec<&str> = step.split(' ').collect();
    let (millis, op) = words.split_first().expect("a step has a time");
    let millis: u64 = millis.parse().expect("a time is a number");
    let now = Timestamp::from_nanos(millis * 1_000_000);
    let key = |letter: &str| {
        RevisionKey::try_new("default", &letter.to_lowercase()).expect("a letter is a valid name")
    };
    let outcome = match op {
        ["in", letter] => reporter.on_event(&ReqEvent::req_in(key(letter)), now),
        ["out", letter] => reporter.on_event(&ReqEvent::req_out(key(letter)), now),
        ["tick"] => {
            let mut report = Report::default();
            reporter.on_tick(now, &mut report);
            return print_report(&report);
        }
        _ => panic!("no such step: {step}"),
    };
    match outcome {
        Ok(message) => message.iter().map(print).collect(),
        Err(_) => "refused".to_owned(),
    }
}

fn letter(key: &RevisionKey) -> String {
    key.name().to_uppercase()
}

fn print(message: &StatMessage) -> String {
    let stat = &message.stat;
    format!(
        "{} {}/{}",
        letter(&message.key),
        stat.average_concurrent_requests,
        stat.request_count
    )
}

fn print_report(report: &Report) -> String {
    let messages = report.messages.iter().map(print);
    let gauges = report.gauges();
    let gauges = gauges.map(|gauge| format!("g {} {}", letter(gauge.key), gauge.concurrency));
    let forgotten = report.forgotten.iter();
    let forgotten = forgotten.map(|key| format!("- {}", letter(key)));
    let said: Vec<String> = messages.chain(gauges).chain(forgotten).collect();
    format!("[{}]", said.join(", "))
}

#[test]
fn the_worked_examples_hold() {
    for (accounting, history, expected) in [
        (Snapshot, "0 in A, 0 in A, 1 tick", "A 1/1; [A 2/2, g A 2]"),
        (
            Snapshot,
            "0 in A, 1 out A, 2 tick, 3 in A",
            "A 1/1; [g A 0, - A]; A 1/1",
        ),
        (
            Snapshot,
            "0 in A, 0 in B, 1 tick, 2 out A, 2 in C, 3 tick",
            "A 1/1; B 1/1; [A 1/1, B 1/1, g A 1, g B 1]; C 1/1; \
             [B 1/0, C 1/1, g B 1, g C 1, g A 0, - A]",
        ),
        (
            Snapshot,
            "0 in A, 1 out A, 2 in A, 3 tick",
            "A 1/1; [A 1/2, g A 1]",
        ),
        (
            Average,
            "0 in A, 1 out A, 1 in A, 2 out A, 2 tick",
            "A 1/1; [A 0/1, g A 1]",
        ),
        (
            Average,
            "0 in A, 0 in A, 1 tick, 2 tick",
            "A 1/1; [A 1/1, g A 2]; [A 2/0, g A 2]",
        ),
        (
            Average,
            "0 in A, 1 out A, 1 tick, 2 tick, 3 in A",
            "A 1/1; [A 0/0, g A 1]; [A 0/0, g A 0, - A]; A 1/1",
        ),
        (
            Average,
            "0 in A, 0 in A, 1 out A, 2 out A, 2 tick",
            "A 1/1; [A 0.5/1, g A 1.5]",
        ),
        (
            Average,
            "0 in A, 0 in B, 0 in C, 0 tick",
            "A 1/1; B 1/1; C 1/1; [A 0/0, B 0/0, C 0/0, g A 0, g B 0, g C 0]",
        ),
    ] {
        check(accounting, history, expected);
    }
}

#[test]
fn the_fine_print_holds() {
    for (accounting, history, expected) in [
        // What is back at 0 when the tick comes is not reported by it.
        (
            Snapshot,
            "0 in A, 0 in A, 1 out A, 1 out A, 2 tick, 3 tick",
            "A 1/1; [g A 0, - A]; []",
        ),
        // An out without its in is refused and changes nothing, tracked or not.
        (
            Snapshot,
            "0 out A, 0 in A, 1 out A, 1 out A, 1 in A, 2 tick",
            "refused; A 1/1; refused; [A 1/2, g A 1]",
        ),
        (
            Average,
            "0 out A, 0 in A, 1 out A, 9 out A, 2 tick",
            "refused; A 1/1; refused; [A 0/0, g A 0.5]",
        ),
        // The clock going backwards is no time, and does not move the ledger's clock back.
        (
            Average,
            "5 in A, 2 in A, 5 out A, 6 tick",
            "A 1/1; [A 0/1, g A 1]",
        ),
        (
            Average,
            "5 in A, 9 tick, 3 tick, 10 tick",
            "A 1/1; [A 0/0, g A 1]; [A 0/0, g A 0]; [A 1/0, g A 1]",
        ),
        // A whole life within no time at all leaves no area, and the key goes with its counts reported.
        (
            Average,
            "0 in A, 0 in A, 0 out A, 0 out A, 0 tick, 1 in A",
            "A 1/1; [A 0/1, g A 0, - A]; A 1/1",
        ),
        // One short request shows less than its credit: the message stops at 0, the gauge does not.
        (
            Average,
            "0 in A, 1 out A, 4 tick",
            "A 1/1; [A 0/0, g A 0.25]",
        ),
        // Tracked without requests in flight, and a request comes: no first request.
        (
            Average,
            "0 in A, 1 out A, 1 tick, 2 in A, 3 tick",
            "A 1/1; [A 0/0, g A 1]; [A 0.5/1, g A 0.5]",
        ),
    ] {
        check(accounting, history, expected);
    }
}
