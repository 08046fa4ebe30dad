//! The tables in `docs/` say what the code says. With `UPDATE_README=1` these tests write them instead.

#[path = "support/config.rs"]
mod config;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use activator_bin::testing::{
    Activator, CertificateConfig, Config, Default, Draft, GroupDraft, IgnoreDraft, JsonLinesConfig,
    LaunchDraft, Options, ScheduleDraft, Setting, Settings, SinkConfig,
};
use reporter_core::{Revision, RevisionKey, RevisionLister};
use reporter_metrics::{Exporter, METRICS, WatchKind};
use reporter_runtime::sink::autoscaler::AutoscalerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use config::for_tests;

const PROGRAM: &str = env!("CARGO_BIN_EXE_activator");
const CONFIGURATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
const ARCHITECTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../ARCHITECTURE.md");
const METRICS_PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");

/// Two tests may want to write the same page.
static WRITING: Mutex<()> = Mutex::new(());

/// A table of settings.
fn table(settings: &[Setting]) -> String {
    let mut table = "| field | default | what it is |\n|---|---|---|\n".to_owned();
    for setting in settings {
        let default = match setting.default {
            Default::Is(value) => format!("`{value}`"),
            Default::Found(what) => what.to_owned(),
            Default::Unset => "unset".to_owned(),
            Default::Required => "required".to_owned(),
        };
        let line = writeln!(
            table,
            "| `{}` | {default} | {} |",
            setting.field, setting.help
        );
        line.expect("a string takes any text");
    }
    table
}

/// A table per section of the file, under its heading.
fn tables(settings: &[Setting]) -> String {
    let section = |setting: &Setting| setting.field.split_once('.').map(|(section, _)| section);
    let mut sections: Vec<_> = settings.iter().map(section).collect();
    let mut seen = BTreeSet::new();
    sections.retain(|section| seen.insert(*section));
    let tables = sections.into_iter().map(|name| {
        let heading = match name {
            Some(name) => format!("### `[{name}]`"),
            None => "### At the top of the file".to_owned(),
        };
        let settings = settings.iter().filter(|setting| section(setting) == name);
        let settings: Vec<_> = settings.copied().collect();
        format!("{heading}\n\n{}", table(&settings))
    });
    tables.collect::<Vec<_>>().join("\n")
}

/// Compares what stands between the marks for the table `name` in `page`.
#[track_caller]
fn check(page: &str, name: &str, table: &str) {
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let text = std::fs::read_to_string(page).expect("the page exists");
    let (begin, end) = (
        format!("<!-- {name} -->\n"),
        format!("<!-- end of {name} -->"),
    );
    let (before, rest) = text.split_once(&begin).expect("the table's first mark");
    let (found, after) = rest.split_once(&end).expect("the table's last mark");
    let table = format!("\n{table}\n");
    if std::env::var_os("UPDATE_README").is_some() {
        let text = format!("{before}{begin}{table}{end}{after}");
        std::fs::write(page, text).expect("the page can be written");
    } else {
        assert_eq!(
            found, table,
            "run this test with UPDATE_README=1 to mend {page}"
        );
    }
}

/// The variables that settings have besides their own.
fn variables(settings: &[Setting]) -> String {
    let mut table = "| variable | setting |\n|---|---|\n".to_owned();
    for setting in settings {
        for variable in setting.variables().skip(1) {
            let line = writeln!(table, "| `{variable}` | `{}` |", setting.field);
            line.expect("a string takes any text");
        }
    }
    table
}

#[test]
fn settings_tables_match_the_code() {
    check(CONFIGURATION, "variables", &variables(&Config::settings()));
    check(CONFIGURATION, "settings", &tables(&Config::settings()));
    check(
        CONFIGURATION,
        "json-lines sink",
        &table(&JsonLinesConfig::settings()),
    );
    check(
        CONFIGURATION,
        "autoscaler sink",
        &table(&AutoscalerConfig::settings()),
    );
    check(
        CONFIGURATION,
        "certificate",
        &table(&CertificateConfig::settings()),
    );
    check(CONFIGURATION, "revision", &table(&Draft::settings()));
    check(CONFIGURATION, "launched", &table(&LaunchDraft::settings()));
    check(CONFIGURATION, "ignore", &table(&IgnoreDraft::settings()));
    check(
        CONFIGURATION,
        "schedule",
        &table(&ScheduleDraft::settings()),
    );
    check(CONFIGURATION, "group", &table(&GroupDraft::settings()));
}

