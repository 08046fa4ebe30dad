use super::*;
use crate::settings::Value;

#[test]
fn the_defaults_of_the_file_are_those_of_the_autoscaler() {
    let draft = LaunchDraft {
        command: Some(vec!["app".to_owned()]),
        ..LaunchDraft::default()
    };
    let spec = draft
        .spec(None, WaitingPage::Auto)
        .expect("there is a command");
    assert_eq!(spec.scale, ScaleSettings::new(1));
}

#[test]
fn a_command_is_split_as_a_shell_does_and_nothing_is_expanded() {
    let check = |text: &str, expected: &[&str]| {
        let words = value::command(&Value::Text(text));
        assert_eq!(
            words.as_deref(),
            Ok(&expected
                .iter()
                .map(|it| (*it).to_owned())
                .collect::<Vec<_>>()[..])
        );
    };
    check("app", &["app"]);
    check("  app\t-p\n{port} ", &["app", "-p", "{port}"]);
    check(r#"a "b c" 'd "e"' f\ g"#, &["a", "b c", "d \"e\"", "f g"]);
    check(r#"a "\"" '' """#, &["a", "\"", "", ""]);
    check(
        "a $HOME `id` *.txt ~ | b && c > d; e",
        &[
            "a", "$HOME", "`id`", "*.txt", "~", "|", "b", "&&", "c", ">", "d;", "e",
        ],
    );
    check(r#"a {"b":"{c}"}"#, &["a", "{b:{c}}"]);
    for bad in ["", " ", "'a", "a \"b", "a \\", "'' a", "a\0"] {
        assert!(value::command(&Value::Text(bad)).is_err(), "{bad:?}");
    }
    let longest = "a".repeat((128 << 10) - 1);
    assert!(value::command(&Value::Text(&longest)).is_ok());
    assert!(value::command(&Value::Text(&(longest + "a"))).is_err());
}

#[test]
fn words_and_numbers_are_read_as_they_are_written() {
    let port = |text| value::port(&Value::Text(text)).ok();
    assert_eq!(port("auto"), Some(PortSpec::Auto));
    assert_eq!(port("socket"), Some(PortSpec::Socket));
    assert_eq!(port("fd"), Some(PortSpec::Passed));
    assert_eq!(port("65535"), Some(PortSpec::Fixed(65_535)));
    assert_eq!((port("0"), port("65536"), port("")), (None, None, None));

    let ready = |text| value::ready(&Value::Text(text)).ok();
    let http = |path: &str| Some(Ready::Http(path.to_owned()));
    assert_eq!(ready("http:/"), http("/"));
    assert_eq!(ready("http:/a?b=c"), http("/a?b=c"));
    assert_eq!(ready("tcp"), Some(Ready::Tcp));
    assert_eq!(ready("notify"), Some(Ready::Notify));
    for bad in [
        "http:",
        "http://a/b c",
        "http:a",
        "http:/#a",
        "/",
        "https:/",
        "http:/\n",
    ] {
        assert_eq!(ready(bad), None, "{bad:?}");
    }

    let signal = |text| value::signal(&Value::Text(text)).ok();
    assert_eq!((signal("TERM"), signal("SIGKILL")), (Some(15), Some(9)));
    assert_eq!(
        (signal("STOP"), signal("15"), signal("SIG")),
        (None, None, None)
    );
    assert_eq!(value::signal_name(2), "INT");

    let part = |text| value::utilization(&Value::Text(text)).ok();
    assert_eq!(
        (part("1"), part("0.7"), part("70")),
        (Some(1.0), Some(0.7), Some(0.7))
    );
    assert_eq!((part("0"), part("100.5"), part("NaN")), (None, None, None));

    let backoff = |text| value::backoff(&Value::Text(text)).ok();
    let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
    assert_eq!(backoff("1s..1m"), Some((second, minute)));
    assert_eq!(backoff("1s .. 60s"), Some((second, minute)));
    assert_eq!(backoff("1m"), Some((minute, minute)));
    assert_eq!(
        (backoff("1m..1s"), backoff("1s.."), backoff("0s..1m")),
        (None, None, None)
    );

    let log = |text| value::log(&Value::Text(text)).ok();
    assert_eq!(log("inherit"), Some(InstanceLog::Inherit));
    assert_eq!(log("off"), Some(InstanceLog::Off));
    assert_eq!(log("a.log"), Some(InstanceLog::File("a.log".into())));
    assert_eq!((log("inherti"), log("")), (None, None));
}
