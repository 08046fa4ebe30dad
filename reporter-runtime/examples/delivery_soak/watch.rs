//! Observation of the run: the link's events, and the memory of this process.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reporter_runtime::sink::autoscaler::{LinkFailure, LinkObserver};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) ups: usize,
    /// Breaks by reason.
    pub(crate) downs: BTreeMap<String, usize>,
    pub(crate) failed_tries: usize,
    pub(crate) requeued_frames: usize,
    pub(crate) most_pending_keys: usize,
    pub(crate) confirm_latencies: Vec<Duration>,
    pub(crate) first_reports: Vec<Duration>,
    confirmed: Vec<u64>,
}

#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<Told>>);

impl Watch {
    pub(crate) fn told(&self) -> Told {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn confirmed(&self) -> Vec<u64> {
        self.told().confirmed
    }
}

impl LinkObserver for Watch {
    fn link_up(&self) {
        self.0.lock().unwrap().ups += 1;
    }
    fn link_down(&self, why: &LinkFailure) {
        *self
            .0
            .lock()
            .unwrap()
            .downs
            .entry(why.to_string())
            .or_default() += 1;
    }
    fn link_closed(&self) {}
    fn connect_failed(&self, _: &LinkFailure) {
        self.0.lock().unwrap().failed_tries += 1;
    }
    fn frame_confirmed(&self, sequence: u64, latency: Duration) {
        let mut told = self.0.lock().unwrap();
        told.confirmed.push(sequence);
        told.confirm_latencies.push(latency);
    }
    fn frames_requeued(&self, frames: usize) {
        self.0.lock().unwrap().requeued_frames += frames;
    }
    fn pending_keys(&self, keys: usize) {
        let mut told = self.0.lock().unwrap();
        told.most_pending_keys = told.most_pending_keys.max(keys);
    }
    fn first_report(&self, latency: Duration) {
        self.0.lock().unwrap().first_reports.push(latency);
    }
}

/// The resident memory of this process, sampled.
pub(crate) struct Memory {
    stop: oneshot::Sender<()>,
    samples: JoinHandle<Vec<u64>>,
}

impl Memory {
    pub(crate) fn sample_every(period: Duration) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let samples = tokio::spawn(async move {
            let mut samples = Vec::new();
            while tokio::time::timeout(period, &mut stopped).await.is_err() {
                samples.push(resident_kib());
            }
            samples
        });
        Self { stop, samples }
    }

    /// The samples, in KiB.
    pub(crate) async fn stop(self) -> Vec<u64> {
        self.stop.send(()).unwrap();
        self.samples.await.unwrap()
    }
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number
        .and_then(|number| number.parse().ok())
        .expect("Linux tells VmRSS in KiB")
}
