//! Requests that find no revision.

use activator_bin::testing::{Config, HostPattern};

use crate::support::activator::{Ask, config, start, start_with};
use crate::support::backend::answering;
use crate::support::http1::{HELLO, OK};
use crate::support::http2::{Http2Client, patiently};

async fn check(request: &str, status: u16, text: &str) {
    let (address, _requests) = answering(OK).await;
    let activator = start(&[address]);
    let mut client = activator.connect().await;
    let answer = client.ask(request).await;
    assert_eq!(
        (answer.status(), &*answer.body),
        (status, text),
        "{request}"
    );
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(activator.reporter().tracked_keys(), 0, "{request}");
}

#[tokio::test]
async fn unknown_revision_is_named_in_the_404() {
    let choose = |namespace: &str, revision: &str| {
        format!(
            "GET / HTTP/1.1\r\nHost: x\r\nKnative-Serving-Namespace: {namespace}\r\nKnative-Serving-Revision: {revision}\r\n"
        )
    };
    let start = "Error getting active endpoint: revision.serving.knative.dev";
    let nameless = |name: &str, host: &str| {
        format!(
            "{start} {name:?} not found: the request names no revision. Send knative-serving-namespace and knative-serving-revision, a Host that a revision has in hosts, or the Host name.namespace.svc.cluster.local (it was {host:?})\n"
        )
    };
    for (request, text) in [
        (
            choose("default", "nobody"),
            format!("{start} \"nobody\" not found: there is no revision default/nobody\n"),
        ),
        (
            choose("other", "hello"),
            format!("{start} \"hello\" not found: there is no revision other/hello\n"),
        ),
        (
            choose("default", "Hello"),
            format!(
                "{start} \"Hello\" not found: name \"Hello\": 'H' at byte 0 is not a lower-case letter, a digit, '-' or '.'\n"
            ),
        ),
        (
            choose("a/b", "hello"),
            format!(
                "{start} \"hello\" not found: namespace \"a/b\": '/' at byte 1 is not a lower-case letter, a digit or '-'\n"
            ),
        ),
        (
            choose("default", "h\u{e4}"),
            format!(
                "{start} \"h\u{e4}\" not found: name \"h\u{e4}\": '\u{e4}' at byte 1 is not a lower-case letter, a digit, '-' or '.'\n"
            ),
        ),
        (choose("default", ""), nameless("", "x")),
        (
            "GET / HTTP/1.1\r\nHost: localhost:8012\r\n".into(),
            nameless("", "localhost:8012"),
        ),
        ("GET / HTTP/1.1\r\nHost:\r\n".into(), nameless("", "")),
        (
            "GET / HTTP/1.1\r\nHost: nobody.default.svc.cluster.local\r\n".into(),
            format!("{start} \"nobody\" not found: there is no revision default/nobody\n"),
        ),
    ] {
        check(&request, 404, &text).await;
    }
}

#[tokio::test]
async fn long_names_give_short_responses() {
    let (address, _requests) = answering(OK).await;
    let activator = start(&[address]);
    let long = "x".repeat(30_000);
    for headers in [
        format!("Host: {long}\r\n"),
        format!(
            "Host: x\r\nKnative-Serving-Namespace: {long}\r\nKnative-Serving-Revision: {long}\r\n"
        ),
    ] {
        let mut client = activator.connect().await;
        let answer = client.ask(&format!("GET / HTTP/1.1\r\n{headers}")).await;
        assert_eq!(answer.status(), 404);
        assert!(answer.body.len() < 1_000, "{}", answer.body);
    }
}

