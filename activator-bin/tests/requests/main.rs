//! Whatever a client sends, all that is served has one reading, and the next client is served.
//!
//! What must hold is the property of the fuzz target of the same name.

#![expect(clippy::unwrap_used, reason = "in a test an unwrap is an assertion")]

#[path = "../support/case.rs"]
#[expect(dead_code, reason = "only what clients send is of interest here")]
mod case;
#[path = "../../../fuzz/properties/requests.rs"]
mod requests;

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// What clients send in the cases of `tests/smuggling`.
static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/smuggling");
    let files = fs::read_dir(folder).expect("the cases are part of the project");
    let paths = files.map(|entry| entry.expect("it can be listed").path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "txt"))
        .collect();
    // A case that failed is found again by its number.
    paths.sort();
    let texts = paths
        .into_iter()
        .map(|path| fs::read_to_string(path).expect("it is text"));
    let cases = texts.flat_map(|text| case::parse(&text).1);
    cases.map(|case| case.bytes()).collect()
});

/// What requests are made of, and what breaks them.
const FRAGMENTS: [&str; 40] = [
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    "\n\n",
    "\0",
    " ",
    "\t",
    ":",
    ",",
    "GET / HTTP/1.1\r\n",
    "POST /a HTTP/1.1\r\n",
    "HEAD /b?c HTTP/1.1\r\n",
    "PUT /d HTTP/1.0\r\n",
    "GET http://hello.default.svc.c/e HTTP/1.1\r\n",
    "OPTIONS * HTTP/1.1\r\n",
    "CONNECT a:80 HTTP/1.1\r\n",
    "Host: hello.default.svc.c\r\n",
    "Host: nobody\r\n",
    "Host: hello.default.svc.c\n",
    "Content-Length: 5\r\n",
    "Content-Length: 0\r\n",
    "Content-Length: 05\r\n",
    "Content-Length: +5\r\n",
    "content-length: 3\n",
    "Content-Length : 5\r\n",
    "Content-Length: 5, 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "transfer-encoding:\tCHUNKED\n",
    "Transfer-Encoding: identity\r\n",
    "Connection: close\r\n",
    "Connection: upgrade\r\nUpgrade: x\r\n",
    "Expect: 100-continue\r\n",
    "X-A: b\r\n c\r\n",
    "Trailer: X-A\r\n",
    "5\r\nhello\r\n",
    "5;a=b\r\nhello\r\n",
    "0\r\n\r\n",
    "hello",
];

/// Requests without a fault, one or more of which a mutation begins with.
const VALID: [&str; 5] = [
    "GET /1 HTTP/1.1\r\nHost: hello.default.svc.c\r\n\r\n",
    "POST /2 HTTP/1.1\r\nHost: hello.default.svc.c\r\nContent-Length: 5\r\n\r\nhello",
    "POST /3 HTTP/1.1\r\nHost: hello.default.svc.c\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "HEAD /4 HTTP/1.1\r\nHost: hello.default.svc.c\r\n\r\n",
    "POST /5 HTTP/1.1\r\nHost: nobody\r\nContent-Length: 5\r\n\r\nhello",
];

fn fragments(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    vec(select(&FRAGMENTS[..]), count).prop_map(|parts| parts.concat().into_bytes())
}

/// Requests behind one another, here and there with something cut out or put in.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let valid = vec(select(&VALID[..]), 1..4).prop_map(|parts| parts.concat().into_bytes());
    let seed = any::<Index>().prop_map(|index| index.get(&SEEDS).clone());
    // Long heads are tried as they are.
    let seed = seed.prop_filter("short", |bytes| bytes.len() < 4_096);
    let damage = (any::<Index>(), 0..20_usize, fragments(0..3));
    (prop_oneof![valid, seed], vec(damage, 0..4)).prop_map(|(mut bytes, damages)| {
        for (at, length, insert) in damages {
            let start = at.index(bytes.len() + 1);
            let end = bytes.len().min(start + length);
            bytes.splice(start..end, insert);
        }
        bytes
    })
}

fn check(piece: u8, bytes: &[u8]) {
    requests::check(&[&[piece], bytes].concat());
}

#[test]
fn smuggling_cases_keep_the_property() {
    assert!(SEEDS.len() > 200, "only {} cases", SEEDS.len());
    for seed in SEEDS.iter() {
        // Printed with a failure only.
        println!("{}", seed[..seed.len().min(1_000)].escape_ascii());
        check(0, seed);
        check(7, seed);
    }
}

#[test]
fn fuzz_corpus_keeps_the_property() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/requests");
    let files = fs::read_dir(corpus).expect("the corpus is part of the project");
    let paths: Vec<_> = files
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    assert!(paths.len() >= 12, "only {} inputs were found", paths.len());
    for path in paths {
        println!("{}", path.display());
        requests::check(&fs::read(path).expect("an input can be read"));
    }
}

proptest! {
    #[test]
    fn damaged_requests(bytes in damaged(), piece: u8) {
        check(piece, &bytes);
    }

    #[test]
    fn assembled_fragments(bytes in fragments(0..12), piece: u8) {
        check(piece, &bytes);
    }

    #[test]
    fn arbitrary_bytes(bytes: Vec<u8>, piece: u8) {
        check(piece, &bytes);
    }
}
