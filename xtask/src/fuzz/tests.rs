//! Targets of a scratch project, which are programs that note their arguments.

use std::time::Duration;

use super::{Options, check};
use crate::scratch::Scratch;

const MANIFEST: &str = r#"
[package]
name = "scratch-fuzz"
version = "0.0.0"
edition = "2024"

[workspace]

[[bin]]
name = "fine"
path = "fine.rs"

[[bin]]
name = "broken"
path = "broken.rs"
"#;

const PROGRAM: &str = r#"
fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    std::fs::write("../NAME", arguments.join("\n")).unwrap();
    std::process::exit(STATUS);
}
"#;

fn scratch() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("fuzz/Cargo.toml", MANIFEST);
    for (name, status) in [("fine", "0"), ("broken", "77")] {
        let program = PROGRAM.replace("NAME", name).replace("STATUS", status);
        scratch.write(&format!("fuzz/{name}.rs"), &program);
    }
    scratch
}

fn fuzz(scratch: &Scratch, target: Option<&str>, time: Duration) -> Result<(), String> {
    let target = target.map(str::to_owned);
    check(scratch.root(), &Options { target, time }).map_err(|error| format!("{error:#}"))
}

#[test]
fn a_target_runs_for_its_time_over_what_was_found_and_the_corpus() {
    let scratch = scratch();
    fuzz(&scratch, Some("fine"), Duration::from_secs(90)).unwrap();
    let root = scratch.root().display();
    let arguments = [
        "-max_total_time=90".to_owned(),
        "-timeout=10".to_owned(),
        format!("-artifact_prefix={root}/target/fuzz/failed-fine-"),
        "-verbosity=0".to_owned(),
        format!("{root}/target/fuzz/fine"),
        format!("{root}/fuzz/corpus/fine"),
    ];
    assert_eq!(scratch.read("fine"), arguments.join("\n"));
    assert!(!scratch.root().join("broken").exists());
}

#[test]
fn one_target_that_fails_does_not_keep_the_others_from_running() {
    let scratch = scratch();
    let error = fuzz(&scratch, None, Duration::from_millis(1)).unwrap_err();
    assert_eq!(error, "failed: broken");
    for target in ["fine", "broken"] {
        assert!(scratch.read(target).starts_with("-max_total_time=1\n"));
    }
}

#[test]
fn a_target_that_is_not_there_is_refused() {
    let error = fuzz(&scratch(), Some("fin"), Duration::from_secs(1)).unwrap_err();
    assert_eq!(error, "there is no fuzz target fin, but: fine, broken");
}
