//! What must hold for any bytes that a client sends to the data port.
//!
//! The first byte determines the size of the pieces in which the others are sent. They go through real sockets to an
//! activator in this process, and from there to a backend that records what it gets.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use activator_bin::testing::{Activator, Options};

#[path = "requests/answers.rs"]
mod answers;
#[path = "requests/backend.rs"]
mod backend;
#[path = "../../activator-bin/tests/support/config.rs"]
mod config;
#[path = "requests/reading.rs"]
mod reading;
#[path = "../../activator-bin/tests/support/recorder.rs"]
mod recorder;
#[path = "../../activator-bin/tests/support/strict.rs"]
mod strict;

use answers::{Answer, answers};
use backend::{RESPONSE, requests};
use config::for_tests;
use reading::{Reading, Request};
use recorder::Recorder;

/// Longer than anything here takes. A longer wait is a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// The rest is sent in one piece.
const PIECES: usize = 100;

const LAST: &[u8] = b"GET /last HTTP/1.1\r\nHost: hello.default.svc.c\r\nConnection: close\r\n\r\n";

static SCENE: LazyLock<Mutex<Scene>> = LazyLock::new(|| Mutex::new(Scene::start()));

/// Whether a thread of the activator has panicked, which its runtime hides.
static HAS_PANICKED: AtomicBool = AtomicBool::new(false);

