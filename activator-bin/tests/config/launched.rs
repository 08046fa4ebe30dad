//! Revisions whose instances are started here.

use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

use activator_bin::testing::launch::{
    BusyCheck, GroupSpec, IdleAction, IgnoreRule, InstanceLog, LaunchSpec, PortSpec, ProcessSpec,
    Ready, Restarts, ScheduleEntry, Start, WaitingPage,
};
use activator_bin::testing::{ScaleSettings, Sources};
use reporter_core::Accounting;
use serde_json::json;

use super::load;

/// How instances of the revision of this name are started.
fn launch(file: &str, name: &str) -> Arc<LaunchSpec> {
    let revisions = load(file).revisions;
    let named = revisions.into_iter().find(|it| it.key.name() == name);
    let launch = named.and_then(|it| it.launch);
    launch.expect("its instances are started here")
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The defaults with this command.
fn process(command: &[&str], max_scale: u32) -> LaunchSpec {
    let process = ProcessSpec::new(words(command));
    LaunchSpec::new(Start::Process(process), max_scale)
}

#[test]
fn a_command_and_the_most_instances_are_enough() {
    let section = "[[revision]]\nnamespace = 'a'\nname = 'b'\n";
    let short = format!("{section}command = 'app {{port}}'\nmax_scale = 3");
    assert_eq!(*launch(&short, "b"), process(&["app", "{port}"], 3));
    let list = format!("{section}command = ['app', 'a b']\nargs = ['']\nmax_scale = 1");
    assert_eq!(*launch(&list, "b"), process(&["app", "a b", ""], 1));
    let start = format!("{section}start_command = 'up'\nbackends = ['127.0.0.1:1']");
    let expected = LaunchSpec {
        start: Start::Commands {
            start: words(&["up"]),
            stop: Vec::new(),
        },
        ..process(&[], 1)
    };
    assert_eq!(*launch(&start, "b"), expected);
}

#[test]
fn all_fields_are_read() {
    let full = include_str!("full.toml");
    let process_spec = ProcessSpec {
        command: words(&[
            "python3",
            "-m",
            "http.server",
            "--bind",
            "127.0.0.1",
            "{port}",
        ]),
        dir: Some("/srv/{name}".into()),
        env: [("MODE", "fast"), ("URL", "http://127.0.0.1:{port}/")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        user: Some("www-data".to_owned()),
        port: PortSpec::Fixed(8080),
    };
    let expected = LaunchSpec {
        start: Start::Process(process_spec),
        ready: Ready::Http("/healthz?deep=1".to_owned()),
        start_timeout: Duration::from_secs(30),
        stop_signal: 2,
        stop_timeout: Duration::from_secs(5),
        scale: ScaleSettings {
            target: Some(7.5),
            target_utilization: Some(0.8),
            stable_window: Duration::from_secs(30),
            panic_window_percentage: 20.0,
            panic_threshold_percentage: 150.5,
            min_scale: 1,
            max_scale: 1,
            initial_scale: 0,
            activation_scale: None,
            scale_down_delay: Duration::from_secs(15),
            scale_to_zero_pod_retention_period: Duration::from_secs(90),
        },
        min_uptime: Duration::from_secs(60),
        restarts: Restarts {
            backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(10),
            max_restarts: 5,
            window: Duration::from_secs(600),
        },
        log: InstanceLog::File("/var/log/web.log".into()),
        idle_action: IdleAction::Freeze {
            freeze_for: Duration::from_secs(3_600),
        },
        busy_check: Some(BusyCheck::Http("/busy".to_owned())),
        group: Some(Arc::new(GroupSpec {
            name: "gpu".to_owned(),
            capacity: 2,
            max_wait: Duration::from_secs(5),
        })),
        ignore: vec![
            IgnoreRule {
                path: Some("/health/*".to_owned()),
                user_agent: Some("kube-probe".to_owned()),
                source: Some(([10, 0, 0, 0].into(), 8)),
            },
            IgnoreRule {
                source: Some((Ipv6Addr::LOCALHOST.into(), 128)),
                ..IgnoreRule::default()
            },
        ],
        asleep_status: 204,
        waiting_page: WaitingPage::Off,
        schedule: vec![ScheduleEntry {
            days: [true, true, true, true, true, false, false],
            from: 8 * 60,
            to: 18 * 60 + 30,
            min_scale: 1,
        }],
    };
    assert_eq!(*launch(full, "web"), expected);
    let expected = LaunchSpec {
        start: Start::Commands {
            start: words(&["docker", "start", "web"]),
            stop: words(&["docker", "stop", "web"]),
        },
        ready: Ready::Tcp,
        busy_check: Some(BusyCheck::Command(words(&[
            "docker", "exec", "web", "busy",
        ]))),
        ..process(&[], 1)
    };
    assert_eq!(*launch(full, "container"), expected);
}

#[test]
fn a_launched_revision_is_counted_by_averages() {
    let section = "[[revision]]\nnamespace = 'a'\nname = 'b'\n";
    let launched = format!("{section}command = 'app'\nmax_scale = 1\n");
    let accounting = |file: &str| load(file).reporter.accounting;
    assert_eq!(accounting(section), Accounting::Snapshot);
    assert_eq!(accounting(&launched), Accounting::Average);
    let sources = Sources {
        flags: vec![("reporter.accounting", "average".to_owned())],
        ..Sources::default()
    };
    let snapshot = format!("reporter.accounting = 'snapshot'\n{launched}");
    let config = sources.check(Some(("f", snapshot.as_bytes())));
    assert_eq!(
        config.map(|it| it.reporter.accounting),
        Ok(Accounting::Average)
    );
}

#[test]
fn a_launched_revision_is_shown_with_all_that_its_section_says() {
    let revisions = load(include_str!("full.toml")).revisions;
    let shown = |name: &str| {
        let revision = revisions.iter().find(|it| it.key.name() == name);
        revision.expect("it is in the file").to_json()["launch"].clone()
    };
    let web = json!({
        "command": ["python3", "-m", "http.server", "--bind", "127.0.0.1", "{port}"],
        "dir": "/srv/{name}",
        "env": ["MODE", "URL"],
        "user": "www-data",
        "port": 8080,
        "ready": "http:/healthz?deep=1",
        "start_timeout": "30s",
        "stop_signal": "INT",
        "stop_timeout": "5s",
        "target": 7.5,
        "target_utilization": 0.8,
        "stable_window": "30s",
        "panic_window_percentage": 20.0,
        "panic_threshold_percentage": 150.5,
        "min_scale": 1,
        "max_scale": 1,
        "initial_scale": 0,
        "scale_down_delay": "15s",
        "scale_to_zero_pod_retention_period": "1m 30s",
        "min_uptime": "1m",
        "idle_action": "freeze",
        "freeze_for": "1h",
        "busy_check": "http:/busy",
        "group": "gpu",
        "ignore": [
            { "path": "/health/*", "user_agent": "kube-probe", "source": "10.0.0.0/8" },
            { "source": "::1/128" },
        ],
        "asleep_status": 204,
        "waiting_page": "off",
        "schedule": [{ "days": "mon,tue,wed,thu,fri", "from": "08:00", "to": "18:30", "min_scale": 1 }],
        "restart_backoff": "100ms..10s",
        "max_restarts": 5,
        "restart_window": "10m",
        "log": "/var/log/web.log",
    });
    assert_eq!(shown("web"), web);
    let container = shown("container");
    assert_eq!(
        container["start_command"],
        json!(["docker", "start", "web"])
    );
    assert_eq!(container["stop_command"], json!(["docker", "stop", "web"]));
    assert_eq!(
        container["busy_check"],
        json!(["docker", "exec", "web", "busy"])
    );
    assert_eq!(container["waiting_page"], json!("auto"));
    assert_eq!(container.get("target"), None);
}

#[test]
fn a_waiting_page_is_read_with_the_configuration() {
    let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/waiting.html");
    std::fs::write(path, "<p>soon").expect("the file can be written");
    let file = format!(
        "[[revision]]\nnamespace = 'a'\nname = 'b'\ncommand = 'app'\nmax_scale = 1\nwaiting_page = '{path}'"
    );
    let page = WaitingPage::Page("<p>soon".into());
    assert_eq!(launch(&file, "b").waiting_page, page);
}

#[test]
fn what_does_not_speak_plain_http1_is_ready_once_it_accepts_connections() {
    let file = |fields: &str| {
        format!(
            "[backend_tls]
            ca_file = '/ca'
            [[revision]]
            namespace = 'default'
            name = 'app'
            command = 'app'
            max_scale = 1
            {fields}"
        )
    };
    let ready = |fields: &str| launch(&file(fields), "app").ready.clone();
    assert_eq!(ready(""), Ready::Serving);
    assert_eq!(ready("protocol = 'h2c'"), Ready::Tcp);
    assert_eq!(ready("tls = true"), Ready::Tcp);
    assert_eq!(ready("tls = true\nready = 'notify'"), Ready::Notify);
    let asked = "protocol = 'h2c'\nready = 'http:/up'";
    assert_eq!(ready(asked), Ready::Http("/up".to_owned()));
    let problems =
        Sources::default().check(Some(("f", file("tls = true\nready = 'http:/'").as_bytes())));
    let problems = problems.unwrap_err().to_string();
    assert!(problems.contains("is asked without TLS"), "{problems}");
}

#[test]
fn requests_may_take_a_day_where_nobody_else_says_how_long() {
    let total = |fields: &str| {
        let file = format!("[[revision]]\nnamespace = 'default'\nname = 'app'\n{fields}");
        load(&file).revisions[0].timeouts.total
    };
    const MINUTE: Duration = Duration::from_secs(60);
    assert_eq!(total("backends = []"), 5 * MINUTE);
    assert_eq!(total("command = 'app'\nmax_scale = 1"), 24 * 60 * MINUTE);
    assert_eq!(
        total("command = 'app'\nmax_scale = 1\ntimeout = '1m'"),
        MINUTE
    );
}
