//! A worker on the test's thread, whose allocations are counted. Its peers run on other threads.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Barrier, Once};
use std::thread;
use std::time::Duration;

use allocation_counter::AllocationInfo;
use reporter_core::{Accounting, Revision};
use reporter_metrics::Exporter;
use reporter_runtime::ConcurrencyReporter;
use tokio::runtime::{Builder, LocalRuntime, Runtime};
use tokio::sync::oneshot;
use tokio::task::yield_now;

use crate::drain::Drain;
use crate::limits::Limits;
use crate::os::listen;
use crate::probe::Probe;
use crate::proxy;
use crate::readiness::Readiness;
use crate::revision::name::NamingRules;
use crate::revision::{RevisionSpec, Revisions, Shared};
use crate::server::connection_limit::ConnectionLimit;
use crate::server::{Listener, Services, prepare, run};
use crate::timeouts::TimeoutLimits;

pub(super) const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: activator\r\n\
    Knative-Serving-Namespace: ns\r\nKnative-Serving-Revision: rev\r\n\r\n";
/// Longer than any step here takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
pub(super) const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// A worker that runs while a test waits for its peers; the rest of the activator runs elsewhere.
pub(super) struct Scene {
    worker: LocalRuntime,
    address: SocketAddr,
    pub(super) drain: Drain,
    exporter: Exporter,
    reporter: ConcurrencyReporter,
    _control: Runtime,
}

impl Scene {
    pub(super) fn new(backend: SocketAddr) -> Self {
        let mut control = Builder::new_multi_thread();
        let control = control.worker_threads(1).enable_all().build().unwrap();
        let entered = control.enter();
        let revision = RevisionSpec {
            key: "ns/rev".parse().unwrap(),
            revision: Revision {
                service: "".into(),
                configuration: "".into(),
            },
            hosts: Arc::default(),
            container_concurrency: 0,
            queue_depth: 1_000,
            timeouts: TimeoutLimits {
                total: Duration::from_secs(3_600),
                ..Default::default()
            },
            probe: Probe::None,
            protocol: Default::default(),
            tls: false,
            backends: vec![backend],
            cluster: None,
            launch: None,
        };
        let revisions = Arc::new(Revisions::new(Shared::for_tests()));
        revisions.put(revision).unwrap();
        let exporter = Exporter::new("", Arc::clone(&revisions) as _);
        let (reporter, _) = ConcurrencyReporter::builder(Accounting::Average).spawn();
        let (drain, draining) = Drain::new();
        let proxy = proxy::Services {
            revisions,
            reporter: reporter.clone(),
            queue: exporter.queue(),
            errors: exporter.errors(),
            requests: exporter.requests(),
            access_log: Default::default(),
            traces: Default::default(),
            readiness: Readiness {
                draining: draining.clone(),
                links: Vec::new(),
                first_lists: None,
            },
            naming: NamingRules::for_tests(),
            backend_tls: None,
            limits: Limits::default(),
        };
        let services = Services {
            proxy,
            handshakes: exporter.handshakes(),
            connection_limit: ConnectionLimit::new(1_000, exporter.connections()),
        };
        drop(entered);
        let any_port = ([127, 0, 0, 1], 0).into();
        let socket = listen::bind(any_port, 1).unwrap().remove(0);
        let address = socket.local_addr().unwrap();
        let listener = Listener {
            port: "http",
            tls: None,
            socket,
            handed_over: false,
        };
        let (worker, listeners) = prepare(vec![listener]).unwrap();
        worker.spawn_local(run(listeners, services, draining));
        Self {
            worker,
            address,
            drain,
            exporter,
            reporter,
            _control: control,
        }
    }

    /// A scene whose worker has made its one-time allocations.
    pub(super) fn warm(backend: SocketAddr) -> Self {
        let scene = Self::new(backend);
        scene.during(|address| ask(&mut TcpStream::connect(address).unwrap()));
        scene
    }

    /// What the worker allocates and frees while `peers` run on their own thread.
    pub(super) fn during<T: Send + 'static>(
        &self,
        peers: impl FnOnce(SocketAddr) -> T + Send + 'static,
    ) -> (AllocationInfo, T) {
        let (done, wait) = oneshot::channel();
        let address = self.address;
        let peers = thread::spawn(move || done.send(peers(address)).ok().unwrap());
        let mut result = None;
        let measured = allocation_counter::measure(|| {
            self.worker.block_on(async {
                result = wait.await.ok();
                settle().await;
            });
        });
        peers.join().unwrap();
        (measured, result.expect("the peers have not panicked"))
    }

    /// What it allocates and frees while only `time` passes, `times` times.
    pub(super) fn pass(&self, times: u32, time: Duration) -> AllocationInfo {
        allocation_counter::measure(|| {
            self.worker.block_on(async {
                tokio::time::pause();
                for _ in 0..times {
                    tokio::time::advance(time).await;
                    settle().await;
                }
                tokio::time::resume();
            });
        })
    }

    /// How many requests have failed for `reason`.
    pub(super) fn errors(&self, reason: &str) -> u64 {
        let text = self.exporter.render([]);
        let series = format!(r#"activator_errors_total{{reason="{reason}"}} "#);
        let line = text.lines().find_map(|line| line.strip_prefix(&series));
        line.expect("all reasons are there").parse().unwrap()
    }

    /// How many requests are being served.
    pub(super) fn in_flight(&self) -> u64 {
        let key = "ns/rev".parse().unwrap();
        self.reporter.in_flight(&key).unwrap_or(0)
    }

    /// The names and labels of all series in `/metrics`.
    pub(super) fn series(&self) -> BTreeSet<String> {
        let text = self.exporter.render([]);
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let series = lines.filter_map(|line| line.rsplit_once(' '));
        series.map(|(series, _)| series.to_owned()).collect()
    }
}

/// Lets the worker finish everything it can do now.
async fn settle() {
    // The worker polls its sockets in each turn, and chains of steps are short.
    for _ in 0..100 {
        yield_now().await;
    }
}

/// A backend that responds to the first request, which warms a scene, and then whenever `together` requests wait.
pub(super) fn backend(together: usize) -> SocketAddr {
    let (first, barrier) = (Arc::new(Once::new()), Arc::new(Barrier::new(together)));
    serve(move |mut socket| {
        while let Ok(1..) = socket.read(&mut [0; 4_096]) {
            if first.is_completed() {
                barrier.wait();
            }
            first.call_once(|| ());
            socket.write_all(ANSWER).unwrap();
        }
    })
}

/// A backend that runs `with` for each connection.
pub(super) fn serve(with: impl Fn(TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let with = with.clone();
            thread::spawn(move || with(socket.unwrap()));
        }
    });
    address
}

pub(super) fn connect(count: usize, address: SocketAddr) -> Vec<TcpStream> {
    let clients = (0..count).map(|_| {
        let client = TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client
    });
    clients.collect()
}

/// Sends a request and reads the response.
pub(super) fn ask(socket: &mut TcpStream) {
    socket.write_all(REQUEST).unwrap();
    read_answer(socket);
}

pub(super) fn read_answer(socket: &mut TcpStream) {
    read_until(socket, "hello");
}

/// Reads up to `end`.
pub(super) fn read_until(socket: &mut TcpStream, end: &str) {
    let mut answer = Vec::new();
    while !answer.ends_with(end.as_bytes()) {
        let mut piece = [0; 1_024];
        let length = socket.read(&mut piece).unwrap();
        assert!(length > 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&piece[..length]);
    }
}