/// Panics if it does not hold.
pub(crate) fn check(bytes: &[u8]) {
    let Some((&piece, bytes)) = bytes.split_first() else {
        return;
    };
    let mut scene = SCENE.lock().unwrap_or_else(|poisoned| {
        SCENE.clear_poison();
        let scene = poisoned.into_inner();
        // Discards what a failed input has left behind.
        scene.backend.saw();
        scene
    });
    let mut reading = reading::read(bytes);
    let is_http2 = bytes.starts_with(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    // What this looks like in HTTP/1 does not say who ends the connection.
    reading.has_end &= !is_http2;
    let got = scene.converse(bytes, piece, &reading);
    scene.until_idle();
    let saw = requests(&scene.backend);
    // The responses are frames.
    if !is_http2 {
        let (answers, rest) = answers(&got, &reading.methods);
        assert_eq!(rest, 0, "a response is cut: {}", got.escape_ascii());
        compare(&answers, reading.requests, saw);
        scene.check_counted(bytes, &answers);
    }
    scene.check_last();
    assert!(
        !HAS_PANICKED.load(Ordering::Relaxed),
        "a thread has panicked"
    );
}

/// Each response of the backend belongs to a request of the client, and the backend has seen no other requests.
fn compare(answers: &[Answer], requests: Vec<Request>, saw: Vec<Request>) {
    let beyond = answers.get(requests.len()..).unwrap_or_default();
    let is_refusal = |answer: &Answer| answer.status >= 400 && !answer.is_from_backend;
    assert!(
        beyond.len() <= 1 && beyond.iter().all(is_refusal),
        "something other than a request got a response"
    );
    let served = requests.into_iter().zip(answers);
    let served = served.filter(|(_, answer)| answer.is_from_backend);
    let served: Vec<_> = served.map(|(request, _)| plain(request)).collect();
    assert_eq!(
        saw, served,
        "the backend sees what is served and nothing else"
    );
}

/// As a server sees it: the target as path and query.
fn plain(mut request: Request) -> Request {
    let target = &request.target;
    let path = match target.split_once("://") {
        Some((_, rest)) if !target.starts_with('/') => {
            let (path, slash) = match rest.find(['/', '?']) {
                Some(at) => (
                    &rest[at..],
                    if rest[at..].starts_with('/') { "" } else { "/" },
                ),
                None => ("", "/"),
            };
            format!("{slash}{path}")
        }
        _ => target.clone(),
    };
    request.target = path;
    request
}

struct Scene {
    activator: Activator,
    backend: Recorder,
    /// The error count before this input.
    errors: u64,
}

impl Scene {
    fn start() -> Self {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if thread::current()
                .name()
                .is_some_and(|name| name.starts_with("worker-"))
            {
                HAS_PANICKED.store(true, Ordering::Relaxed);
            }
            before(panic);
        }));
        let backend = Recorder::start(RESPONSE);
        let text = format!(
            "workers = 1\ncluster_domain = \"c\"\n\
             [[revision]]\nnamespace = \"default\"\nname = \"hello\"\nprobe = \"none\"\n\
             container_concurrency = 1\nbackends = [\"{}\"]\n",
            backend.address
        );
        let activator = Activator::start(for_tests(&text), Options::default());
        Self {
            activator: activator.unwrap_or_else(|error| panic!("{error}")),
            backend,
            errors: 0,
        }
    }

    /// Sends `bytes` and returns what comes back until the connection ends.
    fn converse(&self, bytes: &[u8], piece: u8, reading: &Reading) -> Vec<u8> {
        let mut socket = connect(self.activator.http_addr());
        let piece = match piece {
            0 => bytes.len(),
            piece => usize::from(piece).max(bytes.len() / PIECES),
        };
        for piece in bytes.chunks(piece.max(1)) {
            // A refusal may close the connection before everything has arrived.
            if socket.write_all(piece).is_err() {
                break;
            }
            thread::yield_now();
        }
        let mut got = Vec::new();
        let is_enough = |got: &[u8]| {
            let (answers, _) = answers(got, &reading.methods);
            !reading.has_end && answers.len() >= reading.requests.len()
        };
        while !is_enough(&got) && read_more(&mut socket, &mut got) {}
        // It may already be closed.
        let _ = socket.shutdown(Shutdown::Write);
        while read_more(&mut socket, &mut got) {}
        got
    }

    /// Waits until nothing is in flight or queued.
    fn until_idle(&self) {
        let key = "default/hello".parse().expect("it is a key");
        let in_flight = || self.activator.reporter().in_flight(&key).unwrap_or(0);
        let begin = Instant::now();
        // The worker does not signal when it is done.
        while in_flight() > 0 {
            assert!(begin.elapsed() < PATIENCE, "{} stay in flight", in_flight());
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Each refusal is counted.
    fn check_counted(&mut self, bytes: &[u8], answers: &[Answer]) {
        let metrics = exchange(
            self.activator.admin_addr(),
            b"GET /metrics HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n",
        );
        let errors = metrics
            .lines()
            .filter(|line| line.starts_with("activator_errors_total{"));
        let numbers = errors.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
        let errors = numbers.sum::<u64>();
        let counted = errors - std::mem::replace(&mut self.errors, errors);
        // Errors of probes are reported only to their sender.
        if bytes
            .to_ascii_lowercase()
            .windows(5)
            .any(|part| part == b"probe")
        {
            return;
        }
        let is_own = |answer: &&Answer| answer.status >= 400 && !answer.is_from_backend;
        let told = answers.iter().filter(is_own).count();
        assert!(
            counted >= told as u64,
            "{counted} errors are counted, {told} were reported"
        );
    }

    /// Whatever happened before, the next client is served.
    fn check_last(&self) {
        let answer = exchange(self.activator.http_addr(), LAST);
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("ok"),
            "{answer:?}"
        );
        let expected = Request {
            method: "GET".to_owned(),
            target: "/last".to_owned(),
            body: Vec::new(),
        };
        assert_eq!(requests(&self.backend), [expected]);
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).expect("the activator accepts");
    socket.set_nodelay(true).expect("it is a socket");
    socket
        .set_read_timeout(Some(PATIENCE))
        .expect("it is a time");
    socket
        .set_write_timeout(Some(PATIENCE))
        .expect("it is a time");
    socket
}

/// False at the end, which may be a reset if not everything sent was read.
fn read_more(socket: &mut TcpStream, got: &mut Vec<u8>) -> bool {
    let mut part = [0; 16 * 1024];
    match socket.read(&mut part) {
        Ok(read) => {
            got.extend(&part[..read]);
            read > 0
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            panic!("neither a response nor an end after {}", got.escape_ascii())
        }
        Err(_) => false,
    }
}

fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut socket = connect(address);
    socket.write_all(request).expect("a server reads");
    let mut answer = String::new();
    socket
        .read_to_string(&mut answer)
        .expect("a response arrives whole");
    answer
}
