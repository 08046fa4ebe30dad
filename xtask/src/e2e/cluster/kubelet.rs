//! A stand-in for a kubelet, and for the scheduler: binds every pod to the only node and runs its containers in a
//! network namespace of the pod's own. Images are programs of this machine.

mod check;
mod container;
mod pod;

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use serde_json::Value;

use super::api::{Api, Change, Stop};
use super::credentials::Credentials;
use super::names::Names;
use super::objects::text;
use pod::Pod;

/// Runs pods until it is dropped; their processes end with it.
pub(crate) struct Kubelet {
    node: Arc<Node>,
    stop: Stop,
}

/// What all pods share.
struct Node {
    api: Api,
    credentials: Arc<Credentials>,
    names: Arc<Names>,
    /// Where the files of pods lie.
    folder: PathBuf,
    started: AtomicU32,
    running: Mutex<HashMap<String, Running>>,
}

struct Running {
    orders: Arc<Orders>,
    thread: JoinHandle<()>,
}

/// What a pod's thread and others tell each other.
#[derive(Default)]
struct Orders {
    /// The pod is to end, as its object says.
    end: Stop,
    /// Its object is gone, or the cluster ends.
    kill: Stop,
    /// What the pod's thread tells: the process of the first container, and 0 without one.
    process: AtomicU32,
}

impl Kubelet {
    pub(crate) fn start(
        api: &Api,
        credentials: &Arc<Credentials>,
        names: &Arc<Names>,
        folder: PathBuf,
    ) -> Self {
        let node = Arc::new(Node {
            api: api.clone(),
            credentials: Arc::clone(credentials),
            names: Arc::clone(names),
            folder,
            started: AtomicU32::new(0),
            running: Mutex::default(),
        });
        let stop = Stop::default();
        let of_watch = Arc::clone(&node);
        api.watch("/api/v1/pods", "", &stop, move |change| {
            of_watch.take(change);
        });
        Self { node, stop }
    }

    /// The process of a pod's first container.
    pub(crate) fn process_of(&self, pod: &Value) -> Option<u32> {
        let running = self.node.lock();
        let pod = running.get(text(pod, "/metadata/uid"))?;
        let process = pod.orders.process.load(Ordering::Relaxed);
        (process != 0).then_some(process)
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.stop.set();
        let running: Vec<Running> = self.node.lock().drain().map(|(_, pod)| pod).collect();
        for pod in &running {
            pod.orders.kill.set();
        }
        for pod in running {
            // A thread that panicked has said so.
            let _ = pod.thread.join();
        }
    }
}

impl Node {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(self: &Arc<Self>, change: Change) {
        match change {
            Change::All(pods) => {
                let uids: Vec<_> = pods.iter().map(|pod| text(pod, "/metadata/uid")).collect();
                self.lock().retain(|uid, running| {
                    let there = uids.contains(&&**uid);
                    if !there {
                        running.orders.kill.set();
                    }
                    there
                });
                for pod in pods {
                    self.apply(pod);
                }
            }
            Change::Applied(pod) => self.apply(pod),
            Change::Deleted(pod) => {
                if let Some(running) = self.lock().remove(text(&pod, "/metadata/uid")) {
                    running.orders.kill.set();
                }
            }
        }
    }

    fn apply(self: &Arc<Self>, object: Value) {
        let uid = text(&object, "/metadata/uid").to_owned();
        let ending = object.pointer("/metadata/deletionTimestamp").is_some();
        let mut running = self.lock();
        if let Some(pod) = running.get(&uid) {
            if ending {
                pod.orders.end.set();
            }
            return;
        }
        let orders = Arc::new(Orders::default());
        if ending {
            orders.end.set();
        }
        let pod = Pod::new(
            Arc::clone(self),
            object,
            Arc::clone(&orders),
            self.next_address(),
        );
        let thread = std::thread::spawn(move || pod.run());
        running.insert(uid, Running { orders, thread });
    }

    /// Addresses from 10.0.1.1 on, none used twice.
    fn next_address(&self) -> Ipv4Addr {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let octet = |number: u32| u8::try_from(number).unwrap_or(u8::MAX);
        Ipv4Addr::new(10, 0, octet(1 + number / 250), octet(1 + number % 250))
    }
}
