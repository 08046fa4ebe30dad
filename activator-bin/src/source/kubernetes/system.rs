//! ConfigMaps and the Secret of the system namespace: what they contain, whenever it may have changed.

use std::collections::BTreeMap;

use reporter_metrics::WatchKind;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch};

mod contents;
mod presence;

pub use contents::Certificate;
pub(super) use contents::{ConfigMap, Secret, certificate, texts};

use super::model::Event;
use super::object::Object;
use super::resource::Resource;
use super::watching::{Heard, Watcher, watch as watch_resource};
use presence::{Names, One};

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
