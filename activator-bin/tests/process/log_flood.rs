//! The program while something makes it log without an end.

use std::io::{BufRead, BufReader, Read, Write};

use crate::program::{Program, activator};
use crate::sockets::{connect, listener};

#[test]
fn some_lines_of_a_flood_are_dropped_and_counted() {
    let (admin, address) = listener();
    drop(admin);
    let program = Program::start(activator(address).args(["--admin-write", "true"]));
    program.logs("serving, try: ");
    let mut stream = BufReader::new(connect(address));
    for number in 0..1_000 {
        let body = format!(r#"{{"queue_depth": {number}}}"#);
        let request = format!(
            "PUT /v1/revisions/default/flood HTTP/1.1\r\nHost: {address}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.get_mut().write_all(request.as_bytes()).unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(stream.read_line(&mut head).unwrap(), 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 20"), "{head}");
        let length = head.to_lowercase();
        let length = length
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        stream.read_exact(&mut body).unwrap();
    }
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.get_mut().write_all(request.as_bytes()).unwrap();
    let mut metrics = String::new();
    stream.read_to_string(&mut metrics).unwrap();
    let dropped = metrics
        .lines()
        .find_map(|line| line.strip_prefix("activator_log_lines_dropped_total "));
    let dropped: usize = dropped.unwrap().parse().unwrap();
    assert!(dropped > 0);
    program.signal("TERM");
    let mut written = 0;
    while !program.next_line().contains("SIGTERM") {
        written += 1;
    }
    // Each was written or counted; there is one more for what was left out, or a few.
    assert!(written >= 1_000 - dropped, "{written} and {dropped}");
    assert!(written < 1_000, "{written}");
}