#[tokio::test]
async fn host_selects_the_revision() {
    for host in [
        "hello.default.svc.cluster.local",
        "hello.default.svc.cluster.local:8012",
        "Hello.Default.svc.Cluster.Local.",
    ] {
        let (address, mut requests) = answering(OK).await;
        let activator = start(&[address]);
        let mut client = activator.connect().await;
        let answer = client
            .ask(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n"))
            .await;
        assert_eq!(answer.status(), 200);
        let seen = requests.recv().await.unwrap();
        assert_eq!(seen.header("k-original-host"), Some(host));
    }
}

/// `default/hello` and, at the other backend, `default/app`, which lists `hosts`.
fn with_hosts(backends: [std::net::SocketAddr; 2], hosts: &[&str]) -> Config {
    let mut config = config(&backends[..1]);
    let mut app = config.revisions[0].clone();
    app.key = "default/app".parse().unwrap();
    app.backends = backends[1..].to_vec();
    let hosts = hosts.iter().map(|host| HostPattern::parse(host).unwrap());
    app.hosts = hosts.collect();
    config.revisions.push(app);
    config
}

#[tokio::test]
async fn a_listed_host_selects_its_revision() {
    let ((hello, mut at_hello), (app, mut at_app)) = (answering(OK).await, answering(OK).await);
    let hosts = ["app.localhost", "*.app.example.org", "[::1]"];
    let activator = start_with(with_hosts([hello, app], &hosts));
    let mut client = activator.connect().await;
    for (head, expected) in [
        ("Host: app.localhost", Some("default/app")),
        ("Host: App.Localhost.:8012", Some("default/app")),
        ("Host: a.b.app.example.org", Some("default/app")),
        ("Host: [::1]:8012", Some("default/app")),
        ("Host: app.default.svc.cluster.local", Some("default/app")),
        (
            "Host: hello.default.svc.cluster.local",
            Some("default/hello"),
        ),
        (HELLO.trim_end(), Some("default/hello")),
        ("Host: app.example.org", None),
        ("Host: localhost", None),
    ] {
        let answer = client.ask(&format!("GET / HTTP/1.1\r\n{head}\r\n")).await;
        let status = if expected.is_some() { 200 } else { 404 };
        assert_eq!(answer.status(), status, "{head}");
        let seen = match expected {
            None => continue,
            Some("default/app") => at_app.recv().await.unwrap(),
            Some(_) => at_hello.recv().await.unwrap(),
        };
        let host = head.strip_prefix("Host: ").unwrap().split('\r').next();
        assert_eq!(seen.header("k-original-host"), host);
        let at_backend = match expected {
            Some("default/app") => host.unwrap().to_owned(),
            _ => hello.to_string(),
        };
        assert_eq!(seen.header("host"), Some(&*at_backend));
        assert!(at_app.is_empty() && at_hello.is_empty());
    }
    let client = Http2Client::connect(&activator).await;
    let request = http::Request::get("http://app.localhost:8012/").body(());
    let (answer, _) = client.send(request.unwrap(), true).await;
    assert_eq!(patiently(answer).await.unwrap().status(), 200);
    assert!(at_app.recv().await.is_some());
}

#[tokio::test]
async fn no_name_is_trusted_when_only_hosts_may_choose() {
    let ((hello, mut at_hello), (app, mut at_app)) = (answering(OK).await, answering(OK).await);
    let mut config = with_hosts(
        [hello, app],
        &["app.localhost", "name.default.svc.cluster.local"],
    );
    config.trust_knative_headers = false;
    let activator = start_with(config);
    let mut client = activator.connect().await;
    let unknown = |host: &str| {
        format!(
            "Error getting active endpoint: revision.serving.knative.dev \"\" not found: no revision has the Host {host:?} in hosts\n"
        )
    };
    let named = HELLO.split_once("\r\n").unwrap().1;
    for host in ["proxy", "hello.default.svc.cluster.local"] {
        let answer = client
            .ask(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n{named}"))
            .await;
        assert_eq!((answer.status(), answer.body), (404, unknown(host)));
    }
    for host in ["app.localhost", "name.default.svc.cluster.local"] {
        let lies = "K-Original-Host: other.example\r\nK-Proxy-Request: queue\r\n";
        let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\n{named}{lies}");
        assert_eq!(client.ask(&head).await.status(), 200);
        let seen = at_app.recv().await.unwrap();
        for (name, expected) in [
            ("k-original-host", Some(host)),
            ("k-proxy-request", Some("activator")),
            ("knative-serving-namespace", None),
            ("knative-serving-revision", None),
        ] {
            assert_eq!(seen.header(name), expected, "{name}");
        }
    }
    assert!(at_hello.try_recv().is_err());
}

#[tokio::test]
async fn unforwardable_requests_are_refused_and_not_counted() {
    let hello = "Knative-Serving-Namespace: default\r\nKnative-Serving-Revision: hello\r\n";
    for (request, status, text) in [
        (
            "CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n",
            502,
            "CONNECT is not supported\n",
        ),
        (
            "GET / HTTP/1.1\r\n",
            400,
            "the request has no host header\n",
        ),
        (
            "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n",
            400,
            "the request has 2 host headers instead of one\n",
        ),
        (
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n",
            501,
            "chunked is the only supported transfer coding\n",
        ),
    ] {
        check(&format!("{request}{hello}"), status, text).await;
    }
}
