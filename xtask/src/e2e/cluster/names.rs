//! What the cluster's DNS and kube-proxy do, as far as anybody here asks: names are in a file that is mounted as
//! /etc/hosts, and ports 80 and 81 of a public service lead to one of its endpoints.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};

use super::api::{Api, Change, Stop};
use super::control_plane::NAME_OF_API;
use super::network::NODE;
use super::objects::{SYSTEM, items, text};

/// The ports of a public service, for HTTP/1.1 and for h2c.
const PORTS: [u16; 2] = [80, 81];
const TIMEOUT: Duration = Duration::from_secs(5);
/// More than the head of a probe.
const HEAD: usize = 8 << 10;

/// The two files of name resolution, and which names are in them.
pub(crate) struct Names {
    folder: PathBuf,
    known: Mutex<Vec<String>>,
    /// Probes that came for the names of revisions: the name, and the response's first line.
    probes: Mutex<Vec<(String, String)>>,
}

impl Names {
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        let names = Self {
            folder: folder.to_owned(),
            known: Mutex::default(),
            probes: Mutex::default(),
        };
        let mut hosts = String::from("127.0.0.1 localhost\n");
        for name in [
            &format!("autoscaler.{SYSTEM}.svc.cluster.local"),
            &format!("autoscaler.{SYSTEM}.svc"),
            NAME_OF_API,
        ] {
            hosts += &format!("{NODE} {name}\n");
        }
        std::fs::write(names.hosts(), hosts)?;
        let resolver = format!(
            "search {SYSTEM}.svc.cluster.local svc.cluster.local cluster.local\nnameserver 127.0.0.1\n"
        );
        std::fs::write(names.resolver(), resolver)?;
        Ok(names)
    }

    /// The file for /etc/hosts. It is only appended to, since it stays mounted.
    pub(crate) fn hosts(&self) -> PathBuf {
        self.folder.join("hosts")
    }

    /// The file for /etc/resolv.conf.
    pub(crate) fn resolver(&self) -> PathBuf {
        self.folder.join("resolv.conf")
    }

    /// The first lines of the responses to probes that came for a revision's public service.
    pub(crate) fn probes(&self, service: &str) -> Vec<String> {
        let probes = self.probes.lock().unwrap_or_else(PoisonError::into_inner);
        let of_service = probes.iter().filter(|(name, _)| name == service);
        of_service.map(|(_, response)| response.clone()).collect()
    }

    /// Adds the names of all public services, until `stop`. Before the last pod goes, Knative's autoscaler asks there
    /// who stands in front of the revision.
    pub(crate) fn follow(self: &Arc<Self>, api: &Api, stop: &Stop) -> Result<()> {
        for port in PORTS {
            self.listen(port, api, stop)?;
        }
        let names = self.clone();
        let query = "labelSelector=networking.internal.knative.dev%2FserviceType%3DPublic";
        api.watch("/api/v1/services", query, stop, move |change| {
            let services = match change {
                Change::All(services) => services,
                Change::Applied(service) => vec![service],
                Change::Deleted(_) => Vec::new(),
            };
            for service in services {
                let of = |pointer| text(&service, pointer);
                names.add(of("/metadata/namespace"), of("/metadata/name"));
            }
        });
        Ok(())
    }

    fn listen(self: &Arc<Self>, port: u16, api: &Api, stop: &Stop) -> Result<()> {
        let listener = TcpListener::bind((NODE, port)).context("a port of the node")?;
        listener.set_nonblocking(true)?;
        let (names, api, stop) = (self.clone(), api.clone(), stop.clone());
        std::thread::spawn(move || {
            while !stop.is_set() {
                match listener.accept() {
                    Ok((stream, _)) => {
                        let (names, api) = (names.clone(), api.clone());
                        // A probe that fails is asked again.
                        std::thread::spawn(move || names.pass_on(&api, stream).ok());
                    }
                    Err(_) => stop.wait(Duration::from_millis(10)),
                }
            }
        });
        Ok(())
    }

    fn add(&self, namespace: &str, service: &str) {
        let name = format!("{service}.{namespace}.svc.cluster.local");
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(&name) {
            return;
        }
        let file = OpenOptions::new().append(true).open(self.hosts());
        let added = file.and_then(|mut file| writeln!(file, "{NODE} {name}"));
        if let Err(error) = added {
            eprintln!("the name {name} cannot be added: {error}");
        }
        known.push(name);
    }

    /// Passes one request on to the first endpoint of the service that its Host names.
    fn pass_on(&self, api: &Api, mut client: TcpStream) -> Result<()> {
        client.set_nonblocking(false)?;
        client.set_read_timeout(Some(TIMEOUT))?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD {
            let mut byte = [0];
            client.read_exact(&mut byte)?;
            head.extend(byte);
        }
        let text_of_head = String::from_utf8_lossy(&head).to_lowercase();
        let host = text_of_head
            .lines()
            .find_map(|line| line.strip_prefix("host: "));
        let mut labels = host.unwrap_or_default().split('.');
        let mut label = || labels.next().unwrap_or_default();
        let (service, namespace) = (label(), label());
        let path = format!("/api/v1/namespaces/{namespace}/endpoints/{service}");
        let backend = first_address(&api.get(&path)?).context("no endpoint")?;
        let mut backend = TcpStream::connect_timeout(&backend, TIMEOUT)?;
        backend.set_read_timeout(Some(TIMEOUT))?;
        backend.write_all(&head)?;
        let mut response = vec![0; HEAD];
        let length = backend.read(&mut response)?;
        client.write_all(&response[..length])?;
        // The client closes when it has read enough.
        client.shutdown(Shutdown::Write)?;
        let first = String::from_utf8_lossy(&response[..length]);
        let first = first.lines().next().unwrap_or_default().to_owned();
        let mut probes = self.probes.lock().unwrap_or_else(PoisonError::into_inner);
        probes.push((service.to_owned(), first));
        Ok(())
    }
}

/// The first address of Endpoints, with their port for HTTP/1 or else for HTTP/2.
fn first_address(endpoints: &serde_json::Value) -> Option<SocketAddr> {
    let subset = items(endpoints, "/subsets").first()?;
    let ip = text(items(subset, "/addresses").first()?, "/ip");
    let ports = items(subset, "/ports");
    let named = |name: &str| ports.iter().find(|port| text(port, "/name") == name);
    let port = named("http").or_else(|| named("http2"))?["port"].as_u64()?;
    format!("{ip}:{port}").parse().ok()
}
