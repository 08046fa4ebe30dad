//! A stand-in for the autoscaler's end of the link: notes when each revision is reported for the first time.

use std::collections::HashMap;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use prost::Message as _;
use tungstenite::Message;

use super::api::Stop;
use super::network::NODE;

/// The autoscaler's port for statistics.
const PORT: u16 = 8080;

/// Knative's `WireStatMessages`, as far as it is read here.
#[derive(prost::Message)]
struct Batch {
    #[prost(message, repeated, tag = "1")]
    messages: Vec<Report>,
}

#[derive(prost::Message)]
struct Report {
    #[prost(string, tag = "1")]
    namespace: String,
    #[prost(string, tag = "2")]
    name: String,
}

/// The receiver. Clones are one.
#[derive(Clone, Default)]
pub(crate) struct Receiver {
    links: Arc<AtomicUsize>,
    first: Arc<Mutex<HashMap<String, Instant>>>,
}

impl Receiver {
    /// Listens in the autoscaler's place until `stop`.
    pub(crate) fn start(stop: &Stop) -> Result<Self> {
        let listener = TcpListener::bind((NODE, PORT)).context("the autoscaler's port")?;
        listener.set_nonblocking(true)?;
        let receiver = Self::default();
        let (of_thread, stop) = (receiver.clone(), stop.clone());
        std::thread::spawn(move || {
            while !stop.is_set() {
                if let Ok((stream, _)) = listener.accept() {
                    let receiver = of_thread.clone();
                    // The activator connects again when a link fails.
                    std::thread::spawn(move || receiver.read(stream).ok());
                }
                stop.wait(Duration::from_millis(10));
            }
        });
        Ok(receiver)
    }

    /// How many links there have been.
    pub(crate) fn links(&self) -> usize {
        self.links.load(Ordering::Relaxed)
    }

    /// When each revision, as `namespace/name`, was reported for the first time.
    pub(crate) fn first_reports(&self) -> HashMap<String, Instant> {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        first.clone()
    }

    /// Reads one link to its end; pings are answered in between.
    fn read(&self, stream: TcpStream) -> Result<()> {
        stream.set_nonblocking(false)?;
        let mut socket = tungstenite::accept(stream).map_err(|error| anyhow::anyhow!("{error}"))?;
        self.links.fetch_add(1, Ordering::Relaxed);
        loop {
            let Message::Binary(bytes) = socket.read()? else {
                continue;
            };
            let now = Instant::now();
            let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
            for report in Batch::decode(bytes)?.messages {
                let key = format!("{}/{}", report.namespace, report.name);
                first.entry(key).or_insert(now);
            }
        }
    }
}
