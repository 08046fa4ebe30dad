//! The time from capacity becoming available to the waiting request reaching its backend, through the whole
//! activator. Includes the path of the response that frees a slot or shows a backend to be ready, and that of the
//! request. Compared with a bare relay of two threads. Prints a line `NAME: VALUE UNIT` for each.
#![expect(clippy::unwrap_used, reason = "a step that fails ends the benchmark")]

#[path = "../tests/support/config.rs"]
mod config;
#[path = "measure/percentiles.rs"]
mod percentiles;

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use activator_bin::testing::{Activator, Options, RevisionSpec};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime;
use tokio::task::LocalSet;

use config::for_tests;
use percentiles::print;

const SAMPLES: usize = 2_000;
/// Long enough for every thread to go to sleep.
const PAUSE: Duration = Duration::from_millis(2);
/// While one request is at the backend, the others wait for its slot.
const CLIENTS: usize = 4;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: hello\r\nKnative-Serving-Namespace: default\r\n\
    Knative-Serving-Revision: hello\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nqueue";

fn main() {
    // Sleeping threads have to be woken when capacity becomes available, which takes the machine some time.
    for (threads, pause) in [("asleep", PAUSE), ("awake", Duration::ZERO)] {
        let backend = Backend::start(pause);
        let activator = activator(backend.address);
        let mut floor = bare_relay(pause);
        let mut slots = a_slot_is_free(&activator, &backend);
        let mut backends = a_backend_is_ready(&activator, &backend, pause);
        let name = format!("held request, threads {threads}");
        print(&format!("{name}/a bare relay"), &mut floor);
        print(&format!("{name}/a slot is free"), &mut slots);
        print(&format!("{name}/a backend is ready"), &mut backends);
    }
}

fn activator(backend: SocketAddr) -> Activator {
    let file = format!(
        "
        [[revision]]
        namespace = 'default'
        name = 'hello'
        service = 'hello'
        configuration = 'hello'
        container_concurrency = 1
        probe = 'knative'
        backends = ['{backend}']
        "
    );
    Activator::start(for_tests(&file), Options::default()).unwrap()
}

/// Each request after the first waits for the previous one.
fn a_slot_is_free(activator: &Activator, backend: &Backend) -> Vec<Duration> {
    let address = activator.http_addr();
    let client = move || {
        let mut client = Client::connect(address);
        for _ in 0..SAMPLES / CLIENTS {
            client.send();
            client.read_answer();
        }
    };
    let clients: Vec<_> = (0..CLIENTS).map(|_| thread::spawn(client)).collect();
    for client in clients {
        client.join().unwrap();
    }
    // The first one waited for the backend, not for a slot.
    backend.waits.try_iter().skip(1).collect()
}

/// Each request waits until the backend, which was down, has answered a probe.
fn a_backend_is_ready(activator: &Activator, backend: &Backend, pause: Duration) -> Vec<Duration> {
    let revisions = activator.revisions();
    let present = revisions.config(&"default/hello".parse().unwrap()).unwrap();
    let gone = RevisionSpec {
        backends: Vec::new(),
        ..(*present).clone()
    };
    let mut client = Client::connect(activator.http_addr());
    let sample = |_| {
        revisions.put(gone.clone()).unwrap();
        client.send();
        while activator.reporter().in_flight(&present.key) != Some(1) {
            thread::yield_now();
        }
        thread::sleep(pause);
        revisions.put((*present).clone()).unwrap();
        client.read_answer();
        backend.waits.recv().unwrap()
    };
    (0..SAMPLES).map(sample).collect()
}

struct Client(TcpStream);

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    fn send(&mut self) {
        self.0.write_all(REQUEST).unwrap();
    }

    fn read_answer(&mut self) {
        let mut answer = Vec::new();
        while !answer.ends_with(b"queue") {
            let mut part = [0; 1_024];
            let length = self.0.read(&mut part).unwrap();
            assert_ne!(length, 0, "{}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&part[..length]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"));
    }
}

/// Answers probes at once and requests after a pause. Reports how long after its previous response each request
/// arrived.
struct Backend {
    address: SocketAddr,
    waits: mpsc::Receiver<Duration>,
}

impl Backend {
    fn start(pause: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, waits) = mpsc::channel();
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let accepting = async {
                listener.set_nonblocking(true).unwrap();
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let answered = Rc::new(Cell::new(Instant::now()));
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    stream.set_nodelay(true).unwrap();
                    tokio::task::spawn_local(serve(
                        stream,
                        pause,
                        answered.clone(),
                        sender.clone(),
                    ));
                }
            };
            LocalSet::new().block_on(&runtime, accepting);
        });
        Self { address, waits }
    }
}

async fn serve(
    mut stream: tokio::net::TcpStream,
    pause: Duration,
    answered: Rc<Cell<Instant>>,
    waits: mpsc::Sender<Duration>,
) {
    let mut head = Vec::new();
    while stream.read_buf(&mut head).await.is_ok_and(|read| read > 0) {
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        if !head.starts_with(b"GET /healthz ") {
            let _ = waits.send(answered.get().elapsed());
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
        head.clear();
        answered.set(Instant::now());
        if stream.write_all(ANSWER).await.is_err() {
            break;
        }
    }
}

/// The minimum for handing a message from one thread to another: one reads the response, the other writes the
/// request.
fn bare_relay(pause: Duration) -> Vec<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut far, _) = listener.accept().unwrap();
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    let mut writer = far.try_clone().unwrap();
    let (free, freed) = mpsc::channel();
    thread::spawn(
        move || {
            while far.read_exact(&mut [0; ANSWER.len()]).is_ok() && free.send(()).is_ok() {}
        },
    );
    thread::spawn(move || while freed.recv().is_ok() && writer.write_all(REQUEST).is_ok() {});
    let sample = |_| {
        thread::sleep(pause);
        let start = Instant::now();
        near.write_all(ANSWER).unwrap();
        near.read_exact(&mut [0; REQUEST.len()]).unwrap();
        start.elapsed()
    };
    (0..SAMPLES).map(sample).collect()
}
