//! Clients that make up names: neither metrics nor memory grow with them.

use std::io::Write;
use std::ops::Range;

use super::scene::{Scene, backend, connect, read_until};

const COUNT: usize = 100_000;
/// How many requests are sent at once. The last one is served.
const BATCH: usize = 100;

const SERVED: &str = "Knative-Serving-Namespace: ns\r\nKnative-Serving-Revision: rev\r\n";

/// Makes up the headers of the request with this number.
type Headers = fn(usize) -> String;

/// Half of them name revisions, which do not exist.
fn hosts(index: usize) -> String {
    match index % 2 {
        0 => format!("Host: host-{index}.example\r\n"),
        _ => format!("Host: rev-{index}.ns-{index}.svc.cluster.local\r\n"),
    }
}

fn revisions(index: usize) -> String {
    format!(
        "Host: activator\r\nKnative-Serving-Namespace: ns-{index}\r\n\
         Knative-Serving-Revision: rev-{index}\r\n"
    )
}

/// Sends requests with different methods, paths and `headers`. Returns by how many bytes memory has grown.
fn send(scene: &Scene, numbers: Range<usize>, headers: Headers) -> i64 {
    let (held, ()) = scene.during(move |address| {
        let mut client = connect(1, address).remove(0);
        for first in numbers.step_by(BATCH) {
            let mut requests = String::new();
            for index in first..first + BATCH {
                let headers = match (index + 1) % BATCH {
                    0 => format!("Host: host-{index}.example\r\n{SERVED}"),
                    _ => headers(index),
                };
                requests += &format!("M{index} /{index} HTTP/1.1\r\n{headers}\r\n");
            }
            client.write_all(requests.as_bytes()).unwrap();
            read_until(&mut client, "hello");
        }
    });
    held.bytes_current
}

fn check(headers: Headers) {
    let scene = Scene::warm(backend(1));
    send(&scene, COUNT..COUNT + BATCH, headers);
    let (series, refused) = (scene.series(), scene.errors("revision_unknown"));
    let held = send(&scene, 0..COUNT, headers);
    assert_eq!(
        scene.errors("revision_unknown") - refused,
        (COUNT - COUNT / BATCH) as u64
    );
    assert_eq!(scene.series(), series);
    // One byte per request would be more.
    assert!(held < COUNT as i64 / 2, "{held} bytes more are held");
}

#[test]
fn a_hundred_thousand_hosts_leave_metrics_and_memory_as_they_were() {
    check(hosts);
}

#[test]
fn a_hundred_thousand_unknown_revisions_leave_metrics_and_memory_as_they_were() {
    check(revisions);
}
