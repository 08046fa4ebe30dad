//! From a first request to its message at a peer on loopback, beside a bare TCP message between two
//! threads, in turns in one run. Prints a line `NAME: VALUE UNIT` for each.
#![expect(clippy::unwrap_used, reason = "a step that fails ends the benchmark")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use reporter_core::{Accounting, RevisionKey};
use reporter_runtime::ConcurrencyReporter;
use reporter_runtime::sink::autoscaler::{AutoscalerConfig, AutoscalerSink};
use tokio::runtime;
use tokio_tungstenite::tungstenite::Message;

const SAMPLES: usize = 10_000;
/// So that every thread is asleep again when the next request comes: that is the usual case.
const PAUSE: Duration = Duration::from_micros(300);

fn main() {
    let (arrivals, address) = websocket_peer();
    let (control, control_thread) = control_thread(address);
    let mut bare = BareTcp::start();
    let mut first_reports = Vec::with_capacity(SAMPLES);
    let mut floor = Vec::with_capacity(SAMPLES);
    for number in 0..SAMPLES {
        let key: RevisionKey = format!("default/revision-{number}").parse().unwrap();
        thread::sleep(PAUSE);
        let start = Instant::now();
        let request = control.track(&key);
        first_reports.push(arrival_of(&arrivals, &key) - start);
        drop(request);
        thread::sleep(PAUSE);
        floor.push(bare.one_way());
    }
    print(
        "from a request to its frame at the peer",
        &mut first_reports,
    );
    print("a bare TCP message, one way", &mut floor);
    drop(control_thread);
}

/// Ticks bring other frames in between; they are not what is measured.
fn arrival_of(arrivals: &mpsc::Receiver<(Instant, Vec<u8>)>, key: &RevisionKey) -> Instant {
    loop {
        let (at, frame) = arrivals.recv().unwrap();
        let name = key.name().as_bytes();
        if frame.len() < 100 && frame.windows(name.len()).any(|part| part == name) {
            return at;
        }
    }
}

/// A receiver on a thread of its own; tells when each frame came.
fn websocket_peer() -> (mpsc::Receiver<(Instant, Vec<u8>)>, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, arrivals) = mpsc::channel();
    thread::spawn(move || {
        one_thread().block_on(async {
            listener.set_nonblocking(true).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
            // Reading on also sends the pongs.
            while let Some(Ok(message)) = socket.next().await {
                if let Message::Binary(frame) = message {
                    let _ = sender.send((Instant::now(), frame.to_vec()));
                }
            }
        });
    });
    (arrivals, address)
}

/// The reporter and its sink on a thread of their own, as in the activator.
fn control_thread(address: SocketAddr) -> (ConcurrencyReporter, mpsc::Sender<()>) {
    let (reporter_sender, reporter) = mpsc::channel();
    let (stop, stopped) = mpsc::channel::<()>();
    thread::spawn(move || {
        one_thread().block_on(async {
            let config = AutoscalerConfig::new(format!("ws://{address}"));
            let sink = AutoscalerSink::try_new("autoscaler", "activator-0", config).unwrap();
            let mut up = sink.link_up();
            let (reporter, task) = ConcurrencyReporter::builder(Accounting::Average)
                .sink(Box::new(sink))
                .spawn();
            up.wait_for(|up| *up).await.unwrap();
            reporter_sender.send(reporter).unwrap();
            let ended = tokio::task::spawn_blocking(move || stopped.recv());
            let _ = ended.await;
            task.stop().await;
        });
    });
    (reporter.recv().unwrap(), stop)
}

fn one_thread() -> runtime::Runtime {
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// The floor: as many bytes, written by one thread and read by another.
struct BareTcp {
    stream: TcpStream,
    arrivals: mpsc::Receiver<Instant>,
}

impl BareTcp {
    const BYTES: usize = 80;

    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, arrivals) = mpsc::channel();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            while stream.read_exact(&mut [0; Self::BYTES]).is_ok() {
                let _ = sender.send(Instant::now());
            }
        });
        Self { stream, arrivals }
    }

    fn one_way(&mut self) -> Duration {
        let start = Instant::now();
        self.stream.write_all(&[0; Self::BYTES]).unwrap();
        self.arrivals.recv().unwrap() - start
    }
}

fn print(what: &str, samples: &mut [Duration]) {
    samples.sort_unstable();
    for (percentile, share) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
        let index = (samples.len() as f64 * share) as usize;
        let micros = samples[index].as_secs_f64() * 1e6;
        println!("first report/{what}, {percentile}: {micros:.1} us");
    }
}
