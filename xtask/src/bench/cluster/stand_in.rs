//! Many instances in one process: at each of its addresses it answers probes like a queue-proxy, and requests.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::e2e::cluster::api::Stop;
use crate::e2e::cluster::network::Host;

const PORT: u16 = 8012;
/// How long a request takes.
const STAY: Duration = Duration::from_millis(5);
/// Of a thread that serves a connection.
const STACK: usize = 128 << 10;

/// Serves until it is dropped.
pub(super) struct StandIn {
    pub(super) addresses: Vec<Ipv4Addr>,
    seen: Arc<Mutex<HashMap<IpAddr, Seen>>>,
    stop: Stop,
    _host: Host,
}

/// What came to one address.
#[derive(Clone, Copy, Default)]
pub(super) struct Seen {
    pub(super) probes: usize,
    pub(super) requests: usize,
}

impl StandIn {
    /// Stands at so many addresses, from 10.0.200.1 on; 250 at most.
    pub(super) fn start(count: u8) -> Result<Self> {
        let addresses: Vec<_> = (1..=count)
            .map(|number| Ipv4Addr::new(10, 0, 200, number))
            .collect();
        let (first, others) = addresses.split_first().context("an instance at least")?;
        let host = Host::new(*first)?;
        for &address in others {
            host.add_address(address)?;
        }
        let listener = thread::scope(|scope| {
            let there = scope.spawn(|| {
                host.enter()?;
                Ok::<_, anyhow::Error>(TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT))?)
            });
            there.join().expect("it only binds")
        })?;
        let seen = Arc::<Mutex<HashMap<_, _>>>::default();
        let stop = Stop::default();
        let (all, until) = (Arc::clone(&seen), stop.clone());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if until.is_set() {
                    return;
                }
                let all = Arc::clone(&all);
                let server = thread::Builder::new().stack_size(STACK);
                // A connection that cannot be served is closed, and its client sees that.
                let _ = server.spawn(move || serve(stream, &all));
            }
        });
        Ok(Self {
            addresses,
            seen,
            stop,
            _host: host,
        })
    }

    /// What has come since this was asked last, by address.
    pub(super) fn take_seen(&self) -> HashMap<IpAddr, Seen> {
        std::mem::take(&mut *lock(&self.seen))
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.stop.set();
        // The next connection lets the thread see that.
        let first = self.addresses[0];
        let _ = TcpStream::connect_timeout(&SocketAddr::new(first.into(), PORT), STAY);
    }
}

fn lock(seen: &Mutex<HashMap<IpAddr, Seen>>) -> std::sync::MutexGuard<'_, HashMap<IpAddr, Seen>> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves a connection to its end.
fn serve(stream: TcpStream, seen: &Mutex<HashMap<IpAddr, Seen>>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let address = stream.local_addr().ok()?.ip();
    let mut answers = stream.try_clone().ok()?;
    let mut is_probe = false;
    for line in BufReader::new(stream).lines() {
        let line = line.ok()?;
        if !line.is_empty() {
            is_probe |= line.eq_ignore_ascii_case("k-network-probe: queue");
            continue;
        }
        {
            let mut seen = lock(seen);
            let here = seen.entry(address).or_default();
            here.probes += usize::from(is_probe);
            here.requests += usize::from(!is_probe);
        }
        let body = if is_probe {
            "queue"
        } else {
            thread::sleep(STAY);
            "hello"
        };
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{body}");
        answers.write_all(answer.as_bytes()).ok()?;
        is_probe = false;
    }
    Some(())
}