#[test]
fn a_function_that_the_architecture_names_is_in_that_file() {
    let page = std::fs::read_to_string(ARCHITECTURE).expect("the page exists");
    let code = page.split('`').skip(1).step_by(2);
    let named: Vec<_> = code.filter_map(|code| code.split_once(".rs::")).collect();
    assert!(!named.is_empty());
    for (file, function) in named {
        let path = format!("{}/src/{file}.rs", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            text.contains(&format!("fn {function}")),
            "{file}.rs::{function}"
        );
    }
}

#[tokio::test]
async fn metrics_table_matches_a_running_activator() {
    let mut config = for_tests(
        &"
        reporter = { interval = '50ms', flush_timeout = '50ms' }
        [[sink]]
        kind = 'autoscaler'
        url = 'ws://127.0.0.1:1'
        [[revision]]
        namespace = 'default'
        name = 'hello'
        service = 'hello'
        max_scale = 1
        command = ['PROGRAM', 'echo']
        "
        .replace("PROGRAM", PROGRAM),
    );
    let files = write_certificate();
    config.listen.https = Some(([127, 0, 0, 1], 0).into());
    config.tls.certificate = Some(files.clone());
    config.tls.key = Some(files);
    assert!(matches!(config.sinks[..], [SinkConfig::Autoscaler(_)]));
    let options = Options {
        program: Some(PROGRAM.into()),
        ..Options::default()
    };
    let activator = Activator::start(config, options).expect("all ports are free ones");
    let request =
        "GET / HTTP/1.1\r\nHost: hello.default.svc.cluster.local\r\nConnection: close\r\n\r\n";
    get(activator.http_addr(), request).await;
    // Ends the period, so that the request's revision has its gauge.
    let admin = activator.admin_addr();
    let mut text = String::new();
    for _ in 0..200 {
        text = get(
            admin,
            "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        )
        .await;
        let late = [
            "kn_revision_request_concurrency{",
            "activator_certificate_expiration",
        ];
        if late.iter().all(|late| text.contains(late)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let in_cluster = metrics_in_cluster();
    let shown: BTreeSet<&str> = text
        .lines()
        .chain(in_cluster.lines())
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split(' ').next())
        .filter(|name| !name.starts_with("process_"))
        .collect();
    assert!(shown.contains("kn_revision_request_concurrency"), "{text}");
    check(
        METRICS_PAGE,
        "metrics",
        &metrics_table(|name| shown.contains(name)),
    );
    // All others exist only by legacy names.
    let is_legacy = |name: &str| !shown.contains(name) && !name.starts_with("process_");
    check(METRICS_PAGE, "legacy metrics", &metrics_table(is_legacy));
    activator.stop().await;
}

fn metrics_table(is_listed: impl Fn(&str) -> bool) -> String {
    let mut table = "| metric | kind | labels | meaning |\n|---|---|---|---|\n".to_owned();
    for metric in METRICS.iter().filter(|metric| is_listed(metric.name)) {
        let labels: Vec<_> = metric
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let line = writeln!(
            table,
            "| `{}` | {} | {} | {} |",
            metric.name,
            metric.kind.as_str(),
            labels.join(", "),
            metric.help
        );
        line.expect("a string takes any text");
    }
    table
}

/// What an activator has besides when its revisions come from a cluster.
fn metrics_in_cluster() -> String {
    struct NoRevisions;
    impl RevisionLister for NoRevisions {
        fn revision(&self, _: &RevisionKey) -> Option<Revision> {
            None
        }
    }
    let exporter = Exporter::new("", Arc::new(NoRevisions));
    let metrics = exporter.cluster();
    metrics.watch_age(WatchKind::Revisions, Duration::ZERO);
    exporter.render([])
}

/// A file with a certificate and its key.
fn write_certificate() -> PathBuf {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
    let certified = certified.expect("a key and a certificate of it");
    let text = certified.cert.pem() + &certified.signing_key.serialize_pem();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme.pem");
    std::fs::write(&path, text).expect("the file can be written");
    path
}

async fn get(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it takes a request");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .await
        .expect("it answers in text");
    answer
}
