//! ConfigMaps and the Secret of the system namespace: what they contain, whenever it may have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use k8s_openapi::ByteString;
use reporter_metrics::WatchKind;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch};

use super::model::Event;
use super::object::{Lenient, Metadata, Object};
use super::resource::Resource;
use super::watching::{Heard, Watcher, watch as watch_resource};

/// The label of ConfigMaps with CAs.
const TRUST_BUNDLE: &str = "networking.knative.dev/trust-bundle";
/// The Secret with the certificate of the data plane. Knative: `netcfg.ServingRoutingCertName`.
pub(super) const CERTIFICATE: &str = "routing-serving-certs";
/// The most messages that wait to be taken.
const WAITING: usize = 16;

/// An object of the system namespace, as it is now. It may equal what it was before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SystemObject {
    /// One of the ConfigMaps that were asked for by name.
    ConfigMap {
        /// Its name.
        name: String,
        /// `None` if there is none, or if it may not be read.
        data: Option<BTreeMap<String, String>>,
    },
    /// A ConfigMap with CAs.
    TrustBundle {
        /// Its name.
        name: String,
        /// `None` if it is gone.
        data: Option<BTreeMap<String, String>>,
    },
    /// The Secret `routing-serving-certs`.
    Secret {
        /// `None` if there is none, or if it may not be read.
        data: Option<Certificate>,
    },
}

/// What the Secret contains, as PEM; what is missing or not Base64 is empty.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Certificate {
    /// `tls.crt`.
    pub tls_crt: Vec<u8>,
    /// `tls.key`.
    pub tls_key: Vec<u8>,
    /// `ca.crt`.
    pub ca_crt: Vec<u8>,
}

/// A key is not shown.
impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ConfigMap {
    metadata: Lenient<Metadata>,
    pub(super) data: Lenient<BTreeMap<String, Lenient<String>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Secret {
    metadata: Lenient<Metadata>,
    data: Lenient<SecretData>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SecretData {
    #[serde(rename = "tls.crt")]
    tls_crt: Lenient<ByteString>,
    #[serde(rename = "tls.key")]
    tls_key: Lenient<ByteString>,
    #[serde(rename = "ca.crt")]
    ca_crt: Lenient<ByteString>,
}

/// A key is not shown.
impl std::fmt::Debug for SecretData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretData").finish_non_exhaustive()
    }
}

impl Object for ConfigMap {
    const GROUP: &'static str = "";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "ConfigMap";
    const PLURAL: &'static str = "configmaps";

    fn metadata(&self) -> &Lenient<Metadata> {
        &self.metadata
    }
}

impl Object for Secret {
    const GROUP: &'static str = "";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "Secret";
    const PLURAL: &'static str = "secrets";

    fn metadata(&self) -> &Lenient<Metadata> {
        &self.metadata
    }
}

/// Watches the ConfigMap with this name, for as long as there is a receiver.
pub(super) async fn watch_config_map(
    watcher: &Watcher,
    namespace: &str,
    name: &str,
    to: mpsc::Sender<SystemObject>,
) {
    let resource = Resource::of::<ConfigMap>(Some(namespace)).named(name);
    let object = |data: Option<ConfigMap>| SystemObject::ConfigMap {
        name: name.to_owned(),
        data: data.map(|it| texts(it.data)),
    };
    watch_one(watcher, WatchKind::ConfigMaps, &resource, &to, object).await;
}

/// Watches the ConfigMaps with CAs, for as long as there is a receiver.
pub(super) async fn watch_trust_bundles(
    watcher: &Watcher,
    namespace: &str,
    to: mpsc::Sender<SystemObject>,
) {
    let resource = Resource::of::<ConfigMap>(Some(namespace)).labelled(TRUST_BUNDLE);
    let bundle = |name: String, data| SystemObject::TrustBundle { name, data };
    let (heard, mut events) = mpsc::channel(WAITING);
    let watching = watch_resource(
        watcher,
        WatchKind::ConfigMaps,
        &resource,
        false,
        &heard,
        |heard: Heard<ConfigMap>| heard,
    );
    let taking = async {
        let mut known = Names::default();
        while let Some(heard) = events.recv().await {
            let Heard::Events(events) = heard else {
                continue;
            };
            for event in events {
                let gone = known.on_event(&event);
                if let Event::Put(object) = event {
                    let name = object.name().to_owned();
                    to.send(bundle(name, Some(texts(object.data)))).await?;
                }
                for name in gone {
                    to.send(bundle(name, None)).await?;
                }
            }
        }
        Ok::<_, mpsc::error::SendError<_>>(())
    };
    tokio::select! {
        _ = watching => {}
        _ = taking => {}
        () = to.closed() => {}
    }
}

