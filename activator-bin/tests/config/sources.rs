//! Where settings come from: which source wins, and what is wrong with one as a whole.

use std::collections::BTreeMap;

use activator_bin::testing::{Config, Setting, Settings, Sources};

#[test]
fn flag_over_variable_over_file_over_default() {
    let pod_name = |flag: &[&str], variables: &[(&str, &str)], file: Option<&str>| {
        let variables = variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        let sources = Sources {
            variables: variables.collect::<BTreeMap<_, _>>(),
            flags: flag
                .iter()
                .map(|value| ("pod_name", (*value).to_owned()))
                .collect(),
            ..Sources::default()
        };
        let file = file.map(|text| ("activator.toml", text.as_bytes()));
        sources.check(file).expect("a good configuration").pod_name
    };
    let own = ("ACTIVATOR_POD_NAME", "own");
    let platform = ("POD_NAME", "platform");
    let file = Some("pod_name = \"file\"");
    let unset = pod_name(&[], &[], None);
    assert_eq!(pod_name(&[], &[], file), "file");
    assert_eq!(pod_name(&[], &[platform], file), "platform");
    assert_eq!(pod_name(&[], &[platform, own], file), "own");
    assert_eq!(pod_name(&["flag"], &[platform, own], file), "flag");
    assert_eq!(pod_name(&["flag"], &[], None), "flag");
    assert_eq!(
        pod_name(&[], &[("POD_NAME", ""), ("ACTIVATOR_POD_NAME", "")], file),
        "file"
    );
    assert_eq!(pod_name(&[], &[("ACTIVATOR_POD_NAME", "")], None), unset);
}

#[test]
fn the_admin_port_is_where_knatives_metrics_would_be() {
    let check = |variables: &[(&str, &str)], file: Option<&str>, expected: &str| {
        let variables = variables.iter();
        let sources = Sources {
            variables: variables
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            ..Sources::default()
        };
        let file = file.map(|text| ("activator.toml", text.as_bytes()));
        let config = sources.check(file).expect("a good configuration");
        assert_eq!(config.listen.admin.to_string(), expected);
    };
    let (host, port) = ("METRICS_PROMETHEUS_HOST", "METRICS_PROMETHEUS_PORT");
    let file = Some("listen.admin = '127.0.0.2:1'");
    check(&[(port, "2")], None, "127.0.0.1:2");
    check(&[(port, "2")], file, "127.0.0.2:2");
    check(&[(host, "::")], file, "[::]:1");
    check(&[(host, "10.0.0.1"), (port, "2")], file, "10.0.0.1:2");
    check(&[(host, ""), (port, "")], file, "127.0.0.2:1");
    let own = ("ACTIVATOR_LISTEN_ADMIN", "127.0.0.3:3");
    check(&[(host, "10.0.0.1"), (port, "2"), own], file, "127.0.0.3:3");
}

#[test]
fn every_setting_has_a_variable_and_a_flag() {
    // Any default is a value that is allowed; that it arrives is seen by a bad value being refused.
    for setting in Config::settings() {
        let variable = setting.variables().next().expect("its own");
        let flag = format!("--{}", setting.flag());
        for bad in ["", "\u{7}"] {
            let sources = Sources {
                variables: [(variable.clone().into(), "\u{7}".into())].into(),
                flags: vec![(setting.field, bad.to_owned())],
                ..Sources::default()
            };
            let problems = sources
                .check(None)
                .expect_err("a bell is no value of anything");
            let places: Vec<String> = problems
                .as_slice()
                .iter()
                .map(|it| it.location.to_string())
                .collect();
            assert_eq!(
                places,
                [variable.clone(), flag.clone()],
                "{}",
                setting.field
            );
        }
    }
}

#[test]
fn flags_are_unique_and_variables_avoid_those_of_kubernetes() {
    let mut flags: Vec<String> = Config::settings().iter().map(Setting::flag).collect();
    flags.extend(
        [
            "config",
            "check",
            "record",
            "kubernetes",
            "kubeconfig",
            "help",
            "version",
        ]
        .map(str::to_owned),
    );
    flags.sort();
    let all = flags.len();
    flags.dedup();
    assert_eq!(flags.len(), all);
    // For a Service called "activator" or "activator-service".
    for variable in Config::settings().iter().flat_map(Setting::variables) {
        let kubernetes = ["ACTIVATOR_PORT", "ACTIVATOR_SERVICE_"];
        assert!(
            !kubernetes.iter().any(|start| variable.starts_with(start)),
            "{variable}"
        );
    }
}

#[test]
fn misspelt_variables_are_reported_but_not_those_of_the_platform() {
    let names = [
        "ACTIVATOR_LISTEN_HTPP",
        "ACTIVATOR_CONFIG",
        "ACTIVATOR_PORT",
        "ACTIVATOR_PORT_80_TCP",
        "ACTIVATOR_PORT_80_TCP_ADDR",
        "ACTIVATOR_PORT_80_TCP_PORT",
        "ACTIVATOR_PORT_80_TCP_PROTO",
        "ACTIVATOR_SERVICE_HOST",
        "ACTIVATOR_SERVICE_PORT",
        "ACTIVATOR_SERVICE_PORT_HTTP",
        "ACTIVATOR_SERVICE_SERVICE_HOST",
        "HTTP_PROXY",
    ];
    let sources = Sources {
        variables: names.map(|name| (name.into(), "x".into())).into(),
        ..Sources::default()
    };
    let expected = "ACTIVATOR_LISTEN_HTPP is not a setting; did you mean ACTIVATOR_LISTEN_HTTP?";
    assert_eq!(sources.misspelt_variables(), [expected]);
}

#[test]
fn file_that_is_not_utf_8_is_refused_at_its_first_bad_byte() {
    let file = Some(("activator.toml", &b"workers = 1\npod_name = \"\xff\""[..]));
    let problems = Sources::default().check(file).unwrap_err().to_string();
    assert_eq!(problems, "activator.toml:2:13: is not UTF-8 from here on");
}

#[test]
fn variable_that_is_not_utf_8_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let value = std::ffi::OsStr::from_bytes(b"a\xff");
    let sources = Sources {
        variables: [("ACTIVATOR_LOG".into(), value.to_owned())].into(),
        ..Sources::default()
    };
    let problems = sources.check(None).unwrap_err().to_string();
    assert_eq!(problems, "ACTIVATOR_LOG: log: \"a\u{fffd}\" is not UTF-8");
}

#[test]
fn unreadable_or_endless_file_is_refused() {
    let check = |path: &str, expected: &str| {
        let sources = Sources {
            file: Some(path.into()),
            flags: vec![("workers", "0".to_owned())],
            ..Sources::default()
        };
        let workers = "--workers: workers: expected a whole number from 1 to 1024, found \"0\"";
        let problems = sources.load().unwrap_err().to_string();
        assert_eq!(problems, format!("{expected}\n{workers}"));
    };
    check(
        "/nonexistent/activator.toml",
        "/nonexistent/activator.toml: cannot be read: No such file or directory (os error 2)",
    );
    check("/", "/: cannot be read: Is a directory (os error 21)");
    check("/dev/zero", "/dev/zero: is larger than 64 MiB");
}
