//! The configuration of `activator up`.

use activator_bin::testing::launch::{PortSpec, Start};
use activator_bin::testing::{Config, Problems, Sources, Up};

fn up(hosts: &[&str], max_scale: Option<&str>, command: &[&str]) -> Result<Config, Problems> {
    let text = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    let sources = Sources {
        up: Some(Up {
            hosts: text(hosts),
            max_scale: max_scale.map(str::to_owned),
            command: text(command),
        }),
        flags: vec![("listen.http", "127.0.0.1:0".to_owned())],
        ..Sources::default()
    };
    sources.check(None)
}

#[test]
fn a_command_is_a_service_for_all_hosts_with_one_instance() {
    let config = up(&[], None, &["node", "my server.js", "{port}"]).unwrap();
    let [app] = config.revisions.as_slice() else {
        panic!("one revision, not {:?}", config.revisions);
    };
    assert_eq!(app.key.as_str(), "default/app");
    let hosts: Vec<_> = app.hosts.iter().map(ToString::to_string).collect();
    assert_eq!(hosts, ["*"]);
    assert!(!config.trust_knative_headers && config.sinks.is_empty());
    assert_eq!(config.listen.http.port(), 0);
    let launch = app.launch.as_ref().unwrap();
    assert_eq!(launch.scale.max_scale, 1);
    let Start::Process(process) = &launch.start else {
        panic!("a process, not {:?}", launch.start);
    };
    assert_eq!(process.command, ["node", "my server.js", "{port}"]);
    assert_eq!(process.port, PortSpec::Auto);
}

#[test]
fn hosts_and_instances_are_as_they_are_given() {
    let config = up(&["a.localhost", "*.B.example.org"], Some("7"), &["x"]).unwrap();
    let app = &config.revisions[0];
    let hosts: Vec<_> = app.hosts.iter().map(ToString::to_string).collect();
    assert_eq!(hosts, ["a.localhost", "*.b.example.org"]);
    assert_eq!(app.launch.as_ref().unwrap().scale.max_scale, 7);
}

#[test]
fn what_is_wrong_is_said_with_its_flag() {
    let check = |hosts: &[&str], max_scale, expected: &[&str]| {
        let problems = up(hosts, max_scale, &["x"]).unwrap_err().to_string();
        let lines: Vec<_> = problems.lines().collect();
        assert_eq!(lines.len(), expected.len(), "{problems}");
        for (line, expected) in lines.iter().zip(expected) {
            assert!(line.starts_with(expected), "{line}");
        }
    };
    check(&["a b"], None, &["--host: hosts: \"a b\""]);
    check(&["a", "a"], None, &["--host: hosts: \"a\" is listed twice"]);
    check(
        &["*a"],
        Some("none"),
        &["--host: hosts: ", "--max-scale: max_scale: "],
    );
    check(&[], Some("0"), &["--max-scale: max_scale: "]);
}
