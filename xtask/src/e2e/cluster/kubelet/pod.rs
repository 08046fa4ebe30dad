//! The life of one pod, on a thread of its own: bound, started, watched, ended.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::container::{Container, Files};
use super::{Node, Orders};
use crate::e2e::cluster::credentials::Credentials;
use crate::e2e::cluster::network::{Host, NODE};
use crate::e2e::cluster::objects::{SYSTEM, items, path_of, text};
use crate::support::http::get;

/// How often a pod is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// The pause before a container is started again.
const RESTART: Duration = Duration::from_millis(500);

pub(super) struct Pod {
    node: Arc<Node>,
    object: Value,
    orders: Arc<Orders>,
    address: Ipv4Addr,
    path: String,
}

impl Pod {
    pub(super) fn new(
        node: Arc<Node>,
        mut object: Value,
        orders: Arc<Orders>,
        address: Ipv4Addr,
    ) -> Self {
        // The items of a list do not say what they are.
        object["apiVersion"] = json!("v1");
        object["kind"] = json!("Pod");
        Self {
            path: path_of(&object),
            node,
            object,
            orders,
            address,
        }
    }

    /// Lives until the pod's end. What goes wrong at its start is said on standard error and tried again.
    pub(super) fn run(&self) {
        while let Err(error) = self.live() {
            eprintln!("pod {}: {error:#}", self.name());
            self.orders.kill.wait(RESTART);
            if self.orders.kill.is_set() {
                return;
            }
        }
    }

    fn name(&self) -> &str {
        text(&self.object, "/metadata/name")
    }

    fn live(&self) -> Result<()> {
        self.bind();
        let host = Host::new(self.address)?;
        let files = self.files()?;
        let mut containers: Vec<_> = items(&self.object, "/spec/containers")
            .iter()
            .map(Container::new)
            .collect();
        for container in &mut containers {
            self.start(container, &host, files.as_ref())?;
        }
        // The address is known before the pod is ready.
        self.report(&containers, false);
        let mut reported = false;
        while !self.orders.end.is_set() && !self.orders.kill.is_set() {
            let mut ready = true;
            for container in &mut containers {
                if let Some(trouble) = container.trouble(&host) {
                    eprintln!("pod {}: {}: {trouble}", self.name(), container.name());
                    container.process = None;
                    container.restarts += 1;
                    self.orders.kill.wait(RESTART);
                    self.start(container, &host, files.as_ref())?;
                }
                let check = container.ready.as_mut();
                ready &= check.is_none_or(|check| check.passes(self.address.into()));
            }
            if ready != reported {
                self.report(&containers, ready);
                reported = ready;
            }
            self.orders.end.wait(LOOK);
        }
        if !self.orders.kill.is_set() {
            self.end(&mut containers);
        }
        Ok(())
    }

    /// What a scheduler does.
    fn bind(&self) {
        let binding = json!({
            "apiVersion": "v1", "kind": "Binding", "metadata": {"name": self.name()},
            "target": {"apiVersion": "v1", "kind": "Node", "name": "node-1"},
        });
        self.insist("binding", || {
            let bound = self
                .node
                .api
                .create(&format!("{}/binding", self.path), &binding);
            bound.map(drop)
        });
    }

    fn start(&self, container: &mut Container, host: &Host, files: Option<&Files>) -> Result<()> {
        let log = format!("pod-{}-{}", self.name(), container.name());
        container.start(&self.object, host, files, &log)?;
        let first = text(&self.object, "/spec/containers/0/name");
        if let Some(process) = &container.process
            && container.name() == first
        {
            self.orders.process.store(process.id(), Ordering::Relaxed);
        }
        Ok(())
    }

    /// What its containers find in their file systems, for those of Knative's own namespace: no other asks for names or
    /// talks to the API server.
    fn files(&self) -> Result<Option<Files>> {
        if text(&self.object, "/metadata/namespace") != SYSTEM {
            return Ok(None);
        }
        Ok(Some(Files {
            hosts: self.node.names.hosts(),
            resolver: self.node.names.resolver(),
            account: self.account()?,
        }))
    }

    /// A folder with the token of the pod's service account.
    fn account(&self) -> Result<PathBuf> {
        let folder = self.node.folder.join(self.name());
        std::fs::create_dir_all(&folder)?;
        let namespace = text(&self.object, "/metadata/namespace");
        let account = text(&self.object, "/spec/serviceAccountName");
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"expirationSeconds": 3600, "boundObjectRef": {
                "apiVersion": "v1", "kind": "Pod", "name": self.name(),
                "uid": text(&self.object, "/metadata/uid"),
            }},
        });
        let answer = self.node.api.create(&path, &request)?;
        std::fs::write(folder.join("token"), text(&answer, "/status/token"))?;
        std::fs::write(folder.join("namespace"), namespace)?;
        let authority = Credentials::authority(&self.node.credentials);
        std::fs::copy(authority, folder.join("ca.crt")).context("cannot copy ca.crt")?;
        Ok(folder)
    }

    /// Writes the pod's status.
    fn report(&self, containers: &[Container], ready: bool) {
        let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let truth = |is: bool| if is { "True" } else { "False" };
        let condition = |kind: &str, is: bool| json!({"type": kind, "status": truth(is), "lastTransitionTime": now});
        let of_containers: Vec<_> = containers
            .iter()
            .map(|container| {
                let image = text(&container.specification, "/image");
                json!({
                    "name": container.name(), "image": image, "imageID": image, "ready": ready,
                    "started": true, "restartCount": container.restarts,
                    "state": {"running": {"startedAt": now}},
                })
            })
            .collect();
        let status = json!({"status": {
            "phase": "Running", "hostIP": NODE, "podIP": self.address, "podIPs": [{"ip": self.address}],
            "startTime": now, "containerStatuses": of_containers,
            "conditions": [
                condition("PodScheduled", true), condition("Initialized", true),
                condition("ContainersReady", ready), condition("Ready", ready),
            ],
        }});
        self.insist("status", || {
            let path = format!("{}/status", self.path);
            self.node.api.merge_lists(&path, &status).map(drop)
        });
    }

    /// Ends the containers as a kubelet does, and then the pod: first the preStop hook, which lets the application live
    /// until its queue-proxy has drained, then SIGTERM.
    fn end(&self, containers: &mut [Container]) {
        self.report(containers, false);
        let grace = self.object["spec"]["terminationGracePeriodSeconds"].as_u64();
        let end = Instant::now() + Duration::from_secs(grace.unwrap_or(30));
        std::thread::scope(|scope| {
            for container in containers {
                scope.spawn(move || {
                    if let Some((port, path)) = container.pre_stop() {
                        // Whatever it says, SIGTERM is next.
                        let _ = get(SocketAddr::new(self.address.into(), port), &path, "");
                    }
                    let left = end.saturating_duration_since(Instant::now());
                    container.stop(left, &self.orders.kill);
                });
            }
        });
        self.insist("end", || {
            let path = format!("{}?gracePeriodSeconds=0", self.path);
            self.node.api.delete(&path)
        });
    }

    /// Tries until it succeeds or the pod is gone; an API server that is away is waited for.
    fn insist(&self, what: &str, mut attempt: impl FnMut() -> Result<()>) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.orders.kill.is_set() {
            match attempt() {
                Ok(()) => return,
                Err(error) if Instant::now() > deadline => {
                    eprintln!("pod {}: {what}: {error:#}", self.name());
                    return;
                }
                Err(_) => self.orders.kill.wait(Duration::from_millis(200)),
            }
        }
    }
}
