//! Request targets that are clear, although a URI would be written differently or is never so long.

use crate::support::activator::{Ask, config, start, start_with};
use crate::support::backend::answering;
use crate::support::http1::{HELLO, OK};

/// What clients send, and what backends get.
const TARGETS: [(&str, &str); 12] = [
    ("/", "/"),
    ("/?filter={\"a\":\"b\"}", "/?filter={\"a\":\"b\"}"),
    ("/a\"b", "/a\"b"),
    ("/a", "/a"),
    ("/?a=<b>", "/?a=<b>"),
    ("/<a>/`b`", "/<a>/`b`"),
    ("/a^b|c\\d[e]", "/a^b|c\\d[e]"),
    ("http://proxy/<a>?\"b\"", "/<a>?\"b\""),
    ("http://proxy?\"b\"", "/?\"b\""),
    ("/\u{e4}", "/\u{e4}"),
    ("/\u{f8ff}\u{10ffff}?_\"", "/\u{f8ff}\u{10ffff}?_\""),
    ("/_?_", "/_?_"),
];

#[tokio::test]
async fn odd_targets_are_kept() {
    let (address, mut requests) = answering(OK).await;
    let activator = start(&[address]);
    let mut client = activator.connect().await;
    for (sent, seen) in TARGETS.iter().chain(&TARGETS) {
        let body = "Content-Length: 5\r\n\r\n/\"#\"/";
        client
            .send(format!("PUT {sent} HTTP/1.1\r\n{HELLO}{body}"))
            .await;
        assert_eq!(client.message().await.status(), 200, "{sent}");
        let request = requests.recv().await.unwrap();
        assert_eq!(request.first_line, format!("PUT {seen} HTTP/1.1"));
        assert_eq!(request.body, "/\"#\"/");
    }
}

#[tokio::test]
async fn odd_targets_are_kept_byte_by_byte() {
    let (address, mut requests) = answering(OK).await;
    let activator = start(&[address]);
    let mut client = activator.connect().await;
    client.socket.set_nodelay(true).unwrap();
    for (sent, seen) in TARGETS {
        for byte in format!("GET {sent} HTTP/1.1\r\n{HELLO}\r\n").as_bytes() {
            client.send([*byte]).await;
        }
        assert_eq!(client.message().await.status(), 200, "{sent}");
        let request = requests.recv().await.unwrap();
        assert_eq!(request.first_line, format!("GET {seen} HTTP/1.1"));
    }
}

#[tokio::test]
async fn targets_may_be_as_long_as_heads() {
    let (address, mut requests) = answering(OK).await;
    let mut config = config(&[address]);
    config.limits.max_header_size = 256 * 1024;
    let activator = start_with(config);
    let mut client = activator.connect().await;
    for length in [65_533, 65_534, 65_535, 65_536, 255 * 1024] {
        for prefix in ["", "http://proxy"] {
            let target = format!("/{}", "a".repeat(length - 1));
            let head = format!("GET {prefix}{target} HTTP/1.1\r\n{HELLO}");
            assert_eq!(client.ask(&head).await.status(), 200, "{length}");
            let request = requests.recv().await.unwrap();
            assert!(request.first_line == format!("GET {target} HTTP/1.1"));
        }
    }
    let head = format!("GET /{} HTTP/1.1\r\n{HELLO}", "a".repeat(256 * 1024));
    assert_eq!(client.ask(&head).await.status(), 431);
}

#[tokio::test]
async fn target_with_a_fragment_is_refused() {
    let (address, mut requests) = answering(OK).await;
    let activator = start(&[address]);
    for target in ["/a#.png", "/#", "http://proxy#x", "/?a#b", "/\"#"] {
        let mut client = activator.connect().await;
        let answer = client.get(target).await;
        assert_eq!(answer.status(), 400);
        assert!(answer.body.contains("fragment"), "{}", answer.body);
        assert_eq!(client.rest().await.0, "");
    }
    assert!(requests.try_recv().is_err());
}
