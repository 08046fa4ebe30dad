//! Random histories of lists, and what a cluster says about them: after each step and some quiet, the capacity is what
//! a naive model makes of the current list alone.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::scene::*;
use super::*;
use crate::probe::evidence::Answer;
use crate::probe::exchange::Ended;

/// Instances by what probes of them bring: the first few pass, some are refused, some are behind a mesh.
const PASSING: u8 = 6;
const REFUSED: u8 = 8;
const INSTANCES: u8 = 10;

/// Enough for a look at each instance.
const QUIET: Duration = Duration::from_secs(31 * INSTANCES as u64);

const SERVICE: SocketAddr = SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 96, 0, 1)),
    80,
);

#[derive(Clone, Debug)]
enum Op {
    /// Those that are listed, those that Kubernetes calls ready, and the share.
    List(BTreeSet<u8>, BTreeSet<u8>, Option<Share>),
    /// A list, by which no mesh can be found, and then, at once, another.
    Twice(BTreeSet<u8>, BTreeSet<u8>),
    /// A request fails.
    Complain,
}

/// What stays the same for the whole history.
#[derive(Clone, Debug)]
struct Setting {
    mesh: Mesh,
    trusts_probe: bool,
    limit: u32,
}

#[derive(Default)]
struct Model {
    listed: BTreeSet<u8>,
    ready: BTreeSet<u8>,
    share: Option<Share>,
    via_service: bool,
}

impl Model {
    fn list(&mut self, listed: &BTreeSet<u8>, ready: &BTreeSet<u8>, share: Option<Share>) {
        self.listed = listed.clone();
        self.ready = ready.intersection(listed).copied().collect();
        self.share = share;
    }

    fn healthy(&self, setting: &Setting) -> Vec<u8> {
        let is_healthy = |number: &u8| {
            let is_ready = self.ready.contains(number);
            let passes = *number < PASSING && (is_ready || setting.trusts_probe);
            match setting.mesh.mode {
                MeshMode::Auto => passes,
                MeshMode::Disabled => is_ready || passes,
                MeshMode::Enabled => setting.mesh.pod_addressability && (is_ready || passes),
            }
        };
        let healthy = self.listed.iter().copied().filter(is_healthy);
        let mut healthy: Vec<_> = healthy.collect();
        healthy.sort_by_key(|&number| backend(number).to_string());
        healthy
    }

    /// The free slots, by the instance's number; `None` stands for the Service.
    fn slots(&mut self, setting: &Setting) -> Vec<Option<u8>> {
        let healthy = self.healthy(setting);
        let mesh = setting.mesh;
        let is_open = match mesh.mode {
            _ if mesh.pod_addressability => false,
            MeshMode::Disabled => false,
            MeshMode::Enabled => !self.ready.is_empty() || self.via_service,
            MeshMode::Auto => {
                let own = self.listed.iter().any(|&number| number < PASSING);
                let shown = self.ready.iter().any(|&number| number >= REFUSED);
                // Only those that Kubernetes calls ready are looked at.
                let disproved = self.ready.iter().any(|&number| number < PASSING);
                !disproved && (self.via_service || shown && !own)
            }
        };
        self.via_service = is_open && !self.listed.is_empty();
        let limit = setting.limit as usize;
        let (index, activators) = self.share.map_or((0, 1), |it| (it.index, it.activators));
        if self.via_service {
            let all = limit * self.ready.len();
            let own = if all == 0 {
                0
            } else {
                (all / activators).max(1)
            };
            return vec![None; own];
        }
        let count = healthy.len();
        let is_own = |position: usize| match count {
            0 | 1 => true,
            _ if activators > count => position == index % count,
            _ => {
                let even = count / activators * activators;
                let owner = if position < even {
                    position / (count / activators)
                } else {
                    position - even
                };
                owner == index
            }
        };
        let own = healthy.into_iter().enumerate();
        let own = own.filter_map(|(position, number)| is_own(position).then_some(number));
        own.flat_map(|number| vec![Some(number); limit]).collect()
    }
}

fn answer(probed: SocketAddr) -> Ended {
    if probed == SERVICE || probed < backend(PASSING) {
        ProbeOutcome::Ok.into()
    } else if probed < backend(REFUSED) {
        ProbeOutcome::Refused.into()
    } else {
        Ended {
            outcome: ProbeOutcome::Status,
            answer: Answer::MeshLike,
        }
    }
}

