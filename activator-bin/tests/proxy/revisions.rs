//! `/v1/revisions` on the admin port.

use std::net::SocketAddr;

use activator_bin::testing::Activator;

use crate::support::activator::{Ask, config, start_with};
use crate::support::backend::answering;
use crate::support::config::for_tests;
use crate::support::directory::Directory;
use crate::support::http1::{Client, HELLO, Message, OK};
use crate::support::tls::{Authority, reaching};

fn start(backends: &[SocketAddr], write: bool) -> Activator {
    let mut config = config(backends);
    config.admin.write = write;
    start_with(config)
}

async fn ask(activator: &Activator, request: &str, body: &str) -> Message {
    let mut client = Client::connect(activator.admin_addr()).await;
    let length = match body.is_empty() {
        true => String::new(),
        false => format!("Content-Length: {}\r\n", body.len()),
    };
    let head = format!("{request} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n");
    client.send(head + body).await;
    client.message().await
}

/// Each line is sent in turn, with the status and the body of the answer.
type Cases<'a> = &'a [(&'a str, &'a str, u16, &'a str)];

async fn check(write: bool, cases: Cases<'_>) {
    check_with(&start(&["127.0.0.1:1".parse().unwrap()], write), cases).await;
}

async fn check_with(activator: &Activator, cases: Cases<'_>) {
    for (request, body, status, expected) in cases {
        let answer = ask(activator, request, body).await;
        let expected = match expected.is_empty() {
            true => String::new(),
            false => format!("{expected}\n"),
        };
        assert_eq!(
            (answer.status(), answer.body),
            (*status, expected),
            "{request} {body}"
        );
    }
}

const SHOWN: &str = r#"{"backends":["127.0.0.1:1"],"configuration":"hello","container_concurrency":0,"name":"hello","namespace":"default","probe":"none","protocol":"auto","queue_depth":100,"service":"hello","timeout":"5m","tls":false}"#;
const BARE: &str = r#"{"backends":[],"container_concurrency":0,"name":"new","namespace":"ns","probe":"tcp","protocol":"auto","queue_depth":100,"timeout":"5m","tls":false}"#;

#[tokio::test]
async fn revisions_are_shown_set_and_removed() {
    let whole = r#"{"backends":["[::1]:80"],"configuration":"c","container_concurrency":3,"idle_timeout":"20ms","name":"hello","namespace":"default","probe":"none","protocol":"auto","queue_depth":4,"response_start_timeout":"1m 30s","service":"s","timeout":"10m","tls":false}"#;
    let both = format!(r#"{{"revisions":[{whole},{BARE}]}}"#);
    check(
        true,
        &[
            ("GET /v1/revisions/default/hello", "", 200, SHOWN),
            ("PUT /v1/revisions/default/hello", whole, 200, whole),
            ("PUT /v1/revisions/ns/new", "{}", 201, BARE),
            ("PUT /v1/revisions/ns/new", BARE, 200, BARE),
            ("GET /v1/revisions", "", 200, &both),
            ("DELETE /v1/revisions/default/hello", "", 204, ""),
            (
                "DELETE /v1/revisions/default/hello",
                "",
                404,
                "there is no revision default/hello",
            ),
            (
                "GET /v1/revisions/default/hello",
                "",
                404,
                "there is no revision default/hello",
            ),
            (
                "GET /v1/revisions",
                "",
                200,
                &format!(r#"{{"revisions":[{BARE}]}}"#),
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn hosts_are_shown_set_and_refused_if_another_revision_has_them() {
    let app = BARE.replace(
        "\"name\":\"new\"",
        "\"hosts\":[\"app.localhost\",\"*.app.localhost\",\"[::1]\"],\"name\":\"new\"",
    );
    let path = "/v1/revisions/ns/new";
    let (put, get, delete) = (
        format!("PUT {path}"),
        format!("GET {path}"),
        format!("DELETE {path}"),
    );
    let other = "PUT /v1/revisions/ns/other";
    let taken = r#"body: hosts: "app.localhost" is a host of ns/new already"#;
    let wrong = r#"body: hosts: "a:80" has a port; write "a", which is for every port"#;
    let no_list = r#"body: hosts: expected a list of hosts, like ["app.example.org", "*.example.org"], found 1"#;
    let free = BARE.replace("\"new\"", "\"other\"");
    let one = r#"{"hosts":["other.localhost","APP.localhost"]}"#;
    let moved = BARE.replace(
        "\"name\":\"new\"",
        "\"hosts\":[\"other.localhost\",\"app.localhost\"],\"name\":\"other\"",
    );
    check(
        true,
        &[
            (
                &put,
                r#"{"hosts": ["app.localhost", "*.App.localhost", "::1"]}"#,
                201,
                &app,
            ),
            (&get, "", 200, &app),
            (&put, &app, 200, &app),
            (other, one, 409, taken),
            (
                "GET /v1/revisions/ns/other",
                "",
                404,
                "there is no revision ns/other",
            ),
            (other, "{}", 201, &free),
            (other, one, 409, taken),
            ("GET /v1/revisions/ns/other", "", 200, &free),
            (other, r#"{"hosts": ["a:80"]}"#, 400, wrong),
            (other, r#"{"hosts": 1}"#, 400, no_list),
            (&delete, "", 204, ""),
            (other, one, 200, &moved),
        ],
    )
    .await;
}

#[tokio::test]
async fn without_admin_write_revisions_are_read_only() {
    let off = "changes through the admin port are disabled; [admin] write = true enables them";
    check(
        false,
        &[
            ("PUT /v1/revisions/default/hello", "{}", 403, off),
            ("DELETE /v1/revisions/default/hello", "", 403, off),
            ("GET /v1/revisions/default/hello", "", 200, SHOWN),
        ],
    )
    .await;
}

#[tokio::test]
async fn what_is_started_comes_from_the_file_only() {
    let file = "
        throttle.queue_depth = 100
        [[revision]]
        namespace = 'default'
        name = 'hello'
        command = ['app', '{port}']
        dir = '/srv'
        env = { TOKEN = 'secret' }
        max_scale = 2
    ";
    let only = "comes from the file only, like all that says how instances are started";
    let put = "PUT /v1/revisions/default/hello";
    let new = "PUT /v1/revisions/default/new";
    for write in [true, false] {
        let mut config = for_tests(file);
        config.admin.write = write;
        let activator = start_with(config);
        for field in [
            "command",
            "args",
            "dir",
            "env",
            "user",
            "start_command",
            "stop_command",
        ] {
            let body = format!(r#"{{"{field}": "x", "unknown": 1}}"#);
            let expected = format!("body: {field}: {only}");
            check_with(
                &activator,
                &[(put, &body, 400, &expected), (new, &body, 400, &expected)],
            )
            .await;
        }
        let shown = ask(&activator, "GET /v1/revisions/default/hello", "").await;
        assert!(shown.body.contains(r#""env":["TOKEN"]"#), "{}", shown.body);
        assert!(!shown.body.contains("secret"), "{}", shown.body);
    }
    let mut config = for_tests(file);
    config.admin.write = true;
    let activator = start_with(config);
    let started = "the instances of default/hello are started here, as the file says: change it there, or DELETE it first";
    let launch = "body: launch: comes from the file and cannot be set";
    let two = format!("body: max_scale: {only}\nbody: ready: {only}");
    check_with(
        &activator,
        &[
            (put, "{}", 409, started),
            (new, r#"{"launch": {}}"#, 400, launch),
            (new, r#"{"ready": "tcp", "max_scale": 1}"#, 400, &two),
            ("DELETE /v1/revisions/default/hello", "", 204, ""),
            (
                put,
                "{}",
                201,
                &BARE.replace("ns", "default").replace("new", "hello"),
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn bad_body_is_refused_with_all_errors() {
    let put = "PUT /v1/revisions/default/hello";
    let wrong = r#"{"nam": 1, "name": "other", "service": "A", "probe": "http", "queue_depth": 1.5,
        "container_concurrency": -1, "backends": ["127.0.0.1:80", "x", 7, "127.0.0.1:80", "127.0.0.1:0"]}"#;
    let problems = r#"body: backends[1]: expected an IP address and a port, like "127.0.0.1:8012", found "x"
body: backends[2]: expected an IP address and a port, like "127.0.0.1:8012", found 7
body: backends[3]: "127.0.0.1:80" is listed twice
body: backends[4]: "127.0.0.1:0" has port 0, which cannot be connected to
body: container_concurrency: expected a whole number from 0 to 1000000, found -1
body: nam: unknown field; did you mean "name"?
body: name: expected "hello", as in the path, found "other"
body: probe: expected "knative" or "tcp" or "none", found "http"
body: queue_depth: expected a whole number from 0 to 100000000, found 1.5
body: service: "A": 'A' at byte 0 is not a lower-case letter, a digit, '-' or '.'"#;
    let key = "path: namespace \"a.b\": '.' at byte 1 is not a lower-case letter, a digit or '-'";
    let deep = "[".repeat(100_000);
    check(
        true,
        &[
            (put, wrong, 400, problems),
            (put, "[]", 400, "body: expected an object, found a list"),
            (
                put,
                "{\"backends\": {}}",
                400,
                "body: backends: expected a list of addresses, like [\"10.0.0.1:8012\"], found an object",
            ),
            (
                put,
                "",
                400,
                "body: is not JSON: EOF while parsing a value at line 1 column 0",
            ),
            (
                put,
                &deep,
                400,
                "body: is not JSON: recursion limit exceeded at line 1 column 128",
            ),
            ("PUT /v1/revisions/a.b/hello", "{}", 400, key),
            ("GET /v1/revisions/a.b/hello", "", 400, key),
            ("POST /v1/revisions/default/hello", "{}", 405, ""),
            ("DELETE /v1/revisions", "", 405, ""),
            ("GET /v1/revisions/default", "", 404, ""),
            ("GET /v1/revisions/default/hello", "", 200, SHOWN),
        ],
    )
    .await;
}

#[tokio::test]
async fn body_above_1_mib_is_refused() {
    let large = " ".repeat((1 << 20) + 1);
    let fits = format!("{}{{}}", " ".repeat((1 << 20) - 2));
    let path = "PUT /v1/revisions/ns/new";
    let refusal = "the body is larger than 1024 KiB";
    check(
        true,
        &[(path, &large, 413, refusal), (path, &fits, 201, BARE)],
    )
    .await;
}

#[tokio::test]
async fn changes_take_effect_at_once() {
    let (first, mut at_first) = answering(OK).await;
    let (second, mut at_second) = answering(OK).await;
    let activator = start(&[first], true);
    let mut client = activator.connect().await;
    let get = format!("GET / HTTP/1.1\r\n{HELLO}");
    assert_eq!(client.ask(&get).await.status(), 200);
    assert!(at_first.recv().await.is_some());
    let path = "/v1/revisions/default/hello";
    let body = format!(r#"{{"backends": ["{second}"]}}"#);
    let answer = ask(&activator, &format!("PUT {path}"), &body).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(client.ask(&get).await.status(), 200);
    assert!(
        at_first.is_empty(),
        "no request goes to a backend that is gone"
    );
    assert!(at_second.recv().await.is_some());
    let answer = ask(&activator, &format!("DELETE {path}"), "").await;
    assert_eq!(answer.status(), 204);
    assert_eq!(client.ask(&get).await.status(), 404);
}

#[tokio::test]
async fn tls_revision_without_a_ca_file_is_refused() {
    let (authority, directory) = (Authority::new("ours"), Directory::new());
    let backend = "127.0.0.1:1".parse().unwrap();
    let mut config = reaching(backend, &directory, &authority, None);
    config.revisions[0].tls = false;
    config.admin.write = true;
    let put = async |config| {
        let activator = start_with(config);
        ask(
            &activator,
            "PUT /v1/revisions/default/hello",
            r#"{"tls":true}"#,
        )
        .await
    };
    assert_eq!(put(config.clone()).await.status(), 200);
    config.backend_tls.ca_file = None;
    let answer = put(config).await;
    let why = "body: tls: needs ca_file in [backend_tls], which was not set at startup\n";
    assert_eq!((answer.status(), &*answer.body), (400, why));
}

#[tokio::test]
async fn foreign_hosts_and_origins_cannot_write() {
    let mut config = config(&[]);
    config.admin.write = true;
    config.admin.hosts = vec!["activator.example".to_owned()];
    let activator = start_with(config);
    let mut client = Client::connect(activator.admin_addr()).await;
    let path = "/v1/revisions/default/hello";
    for (head, status) in [
        ("Host: evil.example", 403),
        ("Host: evil.example\r\nOrigin: http://evil.example", 403),
        ("Host: localhost\r\nOrigin: http://evil.example", 403),
        ("Host: localhost\r\nOrigin: null", 403),
        ("Host: localhost\r\nHost: localhost", 403),
        ("Host: Activator.Example:9090", 200),
        ("Host: [::1]\r\nOrigin: http://[::1]", 200),
    ] {
        let get = format!("GET {path} HTTP/1.1\r\n{head}\r\n");
        assert_eq!(client.ask(&get).await.status(), 200, "{head}");
        let put = format!("PUT {path} HTTP/1.1\r\n{head}\r\nContent-Length: 2\r\n\r\n{{}}");
        client.send(put).await;
        assert_eq!(client.message().await.status(), status, "{head}");
    }
    let delete = format!("DELETE {path} HTTP/1.1\r\nHost: evil.example\r\n");
    let answer = client.ask(&delete).await;
    assert_eq!(answer.status(), 403);
    let why = "changes are not accepted for the host \"evil.example\": use an IP address or localhost, or list it in [admin] hosts\n";
    assert_eq!(answer.body, why);
}
