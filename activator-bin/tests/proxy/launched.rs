//! Requests to a revision whose instances are started here, by the test itself: what they meet while none is ready.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use activator_bin::testing::launch::{InstanceLog, LaunchSpec, Ready, Start, WaitingPage};
use activator_bin::testing::{Activator, Place, ServedRevision};

use crate::support::activator::{config, hello, start_with};

mod failed;
mod ignored;
mod unix_socket;
mod waiting_page;

/// An activator in front of `default/hello`, whose instances the test lists.
struct Scene {
    activator: Activator,
    served: Arc<ServedRevision>,
}

impl Scene {
    fn new(container_concurrency: u32, change: impl FnOnce(&mut LaunchSpec)) -> Self {
        let mut launch = launch();
        change(&mut launch);
        // Nothing listens there, so nothing becomes ready but what the test lists.
        let mut config = config(&[([127, 0, 0, 1], 1).into()]);
        config.revisions[0].launch = Some(Arc::new(launch));
        config.revisions[0].container_concurrency = container_concurrency;
        let activator = start_with(config);
        let served = activator.revisions().launched(&hello()).unwrap();
        Self { activator, served }
    }

    /// These are the instances that are ready.
    fn ready(&self, addresses: &[SocketAddr]) {
        let places: Vec<Place> = addresses.iter().map(|&it| it.into()).collect();
        self.ready_at(&places);
    }

    fn ready_at(&self, places: &[Place]) {
        self.activator.revisions().set_places(&self.served, places);
    }

    /// How many requests are in flight; `None` if there has been none that counts.
    fn counted(&self) -> Option<u64> {
        self.activator.reporter().in_flight(&hello())
    }
}

fn launch() -> LaunchSpec {
    let start = Start::Commands {
        start: vec!["true".to_owned()],
        stop: Vec::new(),
    };
    LaunchSpec {
        ready: Ready::Tcp,
        start_timeout: Duration::from_secs(3600),
        waiting_page: WaitingPage::Off,
        log: InstanceLog::Off,
        ..LaunchSpec::new(start, 1)
    }
}