fn listed(
    setting: &Setting,
    listed: &BTreeSet<u8>,
    ready: &BTreeSet<u8>,
    share: Option<Share>,
) -> Listed {
    let addresses = |numbers: &BTreeSet<u8>| numbers.iter().copied().map(backend).collect();
    let cluster = InCluster {
        not_ready: addresses(&(listed - ready)),
        trusts_probe: setting.trusts_probe,
        share,
        private_service: "hello-private".into(),
        ..InCluster::default()
    };
    Listed {
        backends: addresses(listed),
        cluster: Some(Arc::new(cluster)),
        container_concurrency: setting.limit,
        ..Listed::default()
    }
}

async fn check(setting: Setting, history: Vec<Op>) {
    let settings = ProbeSettings {
        probe: Probe::Knative,
        mesh: setting.mesh,
        ..ProbeSettings::default()
    };
    let scene = Scene::answering(settings, 100, |probed, _| (Duration::ZERO, answer(probed)));
    scene.limit(setting.limit);
    let service = OneService::at(SERVICE);
    scene.probes.set_private_services(service);
    let mut model = Model::default();
    for op in history {
        match &op {
            Op::List(all, ready, share) => {
                scene
                    .prober
                    .set_backends(listed(&setting, all, ready, *share));
                model.list(all, ready, *share);
            }
            Op::Twice(first, second) => {
                for all in [first, second] {
                    tokio::task::yield_now().await;
                    scene.prober.set_backends(listed(&setting, all, all, None));
                    model.via_service &= !all.is_empty();
                    model.list(all, all, None);
                }
            }
            Op::Complain => {
                let slot = scene.throttle.try_acquire();
                if let Some(slot) = slot.filter(|it| answer(it.backend()).answer == Answer::Own) {
                    slot.set_aside(Complaint::Closed);
                    // If that was the Service's, all starts over.
                    model.via_service = false;
                }
            }
        }
        tokio::time::sleep(QUIET).await;
        let slots = std::iter::from_fn(|| scene.throttle.try_acquire()).collect::<Vec<_>>();
        let number = |slot: &crate::throttle::Slot| {
            let of_address = (0..INSTANCES).find(|&it| backend(it) == slot.backend());
            assert!(of_address.is_some() || slot.backend() == SERVICE);
            of_address
        };
        let mut found: Vec<_> = slots.iter().map(number).collect();
        let mut expected = model.slots(&setting);
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{setting:?} after {op:?}");
    }
}

fn sets() -> impl Strategy<Value = BTreeSet<u8>> {
    let some = prop::collection::btree_set(0..INSTANCES, 0..7);
    let no_passing = prop::collection::btree_set(PASSING..INSTANCES, 0..4);
    prop_oneof![3 => some, 2 => no_passing]
}

fn ops() -> impl Strategy<Value = Op> {
    let share = (1..6_usize).prop_flat_map(|activators| {
        (0..activators).prop_map(move |index| Some(Share { index, activators }))
    });
    let share = prop_oneof![Just(None), share];
    let first = prop::collection::btree_set(0..REFUSED, 0..7);
    prop_oneof![
        6 => (sets(), sets(), share.clone()).prop_map(|(all, ready, share)| Op::List(all, ready, share)),
        4 => (sets(), share).prop_map(|(all, share)| Op::List(all.clone(), all, share)),
        2 => (first, sets()).prop_map(|(first, second)| Op::Twice(first, second)),
        2 => Just(Op::Complain),
    ]
}

fn settings() -> impl Strategy<Value = Setting> {
    let mode = prop_oneof![
        3 => Just(MeshMode::Auto),
        1 => Just(MeshMode::Enabled),
        1 => Just(MeshMode::Disabled),
    ];
    let flags = (prop::bool::weighted(0.2), any::<bool>());
    (mode, flags, 1..5_u32).prop_map(
        |(mode, (pod_addressability, trusts_probe), limit)| Setting {
            mesh: Mesh {
                mode,
                pod_addressability,
            },
            trusts_probe,
            limit,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_capacity_follows_the_list(
        setting in settings(),
        history in prop::collection::vec(ops(), 1..12),
    ) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(check(setting, history));
    }
}
