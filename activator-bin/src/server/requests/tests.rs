//! Heads and bodies in pieces of all sizes.

use bytes::Bytes;
use http_body_util::{Empty, Full, StreamBody};

use super::*;

const LIMIT: usize = 100_000;

/// What hyper gets of `bytes` that arrive in pieces of `piece` bytes, up to the end of a head or body.
fn read(requests: &mut Requests, bytes: &[u8], piece: usize) -> (Vec<u8>, usize) {
    let (mut handed, mut used) = (Vec::new(), 0);
    let is_body = requests.at != At::Start;
    for piece in bytes.chunks(piece) {
        let mut piece = piece.to_vec();
        let taken = requests.take(&mut piece);
        handed.extend_from_slice(&piece[..taken.handed]);
        used += taken.used;
        // Hyper does not read more before it has processed this.
        if requests.at == At::HeadEnd || is_body && requests.at == At::Start {
            break;
        }
    }
    (handed, used)
}

fn target(requests: &mut Requests) -> Option<Target> {
    let mut request = Request::new(Empty::<Bytes>::new());
    requests.on_request(&mut request);
    request.extensions_mut().remove()
}

fn pieces(length: usize) -> impl Iterator<Item = usize> {
    (1..40).chain([length])
}

#[track_caller]
fn check(line: &str, hyper: &str, path: Option<&str>) {
    let [head, hyper] = [line, hyper].map(|line| format!("{line}\r\nHost: a\r\n\r\n"));
    let all = format!("{head}GET /next");
    for piece in pieces(all.len()) {
        let mut requests = Requests::new(LIMIT);
        let (handed, used) = read(&mut requests, all.as_bytes(), piece);
        assert_eq!((handed, used), (hyper.clone().into_bytes(), head.len()));
        let path = path.map(|path| Target::new(Bytes::copy_from_slice(path.as_bytes())));
        assert_eq!(target(&mut requests), path);
    }
}

#[test]
fn hyper_gets_a_head_unchanged_unless_its_target_is_odd() {
    check("GET / HTTP/1.1", "GET / HTTP/1.1", None);
    check("\r\n\nGET /a?b HTTP/1.1", "\r\n\nGET /a?b HTTP/1.1", None);
    check("GET http://a/b HTTP/1.0", "GET http://a/b HTTP/1.0", None);
    let odd = "/<a>?\"b\"`\u{e4}";
    check(
        &format!("GET {odd} HTTP/1.1"),
        "GET /_a_?_b____ HTTP/1.1",
        Some(odd),
    );
    check(
        "PUT http://a:80/b?\"> HTTP/1.1",
        "PUT http://a:80/b?__ HTTP/1.1",
        Some("/b?\">"),
    );
    check(
        "GET http://a?\" HTTP/1.1",
        "GET http://a?_ HTTP/1.1",
        Some("?\""),
    );
    // Refused by hyper.
    check("GET http://<a>/ HTTP/1.1", "GET http://<a>/ HTTP/1.1", None);
    check("GET a<b HTTP/1.1", "GET a<b HTTP/1.1", None);
    check("GET /\0\" HTTP/1.1", "GET /\0\" HTTP/1.1", None);
    check("GET", "GET", None);
}

#[test]
fn hyper_gets_as_much_of_a_long_target_as_it_accepts() {
    let (path, held) = ("a".repeat(LONGEST), "a".repeat(LONGEST - 1));
    for piece in [1_000, LONGEST + 3, LIMIT] {
        let mut requests = Requests::new(LIMIT);
        let head = format!("GET /{path} HTTP/1.1\r\n\r\n");
        let (handed, used) = read(&mut requests, head.as_bytes(), piece);
        assert_eq!(used, head.len());
        assert!(handed == format!("GET /{held} HTTP/1.1\r\n\r\n").into_bytes());
        let path = Target::new(format!("/{path}").into());
        assert!(target(&mut requests) == Some(path));
    }
}

#[test]
fn a_head_that_is_too_long_is_refused_although_hyper_does_not_see_all_of_it() {
    let (path, value) = ("a".repeat(LONGEST + 1), "a".repeat(LIMIT - LONGEST));
    for piece in [1, 1_000, 2 * LIMIT] {
        let mut requests = Requests::new(LIMIT);
        let head = format!("GET /{path} HTTP/1.1\r\na: {value}\r\n\r\n");
        read(&mut requests, head.as_bytes(), piece);
        assert_eq!(requests.fault(), Some(Fault::TooLarge));
    }
}

#[test]
fn a_fragment_is_refused_anywhere_in_a_target() {
    for target in ["/a#b", "#", "/#", "/?a#", "http://a#b", "*#", "a:80#"] {
        let head = format!("GET {target} HTTP/1.1\r\n\r\n");
        for piece in pieces(head.len()) {
            let mut requests = Requests::new(LIMIT);
            let (_, used) = read(&mut requests, head.as_bytes(), piece);
            assert_eq!(requests.fault(), Some(Fault::Fragment), "{target}");
            assert!(used < head.len());
        }
    }
    let mut requests = Requests::new(LIMIT);
    read(&mut requests, b"#M / HTTP/1.1#\r\n#: #\r\n\r\n", 100);
    assert_eq!(requests.fault(), None);
}

#[test]
fn a_body_is_not_part_of_a_head() {
    let body = b"5\r\nGET #\r\n0\r\n\r\n";
    let end = || Requests {
        at: At::HeadEnd,
        ..Requests::new(LIMIT)
    };
    let all = [&body[..], b"GET /"].concat();
    for piece in pieces(all.len()) {
        let mut requests = end();
        let full = Full::new(Bytes::from_static(body));
        requests.on_request(&mut Request::new(full));
        assert_eq!(
            read(&mut requests, &all, piece),
            (body.to_vec(), body.len())
        );
        let mut requests = end();
        let stream = StreamBody::new(futures_util::stream::pending::<
            Result<http_body::Frame<Bytes>, std::convert::Infallible>,
        >());
        requests.on_request(&mut Request::new(stream));
        assert_eq!(
            read(&mut requests, &all, piece),
            (body.to_vec(), body.len())
        );
    }
}

#[test]
fn nothing_is_read_after_a_head_that_hyper_has_not_parsed() {
    let mut requests = Requests::new(LIMIT);
    read(&mut requests, b"GET / HTTP/1.1\r\n\r\n", 100);
    assert_eq!(requests.take(&mut b"a".to_vec()), Taken::default());
    requests.on_request(&mut Request::new(Empty::<Bytes>::new()));
    requests.on_request(&mut Request::new(Empty::<Bytes>::new()));
    assert_eq!(requests.take(&mut b"a".to_vec()), Taken::default());
}