/// Watches the Secret while `is_wanted`, for as long as there is a receiver.
pub(super) async fn watch_certificate(
    watcher: &Watcher,
    namespace: &str,
    mut is_wanted: watch::Receiver<Option<bool>>,
    to: mpsc::Sender<SystemObject>,
) {
    let resource = Resource::of::<Secret>(Some(namespace)).named(CERTIFICATE);
    let object = |secret: Option<Secret>| SystemObject::Secret {
        data: secret.map(certificate),
    };
    loop {
        if is_wanted.wait_for(|it| *it == Some(true)).await.is_err() {
            return;
        }
        tokio::select! {
            () = watch_one(watcher, WatchKind::Secrets, &resource, &to, object) => return,
            still_there = is_wanted.wait_for(|it| *it != Some(true)) => if still_there.is_err() {
                return;
            },
        }
    }
}

/// Watches a resource of which there is at most one.
async fn watch_one<T: Object + DeserializeOwned + Send + 'static>(
    watcher: &Watcher,
    kind: WatchKind,
    resource: &Resource,
    to: &mpsc::Sender<SystemObject>,
    object: impl Fn(Option<T>) -> SystemObject,
) {
    let (heard, mut events) = mpsc::channel(WAITING);
    let watching = watch_resource(watcher, kind, resource, false, &heard, |heard: Heard<T>| {
        heard
    });
    let taking = async {
        let mut one = One::default();
        while let Some(heard) = events.recv().await {
            let states = match heard {
                Heard::Events(events) => events
                    .into_iter()
                    .filter_map(|it| one.on_event(it))
                    .collect(),
                Heard::Refused => Vec::from_iter(one.on_refused()),
            };
            for state in states {
                to.send(object(state)).await?;
            }
        }
        Ok::<_, mpsc::error::SendError<_>>(())
    };
    tokio::select! {
        _ = watching => {}
        _ = taking => {}
        () = to.closed() => {}
    }
}

/// Of an object that is there or not, when that is known.
#[derive(Default)]
struct One {
    is_listed: bool,
    is_known: bool,
}

impl One {
    fn on_event<T>(&mut self, event: Event<T>) -> Option<Option<T>> {
        match event {
            Event::ListBegins => {
                self.is_listed = false;
                None
            }
            Event::Put(object) => {
                (self.is_listed, self.is_known) = (true, true);
                Some(Some(object))
            }
            Event::ListEnds if self.is_listed => None,
            Event::Deleted(_) | Event::ListEnds => {
                self.is_known = true;
                Some(None)
            }
        }
    }

    /// It may not be read. What was read before still counts.
    fn on_refused<T>(&mut self) -> Option<Option<T>> {
        (!mem::replace(&mut self.is_known, true)).then_some(None)
    }
}

/// The names of objects that are there.
#[derive(Default)]
struct Names {
    all: BTreeSet<String>,
    /// Those that were there before the list that has begun, and were not in it so far.
    missing: BTreeSet<String>,
}

impl Names {
    /// Returns the names of those that turn out to be gone.
    fn on_event<T: Object>(&mut self, event: &Event<T>) -> Vec<String> {
        match event {
            Event::ListBegins => {
                self.missing = self.all.clone();
                Vec::new()
            }
            Event::Put(object) => {
                self.missing.remove(object.name());
                self.all.insert(object.name().to_owned());
                Vec::new()
            }
            Event::Deleted(object) => {
                self.missing.remove(object.name());
                Vec::from_iter(self.all.take(object.name()))
            }
            Event::ListEnds => {
                let gone = mem::take(&mut self.missing);
                self.all.retain(|it| !gone.contains(it));
                Vec::from_iter(gone)
            }
        }
    }
}

/// The values that are text.
pub(super) fn texts(data: Lenient<BTreeMap<String, Lenient<String>>>) -> BTreeMap<String, String> {
    let Lenient::Is(data) = data else {
        return BTreeMap::new();
    };
    let text = |(key, value)| match value {
        Lenient::Is(text) => Some((key, text)),
        Lenient::Missing | Lenient::Bad(_) => None,
    };
    data.into_iter().filter_map(text).collect()
}

pub(super) fn certificate(secret: Secret) -> Certificate {
    let Lenient::Is(data) = secret.data else {
        return Certificate::default();
    };
    let bytes = |value: Lenient<ByteString>| match value {
        Lenient::Is(ByteString(bytes)) => bytes,
        Lenient::Missing | Lenient::Bad(_) => Vec::new(),
    };
    Certificate {
        tls_crt: bytes(data.tls_crt),
        tls_key: bytes(data.tls_key),
        ca_crt: bytes(data.ca_crt),
    }
}
