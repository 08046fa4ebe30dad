//! The addresses of instances and activators: EndpointSlices, or Endpoints where the role does not allow those.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reporter_metrics::WatchKind;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::object::{EndpointSlice, Endpoints};
use super::resource::Resource;
use super::watching::{Ended, Heard, Watcher, watch};

/// Both kinds of Services of revisions: in front of instances, and what requests are sent to.
const SERVICE_TYPES: &str = "networking.internal.knative.dev/serviceType in (Private,Public)";

/// What is heard of addresses.
#[derive(Debug)]
pub(super) enum AddressesHeard {
    Slices(Heard<EndpointSlice>),
    Endpoints(Heard<Endpoints>),
}

/// Watches addresses for as long as there is a receiver. `uses_endpoints` says which of the two it is.
pub(super) async fn watch_addresses<M: Send>(
    watcher: &Watcher,
    uses_endpoints: &Arc<AtomicBool>,
    to: &mpsc::Sender<M>,
    wrap: impl Fn(AddressesHeard) -> M + Send + Sync,
) {
    let kind = WatchKind::EndpointSlices;
    let slices = Resource::of::<EndpointSlice>(None).labelled(SERVICE_TYPES);
    let endpoints = Resource::of::<Endpoints>(None).labelled(SERVICE_TYPES);
    loop {
        let heard = |heard| wrap(AddressesHeard::Slices(heard));
        if watch(watcher, kind, &slices, true, to, heard).await == Ended::Unwanted {
            return;
        }
        if !uses_endpoints.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "the role of this service account does not allow to list and watch endpointslices.discovery.k8s.io: using Endpoints, which Kubernetes cuts at 1,000 addresses"
            );
        }
        let heard = |heard| wrap(AddressesHeard::Endpoints(heard));
        tokio::select! {
            _ = watch(watcher, kind, &endpoints, false, to, heard) => return,
            () = until_allowed(watcher, &slices) => {}
        }
        uses_endpoints.store(false, Ordering::Relaxed);
        tracing::info!("endpointslices.discovery.k8s.io can be listed now: using them");
    }
}

/// Waits until the role allows to list them.
async fn until_allowed(watcher: &Watcher, slices: &Resource) {
    loop {
        sleep(watcher.limits.slices_retry).await;
        if watcher.server.get(&slices.page(1, "")).await.is_ok() {
            return;
        }
    }
}
