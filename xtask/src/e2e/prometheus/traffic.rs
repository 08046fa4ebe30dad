//! Activators in traffic of all kinds, so that each metric has something to show.
//!
//! One has revisions of its own, of which one is started for its first request again and again; one follows a cluster
//! whose API server is away; one has legacy names.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use super::link::Link;
use crate::support::activator::{Activator, choose, program, put_to_sleep};
use crate::support::http::get;
use crate::support::process::{Scratch, free_address};

/// Between two rounds of requests: several in each second between two scrapes.
const PAUSE: Duration = Duration::from_millis(300);

/// The activators, and the other end of the link to the autoscaler.
pub(super) struct Traffic {
    local: Activator,
    in_cluster: Activator,
    legacy: Activator,
    link: Link,
    is_over: Arc<AtomicBool>,
    rounds: Option<JoinHandle<Result<()>>>,
    _scratch: Scratch,
}

impl Traffic {
    pub(super) fn start() -> Result<Self> {
        let scratch = Scratch::new("prometheus-traffic")?;
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let (certificate, kubeconfig) = (scratch.path("tls.pem"), scratch.path("kubeconfig"));
        let text = certified.cert.pem() + &certified.signing_key.serialize_pem();
        std::fs::write(&certificate, text)?;
        std::fs::write(&kubeconfig, kubeconfig_of(free_address()?).to_string())?;
        let link = Link::start()?;
        let (program, certificate) = (program(), certificate.display());
        let config = format!(
            r#"
            [access_log]
            format = "{{{{.Request.Method}}}}"
            [admin]
            write = true
            [tls]
            certificate = "{certificate}"
            key = "{certificate}"
            [[sink]]
            kind = "autoscaler"
            url = "ws://{}"
            [[revision]]
            namespace = "default"
            name = "hello"
            service = "hello"
            command = ["{}", "echo"]
            max_scale = 1
            # Nothing listens there.
            [[revision]]
            namespace = "default"
            name = "full"
            service = "full"
            backends = ["{}"]
            timeout = "500ms"
            queue_depth = 1
            "#,
            link.address,
            program.display(),
            free_address()?,
        );
        let https = free_address()?.to_string();
        let local = Activator::start_with(&config, &["--listen-https", &https])?;
        let kubeconfig = kubeconfig.display().to_string();
        let flags = ["--kubeconfig", &kubeconfig, "--drain-delay", "0s"];
        let in_cluster = Activator::start_with("", &flags)?;
        let echo = format!(
            "[[revision]]\nnamespace = \"default\"\nname = \"hello\"\ncommand = [\"{}\", \"echo\"]\nmax_scale = 1\n",
            program.display()
        );
        let legacy = Activator::start_with(&echo, &["--metrics-names", "both"])?;
        get(legacy.http, "/", &choose("hello"))?;
        Ok(Self {
            local,
            in_cluster,
            legacy,
            link,
            is_over: Arc::default(),
            rounds: None,
            _scratch: scratch,
        })
    }

    /// What Prometheus scrapes.
    pub(super) fn admin_addresses(&self) -> [SocketAddr; 2] {
        [self.local.admin, self.in_cluster.admin]
    }

    /// All admin ports, and whether the names there are legacy ones too.
    pub(super) fn texts(&self) -> [(SocketAddr, bool); 3] {
        [
            (self.local.admin, false),
            (self.in_cluster.admin, false),
            (self.legacy.admin, true),
        ]
    }

    /// Sends requests from now on.
    pub(super) fn begin(&mut self) {
        let (http, admin) = (self.local.http, self.local.admin);
        let is_over = Arc::clone(&self.is_over);
        self.rounds = Some(thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                round(http, admin)?;
                thread::sleep(PAUSE);
            }
            Ok(())
        }));
    }

    /// Sends no more requests. An error is the first one that there was.
    pub(super) fn end(&mut self) -> Result<()> {
        self.is_over.store(true, Ordering::Relaxed);
        let rounds = self.rounds.take().context("it has begun")?;
        rounds.join().expect("the thread does not panic")
    }

    /// The other end of the link goes away for good.
    pub(super) fn lose_link(&mut self) {
        self.link.close();
    }

    pub(super) fn stop(self) -> Result<()> {
        for activator in [self.local, self.in_cluster, self.legacy] {
            activator.stop()?;
        }
        Ok(())
    }
}

/// A cold start, requests that fail, and one for a revision that nobody knows.
fn round(http: SocketAddr, admin: SocketAddr) -> Result<()> {
    put_to_sleep(admin, "hello")?;
    for _ in 0..3 {
        get(http, "/", &choose("hello"))?;
    }
    get(http, "/", &choose("unknown"))?;
    // One more than the queue takes; all of them fail.
    let full = || thread::spawn(move || get(http, "/", &choose("full")).map(drop));
    for request in [full(), full(), full()] {
        request.join().expect("a client does not panic")?;
    }
    Ok(())
}

/// Of a cluster whose API server is at `address`.
fn kubeconfig_of(address: SocketAddr) -> serde_json::Value {
    let cluster = json!({"server": format!("http://{address}")});
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "clusters": [{"name": "it", "cluster": cluster}],
        "users": [{"name": "it", "user": {"token": "none"}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
    })
}
